/** What a run asks, how long it may take, and what its options change. */
import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import {
  type IpcReport,
  renderIpcReport,
  type RuleSet,
  validateIpc,
  type ValidateIpcOptions,
} from "../../src/validate/mod.ts";
import { goodReply, goodScript, replyWith, scriptWith, TRIAD } from "./members/good.ts";
import { startFakeMember, startMember, wait } from "./members/member.ts";

const TIMEOUTS = { connectTimeoutMs: 200, replyTimeoutMs: 200 };

Deno.test("validateIpc() asks the three methods in order, each on a connection of its own", async () => {
  await using member = await startFakeMember(goodScript);
  const report = await validateIpc(member.path);
  deepStrictEqual(member.asked, ["health.liveness", "health.readiness", "health.check"]);
  equal(member.connections, 3);
  deepStrictEqual([report.primal, report.version], ["fake", "1.0"]);
});

Deno.test("V-l: the triad is asked for over a unix socket, TCP and an abstract name", async () => {
  for (
    const [transport, shown] of [["unix", "uds"], ["tcp", "tcp"], ["abstract", "abstract"]] as const
  ) {
    await using member = await startMember({ script: goodScript }, transport);
    const report = await validateIpc(member.endpoint, { rules: "strict" });
    deepStrictEqual([report.compliant, report.transport], [true, shown]);
  }
});

Deno.test("validateIpc() reports health apart from the verdict, unless it is required", async () => {
  const { script = goodScript } = replyWith({
    "health.check":
      '{"jsonrpc":"2.0","result":{"status":"degraded","version":"1.0","primal":"fake"},"id":@}',
  });
  await using member = await startFakeMember(script);
  const report = await validateIpc(member.path);
  const line = (found: IpcReport) => renderIpcReport(found, { useColor: false }).split("\n")[5];
  deepStrictEqual([report.compliant, report.healthy], [true, false]);
  equal(line(report), "  ! not healthy, says health.check");
  const demanding = await validateIpc(member.path, { requireHealthy: true });
  deepStrictEqual([demanding.compliant, demanding.healthy], [false, false]);
  equal(line(demanding), "  ✗ not healthy, says health.check");
});

Deno.test("validateIpc() holds a member to the expected name, except under reference", async () => {
  await using member = await startFakeMember(goodScript);
  const verdict = async (rules: RuleSet, expectName: string) => {
    const report = await validateIpc(member.path, { rules, expectName });
    return report.results.map(({ outcome }) => outcome);
  };
  deepStrictEqual(await verdict("standard", "fake"), ["ok", "ok", "ok"]);
  const mismatch = ["ok", "identity_mismatch", "identity_mismatch"];
  deepStrictEqual(await verdict("standard", "net"), mismatch);
  deepStrictEqual(await verdict("strict", "net"), mismatch);
  deepStrictEqual(await verdict("reference", "net"), ["ok", "ok", "ok"]);
});

for (
  const [result, outcome, isWarned] of [
    ['{"status":"healthy"}', "ok", false],
    ['{"alive":true}', "ok", false],
    ['{"status":"alive"}', "ok", true],
    ['{"status":"ok"}', "ok", true],
    ['{"status":"dead","alive":true}', "ok", false],
    ['{"status":"HEALTHY"}', "bad_result", false],
    ['{"alive":1}', "bad_result", false],
    ["7", "bad_result", false],
  ] as const
) {
  Deno.test(`V-k: liveness ${result} is ${outcome}${isWarned ? " with a warning" : ""}`, async () => {
    await using member = await startFakeMember(
      scriptWith({ "health.liveness": `{"jsonrpc":"2.0","result":${result},"id":@}` }),
    );
    const { results: [liveness] } = await validateIpc(member.path);
    equal(liveness?.outcome, outcome);
    equal((liveness?.warnings.length ?? 0) > 0, isWarned);
  });
}

