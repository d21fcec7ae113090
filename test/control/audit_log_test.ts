import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { openAuditLog } from "../../src/control/audit_log.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { startHarness } from "./harness.ts";

const RECORD = {
  method: "a.b",
  transport: "unix",
  uid: 7,
  outcome: "ok",
  durationMs: 1.4,
} as const;

Deno.test("openAuditLog() writes private lines and keeps two files at most", async () => {
  const root = await Deno.makeTempDir();
  const directory = `${root}/audit/`;
  const options = { directory, family: "f", log: silentLog, wallMs: () => 0, fileBytesMax: 300 };
  const audit = await openAuditLog(options);
  for (let i = 0; i < 20; i++) {
    audit.record(RECORD);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await audit.close();
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  deepStrictEqual(names, ["net-f.audit.jsonl", "net-f.audit.jsonl.1"]);
  for (const name of names) {
    const { mode, size } = Deno.statSync(`${directory}${name}`);
    equal((mode ?? 0) & 0o777, 0o600);
    ok(size < 500);
  }
  const line = Deno.readTextFileSync(`${directory}${names[1]}`).split("\n")[0] ?? "";
  deepStrictEqual(JSON.parse(line), {
    time: "1970-01-01T00:00:00.000Z",
    method: "a.b",
    transport: "unix",
    uid: 7,
    outcome: "ok",
    ms: 1,
  });
  equal(audit.dropped, 0);
  await Deno.remove(root, { recursive: true });
});

Deno.test("openAuditLog() goes on where somebody moved its file away, or its folder fails for a while", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/net.audit.jsonl`;
  const options = { directory, family: undefined, log: silentLog, wallMs: () => 0 };
  const audit = await openAuditLog({ ...options, fileBytesMax: 10 });
  const write = async () => {
    audit.record(RECORD);
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await write();
  await Deno.rename(path, `${directory}/moved`);
  await write();
  equal(audit.dropped, 0);
  equal(Deno.readTextFileSync(path).split("\n").length, 2);
  await Deno.rename(directory, `${directory}.away`);
  await write();
  equal(audit.dropped, 1);
  await Deno.rename(`${directory}.away`, directory);
  await write();
  equal(audit.dropped, 1);
  await audit.close();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("openAuditLog() bounds what waits, and refuses a folder that cannot be", async () => {
  const root = await Deno.makeTempDir();
  const options = { family: undefined, log: silentLog, wallMs: () => 0 };
  const audit = await openAuditLog({ ...options, directory: root });
  for (let i = 0; i < 20_000; i++) audit.record(RECORD);
  ok(audit.dropped > 1000 && audit.dropped < 20_000);
  await audit.close();
  const lines = Deno.readTextFileSync(`${root}/net.audit.jsonl`).trimEnd().split("\n");
  equal(lines.length, 20_000 - audit.dropped);
  await Deno.writeTextFile(`${root}/file`, "");
  await rejects(
    openAuditLog({ ...options, directory: `${root}/file/sub` }),
    (error: unknown) => error instanceof NetError && error.exitCode === 2,
  );
  await Deno.remove(root, { recursive: true });
});

Deno.test("control server records who changed what, and no parameters", async () => {
  const auditDir = await Deno.makeTempDir();
  const harness = await startHarness({ auditDir });
  const client = await harness.connect();
  const call = (method: string, params = "{}") =>
    client.ask(`{"jsonrpc":"2.0","method":"${method}","params":${params},"id":1}`);
  await call("health.liveness");
  await call("test.echo", '{"text":"hunter2"}');
  await call("test.change", '{"text":"hunter2"}');
  await call("test.change", '{"text":7}');
  await client.send('{"jsonrpc":"2.0","method":"test.wait"}\n');
  while (harness.gate.count === 0) await new Promise((resolve) => setImmediate(resolve));
  harness.gate.open();
  client[Symbol.dispose]();
  await harness[Symbol.asyncDispose]();
  const text = Deno.readTextFileSync(`${auditDir}/net.audit.jsonl`);
  ok(!text.includes("hunter2"));
  const records = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  deepStrictEqual(records.map(({ method, outcome }) => [method, outcome]), [
    ["test.change", "ok"],
    ["test.change", "usage"],
    ["test.wait", "ok"],
  ]);
  if (Deno.build.os === "linux") equal(records[0].uid, Deno.uid());
  await Deno.remove(auditDir, { recursive: true });
});
