/** Starting and stopping members that are processes, and what becomes of them. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  findProgram,
  listMembers,
  MemberRecords,
  readRegistry,
  type StartedMember,
  startMember,
  type StartWishes,
  stopMember,
  usualPort,
} from "../../src/deploy/mod.ts";
import { makeMemberToolkit, type MemberToolkit } from "./toolkit_of_members.ts";

/** A process starts slowly where nine others do. */
const WAIT_MS = 20_000;

const OWN = ["/nowhere/net"] as const;

Deno.test("V32: a good member is live, is listed, and is stopped with all it started", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "good", hasChild: true });
  const started = await start(kit, "good");
  const { record } = started;
  assert.deepEqual(record.endpoints, [`unix:${kit.sockets}/good.sock`]);
  assert.equal((await Deno.stat(record.log)).mode! & 0o777, 0o600);
  assert.match(record.log, /\.local\/state\/net\/members\/good\.log$/);
  const child = Number(/child (\d+)/.exec(await Deno.readTextFile(record.log))?.[1]);
  assert.equal(isThere(child), true);
  const records = await MemberRecords.open(kit.env);
  assert.deepEqual((await listMembers(records)).map(({ state }) => state), ["live"]);
  await rejectsWith(start(kit, "good"), "already_running");

  assert.equal((await stopMember(records, "good")).status, "stopped");
  assert.equal(isThere(record.pid) || isThere(child), false, "the whole group is gone");
  assert.deepEqual(await records.list(), []);
  await rejectsWith(stopMember(records, "good"), "not_found");
});

Deno.test("V32: a crash at start fails with the end of the log, and leaves nothing", async () => {
  await using kit = await makeMemberToolkit();
  const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const text = `${lines.join("\n")}\n\u001b[31mno \u0007disk\u001b[0m`;
  await kit.add({ name: "bad", crash: { text, code: 9 } });
  const error = await rejectsWith(start(kit, "bad"), "failed");
  assert.match(error.message, /ended with exit code 9/);
  assert.equal(error.exitCode, 1);
  const tail = error.data?.tail as readonly string[];
  assert.equal(tail.length, 20);
  assert.equal(tail.at(-1), "no \u{fffd}disk", "a terminal is not steered");
  assert.equal(tail[0], "line 11");
  assert.deepEqual(await (await MemberRecords.open(kit.env)).list(), []);
});

Deno.test("V32: a member that never answers is stopped with all it started", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "mute", isSilent: true, isStubborn: true, hasChild: true });
  const error = await rejectsWith(start(kit, "mute", {}, 1500), "failed");
  assert.match(error.message, /within 1500 ms/);
  const log = await Deno.readTextFile(String(error.data?.log));
  const child = /child (\d+)/.exec(log)?.[1];
  if (child !== undefined) assert.equal(isThere(Number(child)), false);
});

Deno.test("V-e: TCP is passed only when asked for; else the socket is watched and told", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add(
    { name: "plain", portFlag: "--port" },
    '[genomeBin.server]\nport_flag = "--port"\n',
  );
  const { record } = await start(kit, "plain");
  assert.deepEqual(record.command.slice(1), ["server"]);
  assert.deepEqual(record.endpoints, [`unix:${kit.sockets}/plain.sock`]);
  await stop(kit, "plain");
  const port = freePort();
  const withTcp = await start(kit, "plain", { port });
  assert.equal(withTcp.record.endpoints[0], `127.0.0.1:${port}`);
  await stop(kit, "plain");
});

