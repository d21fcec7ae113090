/** Every row of the table in `validation.md` 5.3, against a scripted member. */
import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { ipcExitCode, type RuleSet, validateIpc } from "../../src/validate/mod.ts";
import { goodScript, type Script, startFakeMember } from "./fake_member.ts";

const FAST = { connectTimeoutMs: 200, replyTimeoutMs: 60, deadlineMs: 3000, lineBytesMax: 4096 };

interface Expected {
  readonly outcome: string;
  readonly passed: boolean;
}

const fails = (outcome: string): Expected => ({ outcome, passed: false });
const passes = (outcome: string): Expected => ({ outcome, passed: true });

const check = (line: string): Script => goodScript({ "health.check": line });
const special = (act: Script): Script => (exchange) =>
  exchange.method === "health.check" ? act(exchange) : goodScript()(exchange);

/** Name, script, and what is expected of `health.check` under reference and standard. */
const ROWS: readonly (readonly [string, Script, Expected, Expected])[] = [
  [
    "no line in time",
    special(() => undefined),
    fails("response_timeout"),
    fails("response_timeout"),
  ],
  [
    "bytes without a newline",
    special(async ({ send }) => void await send('{"jsonrpc"')),
    fails("response_timeout"),
    fails("response_timeout"),
  ],
  ["closed at once", special(({ close }) => void close()), fails("closed"), fails("closed")],
  [
    "closed within a line",
    special(async ({ send, close }) => {
      await send('{"jsonrpc"');
      close();
      return undefined;
    }),
    fails("invalid_json"),
    fails("closed"),
  ],
  ["oversized", check(`"${"x".repeat(5000)}"`), fails("oversized"), fails("oversized")],
  [
    "invalid UTF-8",
    special(async ({ send }) => void await send(new Uint8Array([0x22, 0xff, 0x22, 0x0a]))),
    fails("invalid_json"),
    fails("invalid_json"),
  ],
  ["not JSON", check("{nope"), fails("invalid_json"), fails("invalid_json")],
  ["HTTP", check("HTTP/1.1 400 Bad Request\r"), fails("invalid_json"), fails("http_framing")],
  ["no jsonrpc", check('{"result":{},"id":@}'), fails("bad_envelope"), fails("bad_envelope")],
  [
    "other jsonrpc",
    check('{"jsonrpc":"1.0","result":{},"id":@}'),
    fails("bad_envelope"),
    fails("bad_envelope"),
  ],
  [
    "error null",
    check('{"jsonrpc":"2.0","result":{},"error":null,"id":@}'),
    fails("bad_envelope"),
    fails("bad_envelope"),
  ],
  [
    "error",
    check('{"jsonrpc":"2.0","error":{"code":-32002,"message":"later"},"id":@}'),
    fails("rpc_error"),
    fails("rpc_error"),
  ],
  ["no result", check('{"jsonrpc":"2.0","id":@}'), fails("bad_envelope"), fails("bad_envelope")],
  [
    "array",
    check('[{"jsonrpc":"2.0","result":{},"id":@}]'),
    fails("bad_envelope"),
    fails("bad_envelope"),
  ],
  [
    "wrong id",
    check('{"jsonrpc":"2.0","result":{"status":"healthy","version":"1","primal":"fake"},"id":"7"}'),
    passes("ok"),
    passes("id_mismatch"),
  ],
  [
    "result null",
    check('{"jsonrpc":"2.0","result":null,"id":@}'),
    passes("ok"),
    fails("bad_result"),
  ],
  [
    "fields missing",
    check('{"jsonrpc":"2.0","result":{"status":"healthy","version":3},"id":@}'),
    passes("ok"),
    fails("bad_result"),
  ],
  [
    "not healthy",
    check('{"jsonrpc":"2.0","result":{"status":"degraded","version":"1","primal":"fake"},"id":@}'),
    passes("ok"),
    passes("ok"),
  ],
  [
    "another primal",
    check('{"jsonrpc":"2.0","result":{"status":"healthy","version":"1","primal":"x"},"id":@}'),
    passes("ok"),
    fails("identity_mismatch"),
  ],
  [
    "no such method",
    check('{"jsonrpc":"2.0","error":{"code":-32601,"message":"no"},"id":@}'),
    fails("method_missing"),
    fails("method_missing"),
  ],
  [
    "BTSP",
    check('{"jsonrpc":"2.0","error":{"code":-32600,"message":"BTSP handshake required"},"id":@}'),
    fails("btsp_required"),
    fails("btsp_required"),
  ],
];

for (const [name, script, reference, standard] of ROWS) {
  Deno.test(`validateIpc() gives the right verdict: ${name}`, async () => {
    await using member = await startFakeMember(script);
    for (const [rules, expected] of [["reference", reference], ["standard", standard]] as const) {
      const report = await validateIpc(member.path, { ...FAST, rules });
      const result = report.results[2];
      deepStrictEqual({ outcome: result?.outcome, passed: result?.passed }, expected, rules);
      equal(report.compliant, expected.passed);
      equal(ipcExitCode(report), expected.passed ? 0 : 1);
      deepStrictEqual(report.results.slice(0, 2).map(({ outcome }) => outcome), ["ok", "ok"]);
    }
  });
}

