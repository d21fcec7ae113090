/** net rpc serve with real commands, over the node's real methods and calls that stay in this process. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/base/mod.ts";
import { RpcError } from "../../src/rpc/mod.ts";
import { makeRpcNode } from "../control/node/_rpc_node.ts";
import { ProcessExit, runInMemory, type RunResult } from "./_harness.ts";

const text = (body: Uint8Array | undefined) => new TextDecoder().decode(body);
const ENV = { PATH: Deno.env.get("PATH") ?? "" };

/** Serves while `body` runs, then stops as Ctrl-C does. */
async function serving(
  args: readonly string[],
  body: (tools: {
    readonly rpc: ReturnType<typeof makeRpcNode>["rpc"];
    readonly raise: (signal: string) => void;
  }) => Promise<void>,
): Promise<RunResult> {
  const { rpc, caller } = makeRpcNode();
  let raise: (signal: string) => void = () => {};
  const running = runInMemory(["rpc", "serve", ...args], {
    env: ENV,
    onListening: (way) => raise = way,
    doors: { connect: () => Promise.resolve(caller()) },
  });
  let early: RunResult | undefined;
  running.then((result) => early = result);
  while (rpc.services.size === 0) {
    assert.equal(early, undefined, early?.stderr);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const stop = () => {
    try {
      raise("SIGINT");
    } catch (error) {
      // A test that has raised enough of them already.
      if (!(error instanceof ProcessExit)) throw error;
    }
  };
  await body({ rpc, raise: (signal) => raise(signal) }).finally(stop);
  return await running;
}

const failure = async (promise: Promise<unknown>): Promise<RpcError> => {
  const error = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error instanceof RpcError, String(error));
  return error;
};

Deno.test("net rpc serve answers a call with what the command prints", async () => {
  const result = await serving(["upper", "--", "tr", "a-z", "A-Z"], async ({ rpc }) => {
    assert.equal(rpc.services.get("upper")?.options.runningMax, 16);
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) => rpc.call("upper", utf8(`hello ${i}`))),
    );
    assert.deepEqual(answers.map(text), [0, 1, 2, 3, 4].map((i) => `HELLO ${i}`));
  });
  assert.equal(result.code, 130);
  assert.match(result.stderr, /serving upper: try net rpc call upper/);
  assert.match(result.stderr, /waiting for calls that run/);
});

Deno.test("net rpc serve carries long bodies both ways, byte for byte", async () => {
  await serving(["echo", "--", "cat"], async ({ rpc }) => {
    const body = new Uint8Array(2_000_003).map((_, i) => (i * 31) ^ (i >> 7));
    assert.deepEqual(await rpc.call("echo", body), body);
  });
});

Deno.test("net rpc serve tells the command of its call", async () => {
  const script = 'printf "%s|%s|%s|%s" "$NET_RPC_CALLER" "$NET_RPC_SERVICE" ' +
    '"$NET_RPC_DEADLINE" "$NET_RPC_HEADERS"; test ${#NET_RPC_CALL_ID} = 16';
  await serving(["who", "--", "sh", "-c", script], async ({ rpc }) => {
    const headers = [{ name: "Tenant", value: utf8("acme; rm -rf /") }];
    const answer = await rpc.call("who", utf8(""), { timeoutMs: 12_345, headers });
    assert.equal(
      text(answer),
      '0000000000000abc|who|12345|{"tenant":"acme; rm -rf /"}',
    );
  });
});

Deno.test("net rpc serve answers a failed command with its exit code and its last words", async () => {
  const script = "cat >/dev/null; echo partial; echo 'no such thing' >&2; exit 3";
  const result = await serving(["fails", "--", "sh", "-c", script], async ({ rpc }) => {
    const { kind, status, message } = await failure(rpc.call("fails", utf8("x")));
    assert.deepEqual([kind, status, message], ["server_error", 0x8103, "no such thing"]);
  });
  assert.match(result.stderr, /^no such thing$/m);
  assert.match(result.stderr, /fails for 0000000000000abc: error, no such thing/);
});

Deno.test("net rpc serve --stream sends each line as an item, no faster than they are read", async () => {
  const script = 'read n; i=0; while [ $i -lt $n ]; do i=$((i+1)); echo "tick $i"; done';
  await serving(["ticks", "--stream", "--", "sh", "-c", script], async ({ rpc }) => {
    const items: string[] = [];
    for await (const item of await rpc.callStream("ticks", utf8("300\n"))) items.push(text(item));
    assert.deepEqual(items, Array.from({ length: 300 }, (_, i) => `tick ${i + 1}`));
  });
});

