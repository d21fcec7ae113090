/** Ten thousand calls at a time between two nodes over real sockets: none is lost, memory stays bounded. */
import assert from "node:assert/strict";
import { pause } from "../../../src/base/mod.ts";
import { RpcError, type ServeOptions } from "../../../src/rpc/mod.ts";
import { type CallingNode, startCallNode } from "../../interop/call_node.ts";
import { until } from "../capabilities/capability_kit.ts";

const CALLS = 10_000;
const HANDLER_MS = 1_000;
const RUNNING_MAX = 4_096;
const BODY = new Uint8Array(64).fill(7);
/** Both nodes, their calls, and twice what was seen of what the engine has not collected yet: 25 KB per call. */
const MEMORY_BYTES_MAX = 250_000_000;

interface Pair extends AsyncDisposable {
  readonly server: CallingNode;
  readonly caller: CallingNode;
  /** Handlers that ran, and the most at a time. */
  readonly runs: { all: number; most: number };
}

async function startPair(options?: ServeOptions): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startCallNode());
  const caller = stack.use(await startCallNode({ join: server }));
  await until("a session", () => {
    const { transport } = caller.capable.mesh;
    return transport.connectedPeers().includes(server.nodeId);
  });
  const runs = { all: 0, most: 0 };
  let running = 0;
  server.rpc.serve("sleep", async (body) => {
    runs.all += 1;
    running += 1;
    runs.most = Math.max(runs.most, running);
    await pause(HANDLER_MS);
    running -= 1;
    return body;
  }, options);
  await caller.rpc.call("sleep", BODY, { target: server.nodeId });
  runs.all = runs.most = 0;
  const owned = stack.move();
  return { server, caller, runs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The most memory beyond what there was before, while something goes on. */
async function memoryOf(work: () => Promise<void>): Promise<number> {
  const before = Deno.memoryUsage().rss;
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, Deno.memoryUsage().rss - before), 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most;
}

function assertIdle({ server, caller }: Pair): void {
  assert.equal(caller.counters().net_rpc_calls_pending, 0);
  assert.equal(server.counters().net_rpc_handlers_running, 0);
  assert.equal(server.counters().net_rpc_held_bytes, 0);
  assert.equal(server.counters().net_rpc_responses_dropped_total, 0);
}

Deno.test("of 10,000 calls at once each is answered, or told when to try again", async () => {
  await using pair = await startPair({ runningMax: RUNNING_MAX });
  const { server, caller, runs } = pair;
  const ends: PromiseSettledResult<Uint8Array>[] = [];
  const bytes = await memoryOf(async () => {
    const calls = Array.from(
      { length: CALLS },
      () => caller.rpc.call("sleep", BODY, { target: server.nodeId, timeoutMs: 60_000 }),
    );
    ends.push(...await Promise.allSettled(calls));
  });
  const answers = ends.flatMap((end) => end.status === "fulfilled" ? [end.value] : []);
  for (const answer of answers) assert.deepEqual(answer, BODY);
  let refused = 0;
  for (const end of ends) {
    if (end.status === "fulfilled") continue;
    const { reason } = end;
    assert.ok(reason instanceof RpcError && reason.kind === "backpressure", String(reason));
    assert.ok((reason.retryAfterMs ?? 0) > 0);
    refused += 1;
  }
  assert.equal(answers.length + refused, CALLS);
  assert.equal(runs.all, answers.length);
  assert.ok(answers.length >= RUNNING_MAX && refused > 0);
  assert.equal(runs.most, RUNNING_MAX);
  assert.equal(server.counters().net_rpc_requests_overloaded_total, refused);
  assert.ok(bytes < MEMORY_BYTES_MAX, `${bytes} bytes`);
  assertIdle(pair);
});

Deno.test("10,000 calls that mind the server's hint all succeed, each handler once", async () => {
  await using pair = await startPair({ runningMax: RUNNING_MAX });
  const { server, caller, runs } = pair;
  const bytes = await memoryOf(async () => {
    const retry = { attempts: 50 };
    const target = server.nodeId;
    const answers = await Promise.all(Array.from(
      { length: CALLS },
      () => caller.rpc.call("sleep", BODY, { target, timeoutMs: 60_000, retry }),
    ));
    for (const answer of answers) assert.deepEqual(answer, BODY);
  });
  assert.equal(runs.all, CALLS);
  assert.equal(runs.most, RUNNING_MAX);
  assert.ok(bytes < MEMORY_BYTES_MAX, `${bytes} bytes`);
  assertIdle(pair);
});

Deno.test("10,000 calls at once are all taken where the service says nothing of a limit", async () => {
  await using pair = await startPair();
  const { server, caller, runs } = pair;
  const startMs = performance.now();
  const bytes = await memoryOf(async () => {
    const options = { target: server.nodeId, timeoutMs: 60_000 };
    const calls = Array.from({ length: CALLS }, () => caller.rpc.call("sleep", BODY, options));
    for (const answer of await Promise.all(calls)) assert.deepEqual(answer, BODY);
  });
  assert.equal(runs.all, CALLS);
  assert.ok(performance.now() - startMs < 10 * HANDLER_MS);
  assert.ok(bytes < MEMORY_BYTES_MAX, `${bytes} bytes`);
  assertIdle(pair);
});