Deno.test("V-f: generic flags become each member's own words", async (t) => {
  await using kit = await makeMemberToolkit();
  const server = "[genomeBin.server]\n";
  await kit.add(
    { name: "jsonrpc", portFlag: "--jsonrpc-port", socketFlag: "--uds" },
    `${server}port_flag = "--jsonrpc-port"\nsocket_flag = "--uds"\n`,
  );
  await kit.add(
    { name: "address", addressFlag: "--http-address", hasNoSocket: true },
    `${server}listen_flag = "--http-address"\nlisten_format = "addr:port"\n`,
  );
  await kit.add(
    { name: "listen", addressFlag: "--listen", hasNoSocket: true, mode: "daemon" },
    `[genomeBin]\ndefault_mode = "daemon"\n${server}listen_flag = "--listen"\n` +
      'listen_format = "{addr}:{port}"\n',
  );
  await kit.add(
    { name: "variable", portVariable: "VARIABLE_PORT", hasNoSocket: true },
    `${server}tcp_protocol = "jsonrpc-newline"\n`,
  );
  await kit.add(
    { name: "family", familyFlag: "--family-id" },
    `${server}family_id_flag = "--family-id"\n`,
  );
  for (const member of ["jsonrpc", "address", "listen", "variable"]) {
    await t.step(member, async () => {
      const port = freePort();
      const { record } = await start(kit, member, { port });
      assert.equal(record.endpoints[0], `127.0.0.1:${port}`);
      await stop(kit, member);
    });
  }
  await t.step("socket", async () => {
    const socket = `${kit.dir}/own.sock`;
    const { record } = await start(kit, "jsonrpc", { socket });
    assert.deepEqual(record.endpoints, [`unix:${socket}`]);
    await stop(kit, "jsonrpc");
  });
  await t.step("family", async () => {
    const { record } = await start(kit, "family", { family: "fam1" });
    assert.deepEqual(record.endpoints, [`unix:${kit.sockets}/family-fam1.sock`]);
    assert.equal(record.name, "family-fam1");
    await stop(kit, "family-fam1");
  });
});

Deno.test("V-h: the usual port comes from ports.env, which is read and never executed", async () => {
  await using kit = await makeMemberToolkit();
  const port = freePort();
  const ran = `${kit.dir}/ran`;
  await kit.write("ports.env", `touch ${ran}\nUSUAL_PORT=${port}\nOTHER=$(touch ${ran})\n`);
  await kit.add(
    { name: "usual", portFlag: "--port" },
    '[genomeBin.server]\nport_flag = "--port"\n',
  );
  const registry = await readRegistry(kit.toolkit);
  assert.equal(registry.ports.warnings.length, 2);
  const { record } = await start(kit, "usual", { port: usualPort(registry, "usual", undefined) });
  assert.equal(record.endpoints[0], `127.0.0.1:${port}`);
  await stop(kit, "usual");
  await assert.rejects(Deno.stat(ran), Deno.errors.NotFound);
});

Deno.test("startMember() clears a stale socket and refuses a live one, a port in use, a file", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "plain", portFlag: "--port", socketFlag: "--socket" });
  const socket = `${kit.dir}/plain.sock`;
  await Deno.writeTextFile(socket, "keep");
  await rejectsWith(start(kit, "plain", { socket }), "config_invalid");
  assert.equal(await Deno.readTextFile(socket), "keep");
  await Deno.remove(socket);

  const listener = Deno.listen({ transport: "unix", path: socket });
  await rejectsWith(start(kit, "plain", { socket }), "already_running");
  assert.equal((await Deno.lstat(socket)).isSocket, true);
  await Deno.rename(socket, `${socket}.aside`);
  listener.close();
  await Deno.rename(`${socket}.aside`, socket);
  const { record } = await start(kit, "plain", { socket });
  assert.deepEqual(record.endpoints, [`unix:${socket}`]);
  await stop(kit, "plain");

  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await rejectsWith(start(kit, "plain", { port: tcp.addr.port }), "address_in_use");
  tcp.close();
});

Deno.test("startMember() ends what it started when the caller leaves", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "mute", isSilent: true, journal: kit.journalPath });
  const controller = new AbortController();
  const starting = start(kit, "mute", {}, WAIT_MS, controller.signal);
  while (kit.journal().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort(new Error("left"));
  await assert.rejects(starting, /left/);
  const records = await MemberRecords.open(kit.env);
  assert.deepEqual(await records.list(), []);
});

Deno.test("stopMember() kills what does not stop, and never a process with another start", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "stubborn", isStubborn: true });
  const { record } = await start(kit, "stubborn");
  const records = await MemberRecords.open(kit.env);
  await records.write({ ...record, startTicks: "1" });
  assert.equal((await stopMember(records, "stubborn")).status, "gone");
  assert.equal(isThere(record.pid), true, "somebody else's process is left alone");
  await records.write(record);
  assert.equal((await stopMember(records, "stubborn", { waitMs: 200 })).status, "killed");
  assert.equal(isThere(record.pid), false);
});

Deno.test("startMember() asks the socket where TCP speaks something else than lines", async () => {
  await using kit = await makeMemberToolkit();
  const server = '[genomeBin.server]\ntcp_protocol = "http"\nport_flag = "--port"\n';
  await kit.add({ name: "web", portFlag: "--port" }, server);
  const port = freePort();
  const { record } = await start(kit, "web", { port });
  assert.deepEqual(record.endpoints, [`unix:${kit.sockets}/web.sock`, `127.0.0.1:${port}`]);
  await stop(kit, "web");
});

