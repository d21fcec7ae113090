/** What is called of what a member lists, and lists that are made to hurt. */
import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { ipcReportDocument, renderIpcReport, validateIpc } from "../../src/validate/mod.ts";
import { GOOD_RESULTS, goodReply, scriptWith } from "./members/good.ts";
import { type Script, startFakeMember, startMember } from "./members/member.ts";

/** A script that lists these methods. */
function listing(list: object, others: Readonly<Record<string, string>> = {}): Script {
  return scriptWith({
    "capabilities.list": `{"jsonrpc":"2.0","result":${JSON.stringify(list)},"id":@}`,
    ...others,
  });
}

Deno.test("validateIpc() tries what is listed without executing anything", async () => {
  const list = {
    primal: "fake",
    version: "1.0",
    methods: ["health.liveness", "health.drain", "disk.wipe", "gone.away", "blob.list"],
    method_info: [{ name: "blob.list", read_only: false }],
  };
  const params = new Map<string, unknown>();
  const good = listing(list, {
    ...Object.fromEntries(
      ["health.drain", "disk.wipe", "blob.list"].map((name) => [
        name,
        '{"jsonrpc":"2.0","error":{"code":-32602,"message":"bad params"},"id":@}',
      ]),
    ),
  });
  await using member = await startFakeMember((exchange) => {
    params.set(exchange.method ?? "", exchange.params);
    return good(exchange);
  });
  const report = await validateIpc(member.path, { capabilities: true, deadlineMs: 3000 });
  deepStrictEqual(report.capabilities?.notCallable, ["gone.away"]);
  deepStrictEqual(report.capabilities?.unverified, []);
  equal(report.capabilities?.level, 1);
  for (const method of ["health.drain", "disk.wipe", "blob.list", "gone.away"]) {
    equal(params.get(method), "probe", method);
  }
  deepStrictEqual(params.get("health.liveness"), {});
});

Deno.test("validateIpc() leaves methods unverified where parameters are looked at first", async () => {
  const list = { primal: "fake", version: "1.0", methods: ["health.check", "disk.wipe"] };
  const good = listing(list);
  await using member = await startFakeMember((exchange) =>
    typeof exchange.params === "string"
      ? `{"jsonrpc":"2.0","error":{"code":-32602,"message":"params"},"id":${exchange.id}}`
      : good(exchange)
  );
  const report = await validateIpc(member.path, { capabilities: true, deadlineMs: 3000 });
  deepStrictEqual(report.capabilities?.unverified, ["disk.wipe"]);
  ok(!member.asked.includes("disk.wipe"));
  equal(report.capabilities?.level, 2);
});

Deno.test("validateIpc() calls nothing unknown where bad parameters are not refused", async () => {
  const methods = ["health.check", "disk.wipe", "gone.away"];
  const list = { primal: "fake", version: "1.0", methods };
  const good = listing(list, {
    "health.liveness": '{"jsonrpc":"2.0","result":{"status":"healthy"},"id":@}',
  });
  await using member = await startFakeMember(good);
  const report = await validateIpc(member.path, { capabilities: true, deadlineMs: 3000 });
  deepStrictEqual(report.capabilities?.unverified, ["disk.wipe", "gone.away"]);
  ok(!member.asked.includes("disk.wipe"));
});

Deno.test("validateIpc() reports a list that hangs while liveness answers", async () => {
  await using member = await startFakeMember(({ line, method }) =>
    method === "capabilities.list" ? undefined : goodReply(line)
  );
  const report = await validateIpc(member.path, { capabilities: true, replyTimeoutMs: 150 });
  deepStrictEqual([report.compliant, report.capabilities?.level], [true, 0]);
  deepStrictEqual(report.capabilities?.reasons, [
    "no readable list of capabilities",
    "no reply within 150 ms",
  ]);
  equal(member.asked.includes("capability.list"), false);
});

Deno.test("validateIpc() asks for the other name of the list where the first is missing", async () => {
  const list = JSON.stringify(GOOD_RESULTS["capabilities.list"]);
  await using member = await startFakeMember(({ line, method, id }) =>
    method === "capability.list"
      ? `{"jsonrpc":"2.0","result":${list},"id":${id}}`
      : goodReply(line.replace("capabilities.list", "capabilities.absent"))
  );
  const report = await validateIpc(member.path, { capabilities: true });
  equal(report.capabilities?.form, "methods");
});