Deno.test("V22: a verdict where nobody answers at all: connect_failed and not_a_socket", async () => {
  const folder = await Deno.makeTempDir();
  const outcomes = async (endpoint: string, rules: RuleSet = "standard") => {
    const report = await validateIpc(endpoint, { ...TIMEOUTS, rules });
    equal(report.compliant, false);
    ok(report.durationMs < 4000);
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
  deepStrictEqual(await outcomes(`${folder}/plain/below`), ["connect_failed"]);
  deepStrictEqual(await outcomes(`${folder}/plain`), ["not_a_socket"]);
  deepStrictEqual(await outcomes(folder), ["not_a_socket"]);
  deepStrictEqual(await outcomes("/dev/null"), ["not_a_socket"]);
  deepStrictEqual(await outcomes(`127.0.0.1:${port}`), ["connect_failed"]);
  deepStrictEqual(await outcomes("@net-test-nobody"), ["connect_failed"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("V22: a socket whose queue is full is waited for, as a port's is", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/full.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const conns: Deno.Conn[] = [];
  for (let isFull = false; !isFull;) {
    const conn = await Deno.connect({ transport: "unix", path }).catch(() => undefined);
    isFull = conn === undefined;
    if (conn !== undefined) conns.push(conn);
  }
  const report = await validateIpc(path, { connectTimeoutMs: 60 });
  deepStrictEqual(report.results.map(({ outcome }) => outcome), Array(3).fill("connect_timeout"));
  // With room in time it goes on, here to somebody who never answers.
  const waiting = validateIpc(path, { connectTimeoutMs: 5000, replyTimeoutMs: 60 });
  for (let i = 0; i < 8; i++) (await listener.accept()).close();
  deepStrictEqual((await waiting).results[0]?.outcome, "response_timeout");
  for (const conn of conns) conn.close();
  listener.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("V22: a verdict about a port that takes no more connections: connect_timeout", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const conns: Deno.Conn[] = [];
  const controller = new AbortController();
  for (let isFull = false; !isFull;) {
    const connecting = Deno.connect({ port, signal: controller.signal });
    const conn = await Promise.race([connecting, wait(150, controller.signal)]);
    isFull = conn === undefined;
    if (conn !== undefined) conns.push(conn);
    else connecting.then((late) => late.close(), () => {});
  }
  const report = await validateIpc(`127.0.0.1:${port}`, { connectTimeoutMs: 150 });
  deepStrictEqual(report.results.map(({ outcome }) => outcome), Array(3).fill("connect_timeout"));
  controller.abort();
  for (const conn of conns) conn.close();
  listener.close();
});

Deno.test("V23: a silent member gets its verdict within the deadline, shared by the methods", async () => {
  await using member = await startFakeMember(() => undefined);
  const run = async (options: ValidateIpcOptions) => {
    const startMs = performance.now();
    const report = await validateIpc(member.path, options);
    deepStrictEqual(
      report.results.map(({ outcome }) => outcome),
      Array(3).fill("response_timeout"),
    );
    return performance.now() - startMs;
  };
  for (const rules of ["reference", "standard", "strict"] as const) {
    ok(await run({ rules, replyTimeoutMs: 200, deadlineMs: 60_000 }) < 1500, rules);
    ok(await run({ rules, deadlineMs: 300 }) < 1000, rules);
  }
});

Deno.test("V24: a member that dribbles gets response_timeout within the deadline", async () => {
  await using member = await startMember({
    onConnect: async ({ send, signal }) => {
      while (!signal.aborted) {
        await send("x");
        await wait(10, signal);
      }
    },
  });
  const report = await validateIpc(member.endpoint, { deadlineMs: 600 });
  deepStrictEqual(report.results.map(({ outcome }) => outcome), Array(3).fill("response_timeout"));
  ok(report.durationMs < 1500);
});

Deno.test("validateIpc() bounds every rule set by its deadline, whatever a member does", async () => {
  // Each method answers once, then everything hangs: checks and list are what takes time here.
  const answered = new Set<string>();
  await using member = await startFakeMember(({ line, method = "" }) => {
    if (!TRIAD.includes(method) || answered.has(method)) return undefined;
    answered.add(method);
    return goodReply(line);
  });
  const startMs = performance.now();
  const report = await validateIpc(member.path, { rules: "strict", deadlineMs: 800 });
  ok(performance.now() - startMs < 2500);
  deepStrictEqual(report.results.map(({ outcome }) => outcome), ["ok", "ok", "ok"]);
  equal(report.compliant, false);
  equal(report.checks?.every(({ passed }) => !passed), true);
  equal(report.capabilities?.level, 0);
});

Deno.test("validateIpc() recognises a real HTTP server", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hello"),
  );
  const report = await validateIpc(`127.0.0.1:${server.addr.port}`);
  equal(report.compliant, false);
  deepStrictEqual(report.results.map(({ outcome }) => outcome), Array(3).fill("http_framing"));
});

Deno.test("validateIpc() tries every address of a name", async () => {
  await using member = await startMember({ script: goodScript }, "tcp");
  const { port } = new URL(`tcp://${member.endpoint}`);
  const resolve = (host: string) => {
    equal(host, "member.example");
    // Nobody listens at the first two.
    return Promise.resolve(["127.0.0.2", "127.0.0.3", "127.0.0.1"]);
  };
  const report = await validateIpc(`member.example:${port}`, { resolve });
  equal(report.compliant, true);
  const nowhere = await validateIpc("member.example:9", { resolve });
  equal(
    nowhere.results[0]?.error,
    "127.0.0.1: connection refused, as last of 3",
  );
  const failing = await validateIpc("member.example:9", {
    resolve: () => Promise.reject(new Error("the name does not exist")),
  });
  equal(failing.results[0]?.outcome, "connect_failed");
  const empty = await validateIpc("member.example:9", { resolve: () => Promise.resolve([]) });
  equal(empty.results[0]?.error, '"member.example" has no address');
  const hanging = await validateIpc("member.example:9", {
    resolve: () => new Promise(() => {}),
    connectTimeoutMs: 50,
  });
  equal(hanging.results[0]?.outcome, "connect_timeout");
});

Deno.test("validateIpc() finds a member that listens on one loopback of localhost", async () => {
  await using member = await startMember({ script: goodScript }, "tcp");
  const { port } = new URL(`tcp://${member.endpoint}`);
  equal((await validateIpc(`localhost:${port}`)).compliant, true);
});

Deno.test("validateIpc() ends with its signal", async () => {
  await using member = await startFakeMember(() => undefined);
  const controller = new AbortController();
  const running = validateIpc(member.path, { signal: controller.signal });
  controller.abort(new Error("interrupted"));
  await rejects(running, /interrupted/);
});

Deno.test("validateIpc() takes a deadline longer than a timer", async () => {
  await using member = await startFakeMember(goodScript);
  const forever = { deadlineMs: 1e12, replyTimeoutMs: 1e12, connectTimeoutMs: 1e12 };
  equal((await validateIpc(member.path, forever)).compliant, true);
  await rejects(validateIpc(member.path, { deadlineMs: 0 }), /must be positive/);
});