Deno.test("net rpc serve --upload gives the command a line per item", async () => {
  await serving(["count", "--upload", "--", "wc", "-l"], async ({ rpc }) => {
    const call = await rpc.callClientStream("count");
    for (const item of ["a", "b", "c"]) await call.send(utf8(item));
    assert.equal(text(await call.finish()).trim(), "3");
  });
  const script = 'while read -r line; do echo "<$line>"; done';
  await serving(["both", "--upload", "--stream", "--", "sh", "-c", script], async ({ rpc }) => {
    const call = await rpc.callDuplex("both");
    await call.requests.send(utf8("one"));
    assert.equal(text(await call.responses.read()), "<one>");
    await call.requests.send(utf8("two"));
    assert.equal(text(await call.responses.read()), "<two>");
    await call.requests.finish();
    assert.equal(await call.responses.read(), undefined);
  });
});

Deno.test("net rpc serve ends a command that reads no more than the beginning of an upload", async () => {
  await serving(["first", "--upload", "--", "head", "-n", "1"], async ({ rpc }) => {
    const call = await rpc.callClientStream("first");
    await call.send(utf8("one"));
    const answer = call.finish();
    assert.equal(text(await answer), "one\n");
  });
});

Deno.test("net rpc serve kills the command, and what it started, when the caller cancels", async () => {
  const folder = await Deno.makeTempDir();
  const script = `sleep 1000 & echo $! > ${folder}/pid; cat; wait`;
  const result = await serving(["slow", "--", "sh", "-c", script], async ({ rpc }) => {
    const controller = new AbortController();
    const answer = rpc.call("slow", utf8("x"), { signal: controller.signal });
    const pid = await untilFile(`${folder}/pid`);
    assert.ok(isAlive(pid));
    controller.abort();
    assert.equal((await failure(answer)).kind, "cancelled");
    while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
  });
  assert.match(result.stderr, /slow for 0000000000000abc: cancelled/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("net rpc serve waits for calls at the first Ctrl-C and ends them at the second", async () => {
  const folder = await Deno.makeTempDir();
  const script = `read x; echo $$ > ${folder}/$x; [ $x = patient ] || exec sleep 1000; echo done`;
  const patient = await serving(["wait", "--json", "--", "sh", "-c", script], async ({ rpc }) => {
    const answer = rpc.call("wait", utf8("patient\n"));
    await untilFile(`${folder}/patient`);
    assert.equal(text(await answer), "done\n");
  });
  const events = patient.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events.map(({ schema, event, outcome }) => [schema, event, outcome]), [
    ["net.rpc.serve.v1", "serving", undefined],
    ["net.rpc.serve.v1", "call", "ok"],
  ]);
  const forced = await serving(["wait", "--", "sh", "-c", script], async ({ rpc, raise }) => {
    const answer = failure(rpc.call("wait", utf8("forced\n")));
    const pid = await untilFile(`${folder}/forced`);
    raise("SIGINT");
    raise("SIGINT");
    assert.match((await answer).message, /the program that serves wait has ended/);
    while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
  });
  assert.equal(forced.code, 130);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("net rpc serve says what it can't serve", async () => {
  const { caller, rpc } = makeRpcNode();
  const run = (args: string) =>
    runInMemory(["rpc", "serve", ...args.split(" ").filter((word) => word !== "")], {
      env: ENV,
      doors: { connect: () => Promise.resolve(caller()) },
    });
  const nothing = await run("");
  assert.deepEqual([nothing.code, /there is no service/.test(nothing.stderr)], [2, true]);
  assert.equal((await run("a")).code, 2);
  const absent = await run("a -- no-such-command-here");
  assert.deepEqual([absent.code, /there is no such command/.test(absent.stderr)], [4, true]);
  assert.equal((await run("a -- /etc/passwd")).code, 5);
  assert.equal((await run("a --concurrency 0 -- cat")).code, 2);
  rpc.serve("taken", (body) => body);
  assert.equal((await run("taken -- cat")).code, 1);
  assert.equal((await runInMemory(["rpc", "serve", "a", "--", "cat"], { env: ENV })).code, 6);
});

async function untilFile(path: string): Promise<number> {
  for (;;) {
    const content = await Deno.readTextFile(path).catch(() => "");
    if (content.endsWith("\n")) return Number(content);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function isAlive(pid: number): boolean {
  try {
    // A process that has ended and was not waited for yet is a zombie.
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