Deno.test("startMember() lets one of two starts at the same moment win", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "once", journal: kit.journalPath });
  const starts = await Promise.allSettled([start(kit, "once"), start(kit, "once")]);
  assert.deepEqual(starts.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  for (const result of starts) {
    if (result.status === "rejected") assert.equal((result.reason as NetError).code, "conflict");
  }
  assert.deepEqual(kit.journal(), ["start once"]);
  await stop(kit, "once");
});

Deno.test("MemberRecords work without a home, in a folder of the user's own", async () => {
  const folder = await Deno.makeTempDir({ prefix: "net-rec-" });
  const records = await MemberRecords.open({ TMPDIR: folder });
  assert.equal(records.folder, `${folder}/net-${Deno.uid()}-members`);
  assert.equal((await Deno.stat(records.folder)).mode! & 0o777, 0o700);
  await Deno.writeTextFile(`${records.folder}/odd.json`, "{}");
  assert.deepEqual(await records.list(), []);
  await rejectsWith(records.read("odd"), "failed");
  await rejectsWith(records.read("../odd"), "usage");
  await Deno.chmod(records.folder, 0o777);
  await rejectsWith(MemberRecords.open({ TMPDIR: folder }), "not_allowed");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("startMember() has a record before the member answers, and none of one that does not", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "mute", isSilent: true });
  const records = await MemberRecords.open(kit.env);
  const controller = new AbortController();
  const starting = start(kit, "mute", {}, WAIT_MS, controller.signal);
  let record = await records.read("mute");
  while (record === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    record = await records.read("mute");
  }
  assert.equal(isThere(record.pid), true);
  assert.deepEqual(record.endpoints, []);
  controller.abort(new Error("enough"));
  await assert.rejects(starting, /enough/);
  assert.equal(isThere(record.pid), false);
  assert.equal(await records.read("mute"), undefined);
});

Deno.test("startMember() keeps our own secrets from other programs, and hands on all else", async () => {
  await using kit = await makeMemberToolkit();
  const shown = `${kit.dir}/shown`;
  for (const member of ["other", "net"]) {
    const script = `#!/bin/sh\nenv > '${shown}'\nexit 1\n`;
    await Deno.writeTextFile(`${kit.toolkit}/primals/${member}`, script, { mode: 0o755 });
    const program = await findProgram(member, { toolkit: kit.toolkit, cwd: kit.dir, own: OWN });
    const records = await MemberRecords.open(kit.env);
    const secrets = { NET_TICKET: "t1", NET_BUS_URL: "b1", NET_FAMILY_SEED: "s1" };
    const env = { ...kit.env, ...secrets, FAMILY_SEED: "s2" };
    await rejectsWith(
      startMember({ program, wishes: {}, records, env, waitMs: WAIT_MS }),
      "failed",
    );
    const lines = (await Deno.readTextFile(shown)).split("\n");
    for (const [name, value] of Object.entries(secrets)) {
      assert.equal(lines.includes(`${name}=${value}`), member === "net", name);
    }
    assert.ok(lines.includes("FAMILY_SEED=s2"), "members of a family share it");
  }
});

Deno.test("a log that has grown large is set aside before the next start", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "good" });
  const records = await MemberRecords.open(kit.env);
  await Deno.writeFile(records.logPath("good"), new Uint8Array(9 << 20));
  const { record } = await start(kit, "good");
  assert.ok((await Deno.stat(record.log)).size < 1_000);
  assert.equal((await Deno.stat(`${record.log}.1`)).size, 9 << 20);
  await stop(kit, "good");
});

async function start(
  kit: MemberToolkit,
  member: string,
  wishes: StartWishes = {},
  waitMs = WAIT_MS,
  signal?: AbortSignal,
): Promise<StartedMember> {
  const program = await findProgram(member, { toolkit: kit.toolkit, cwd: kit.dir, own: OWN });
  const records = await MemberRecords.open(kit.env);
  return await startMember({ program, wishes, records, env: kit.env, waitMs, signal });
}

async function stop(kit: MemberToolkit, name: string): Promise<void> {
  await stopMember(await MemberRecords.open(kit.env), name);
}

async function rejectsWith(work: Promise<unknown>, code: string): Promise<NetError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.next !== undefined);
    return error;
  }
  assert.fail(`it did not fail with ${code}`);
}

function isThere(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