Deno.test("validateIpc() asks the three methods in order and reads their health", async () => {
  await using member = await startFakeMember(check(
    '{"jsonrpc":"2.0","result":{"status":"degraded","version":"1","primal":"fake"},"id":@}',
  ));
  const report = await validateIpc(member.path, FAST);
  deepStrictEqual(member.asked, ["health.liveness", "health.readiness", "health.check"]);
  deepStrictEqual([report.compliant, report.healthy], [true, false]);
  const demanding = await validateIpc(member.path, { ...FAST, requireHealthy: true });
  equal(demanding.compliant, false);
  const named = await validateIpc(member.path, { ...FAST, expectName: "net" });
  equal(named.results[1]?.outcome, "identity_mismatch");
});

Deno.test("validateIpc() names what a result lacks", async () => {
  await using member = await startFakeMember(
    check('{"jsonrpc":"2.0","result":{"status":1},"id":@}'),
  );
  const report = await validateIpc(member.path, FAST);
  deepStrictEqual(report.results[2]?.missing, ["status", "version", "primal"]);
});

for (
  const [result, rules, outcome, warned] of [
    ['{"status":"healthy"}', "standard", "ok", false],
    ['{"status":"alive"}', "standard", "ok", true],
    ['{"status":"ok"}', "standard", "ok", true],
    ['{"alive":true}', "standard", "ok", false],
    ['{"status":"dead","alive":true}', "standard", "ok", false],
    ['{"status":"starting"}', "standard", "bad_result", false],
    ['{"status":"dead"}', "reference", "ok", false],
    ["{}", "standard", "bad_result", false],
    ["7", "standard", "bad_result", false],
  ] as const
) {
  Deno.test(`validateIpc() judges liveness ${result} as ${outcome} under ${rules}`, async () => {
    await using member = await startFakeMember(
      goodScript({ "health.liveness": `{"jsonrpc":"2.0","result":${result},"id":@}` }),
    );
    const report = await validateIpc(member.path, { ...FAST, rules });
    equal(report.results[0]?.outcome, outcome);
    equal((report.results[0]?.warnings.length ?? 0) > 0, warned);
  });
}

Deno.test("validateIpc() gives a verdict where nobody answers at all", async () => {
  const folder = await Deno.makeTempDir();
  const outcomes = async (endpoint: string, rules: RuleSet = "standard") => {
    const startMs = performance.now();
    const report = await validateIpc(endpoint, { ...FAST, rules });
    ok(performance.now() - startMs < 3000);
    equal(report.compliant, false);
    return [...new Set(report.results.map(({ outcome }) => outcome))];
  };
  const dead = `${folder}/dead.sock`;
  const listener = Deno.listen({ transport: "unix", path: `${dead}.tmp` });
  await Deno.rename(`${dead}.tmp`, dead);
  listener.close();
  await Deno.writeTextFile(`${folder}/plain`, "text");
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = tcp.addr;
  tcp.close();
  deepStrictEqual(await outcomes(dead), ["connect_failed"]);
  deepStrictEqual(await outcomes(`${folder}/absent`), ["connect_failed"]);
  deepStrictEqual(await outcomes(`${folder}/plain`), ["not_a_socket"]);
  deepStrictEqual(await outcomes(folder), ["not_a_socket"]);
  deepStrictEqual(await outcomes(`127.0.0.1:${port}`), ["connect_failed"]);
  deepStrictEqual(await outcomes("@net-test-nobody"), ["connect_failed"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("validateIpc() shares its deadline among the methods of a silent member", async () => {
  await using member = await startFakeMember(() => undefined);
  for (const rules of ["reference", "standard", "strict"] as const) {
    const startMs = performance.now();
    const report = await validateIpc(member.path, { rules, deadlineMs: 300 });
    ok(performance.now() - startMs < 600, rules);
    deepStrictEqual(
      report.results.map(({ outcome }) => outcome),
      ["response_timeout", "response_timeout", "response_timeout"],
    );
  }
  equal(member.asked.length >= 7, true);
});

Deno.test("validateIpc() is not held up by a member that dribbles", async () => {
  await using member = await startFakeMember(async ({ send }) => {
    for (let i = 0; i < 30; i++) {
      await send("x");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return undefined;
  });
  const report = await validateIpc(member.path, { deadlineMs: 200 });
  equal(report.results[0]?.outcome, "response_timeout");
  ok(report.durationMs < 400);
});

Deno.test("validateIpc() recognises a real HTTP server", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hello"),
  );
  const report = await validateIpc(`127.0.0.1:${server.addr.port}`, FAST);
  equal(report.compliant, false);
  deepStrictEqual([...new Set(report.results.map(({ outcome }) => outcome))], ["http_framing"]);
});

Deno.test("validateIpc() ends with its signal", async () => {
  await using member = await startFakeMember(() => undefined);
  const controller = new AbortController();
  const running = validateIpc(member.path, { signal: controller.signal });
  controller.abort(new Error("interrupted"));
  await running.then(() => ok(false), (error) => equal(error.message, "interrupted"));
});
