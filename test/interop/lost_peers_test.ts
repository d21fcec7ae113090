/** What becomes of calls when the process at their other end dies, or stops as it should. */
import assert from "node:assert/strict";
import { RpcError } from "../../src/rpc/mod.ts";
import { until } from "../services/capabilities/capability_kit.ts";
import { startCallNode } from "./call_node.ts";
import { startLineProcess } from "./line_process.ts";
import { callEndless, infoOf, type OwnCallOperations, serveEndless } from "./own_call_process.ts";

/** That of the nodes here. */
const SESSION_TIMEOUT_MS = 1_000;
/** At once, with room for a machine that is busy. */
const AT_ONCE_MS = 500;

const startOther = () =>
  startLineProcess<OwnCallOperations>(new URL("./own_call_process.ts", import.meta.url), {
    name: "other node",
  });

async function kindsOf(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((outcome) => {
    if (outcome.status === "fulfilled") return "answer";
    if (!(outcome.reason instanceof RpcError)) throw outcome.reason;
    return outcome.reason.kind;
  });
}

for (const isKilled of [true, false]) {
  const how = isKilled ? "is killed" : "stops";
  const limitMs = isKilled ? 2 * SESSION_TIMEOUT_MS : AT_ONCE_MS;

  Deno.test(`a server that ${how} in mid-call leaves its callers a typed error in time`, async () => {
    await using server = startOther();
    const info = await server.call("start", {});
    await server.call("serve", {});
    await using node = await startCallNode();
    await node.connect({ ...info, node: 0, entityId: new Uint8Array(32) });
    const calls = await callEndless(node, info.nodeId);
    const startMs = performance.now();
    if (isKilled) server.kill();
    else await server.call("stop", {});
    const kinds = await kindsOf(calls);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < limitMs, `it took ${tookMs} ms`);
    for (const kind of kinds) {
      assert.match(kind, isKilled ? /^transport$/ : /^(transport|cancelled)$/);
    }
    assert.equal(node.rpc.client.counters.pending, 0);
  });

  Deno.test(`a caller that ${how} in mid-call has its handlers cancelled in time`, async () => {
    await using node = await startCallNode();
    const ended: string[] = [];
    serveEndless(node, (shape) => ended.push(shape));
    await using caller = startOther();
    await caller.call("start", {});
    await caller.call("connect", infoOf(node));
    await caller.call("call", { peer: node.nodeId });
    assert.deepEqual(ended, []);
    const startMs = performance.now();
    if (isKilled) caller.kill();
    else await caller.call("stop", {});
    await until("all handlers are told", () => ended.length === 4);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < limitMs, `it took ${tookMs} ms`);
    assert.deepEqual(ended.toSorted(), ["both", "hold", "take", "tick"]);
  });
}