Deno.test("validateIpc() reads the list alone when that is asked for", async () => {
  await using member = await startFakeMember(scriptWith());
  const report = await validateIpc(member.path, { capabilities: "list" });
  equal(report.capabilities?.level, 2);
  deepStrictEqual(member.asked.slice(3), ["capabilities.list", "identity.get"]);
});

Deno.test("validateIpc() looks at a bounded part of a list of a million methods", async () => {
  const methods = Array.from({ length: 1_000_000 }, (_, index) => `m.x${index}`);
  await using member = await startFakeMember(listing({ primal: "fake", version: "1.0", methods }));
  const capped = await validateIpc(member.path, { capabilities: true });
  deepStrictEqual(capped.capabilities?.reasons.at(-1), "reply line is longer than 1048576 bytes");
  const report = await validateIpc(member.path, {
    capabilities: true,
    lineBytesMax: 64 * 1024 * 1024,
    deadlineMs: 20_000,
  });
  const { capabilities } = report;
  equal(capabilities?.methods.length, 4096);
  ok(capabilities?.reasons.includes("only the first 4096 names were looked at"));
  // 512 are tried, and the fake has none of them.
  equal(capabilities?.notCallable.length, 512);
  equal(capabilities?.unverified.length, 4096 - 512);
  ok(renderIpcReport(report, { useColor: false }).length < 20_000);
});

Deno.test("validateIpc() keeps a stranger's names away from the terminal", async () => {
  const methods = ["health.check", "\u001b]0;title\u0007", "\u202egnp.exe", "x".repeat(300)];
  await using member = await startFakeMember(
    listing({ primal: "fake", version: "1.0", methods, consumed_capabilities: ["\u001b[2J"] }),
  );
  const report = await validateIpc(member.path, { capabilities: true });
  const text = renderIpcReport(report, { useColor: false });
  equal(/[^\P{C}\n]/u.test(text), false, text);
  equal(/\p{Cc}/u.test(JSON.stringify(ipcReportDocument(report))), false);
  deepStrictEqual(report.capabilities?.notCallable, [
    "\u{fffd}]0;title\u{fffd}",
    "\u{fffd}gnp.exe",
  ]);
  deepStrictEqual(report.capabilities?.consumed, ["\u{fffd}[2J"]);
});

Deno.test("validateIpc() tells replies apart where a member mixes ids up", async (t) => {
  const list = GOOD_RESULTS["capabilities.list"] as { readonly methods: readonly string[] };
  const members: Readonly<Record<string, Script>> = {
    "always the same id": ({ line }) => goodReply(line)?.replace(/"id":\d+}$/, '"id":1}'),
    "two replies": ({ line }) => {
      const reply = goodReply(line);
      return reply === undefined ? undefined : `${reply}\n${reply}`;
    },
    "a connection for each request": async ({ line, send, close }) => {
      await send(`${goodReply(line)}\n`);
      close();
      return undefined;
    },
  };
  for (const [name, script] of Object.entries(members)) {
    await t.step(name, async () => {
      await using member = await startFakeMember(script);
      const { capabilities } = await validateIpc(member.path, { capabilities: true });
      deepStrictEqual(capabilities?.methods, list.methods);
      deepStrictEqual(capabilities?.notCallable, []);
      deepStrictEqual(capabilities?.unverified, []);
      equal(capabilities?.level, 2);
    });
  }
});

Deno.test("validateIpc() holds the list to the name of the health methods", async () => {
  const list = { primal: "other", version: "1.0", methods: ["health.check"] };
  await using member = await startMember({
    script: listing(list, {
      "identity.get": '{"jsonrpc":"2.0","result":{"primal":"other","version":"1.0"},"id":@}',
    }),
  });
  const { capabilities } = await validateIpc(member.endpoint, { capabilities: true });
  equal(capabilities?.level, 1);
  deepStrictEqual(capabilities?.reasons, ["the list names another primal than the health methods"]);
});
