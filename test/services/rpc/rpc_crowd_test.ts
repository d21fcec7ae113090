/** Ten thousand calls at once from one caller, to a handler that only takes its time (promise N1). */
import assert from "node:assert/strict";
import { type CallOptions, RpcError, type ServeOptions, Status } from "../../../src/rpc/mod.ts";
import { RpcKit } from "./rpc_kit.ts";

const CALLS = 10_000;

/** How calls ended, and what the server was left with. */
interface Crowd {
  readonly answered: number;
  readonly refused: readonly RpcError[];
  readonly counters: Readonly<Record<string, number>>;
  readonly runs: number;
}

async function crowd(
  bytes: number,
  serve: ServeOptions = {},
  options: CallOptions = {},
): Promise<Crowd> {
  using kit = new RpcKit();
  const [caller, server] = [await kit.node(1), await kit.node(2)];
  await kit.connect(caller, server);
  const ran = new Set<bigint>();
  server.rpc.serve("sleep", (body, { callId }) => {
    assert.ok(!ran.has(callId), "a handler ran twice");
    ran.add(callId);
    return new Promise((resolve) => void kit.clock.after(1_000, () => resolve(body)));
  }, serve);
  const calls = Array.from(
    { length: CALLS },
    () => caller.rpc.call("sleep", new Uint8Array(bytes), options),
  );
  const settled = await kit.settled(Promise.allSettled(calls));
  const refused = settled.filter((outcome) => outcome.status === "rejected")
    .map(({ reason }) => reason as RpcError);
  const answered =
    settled.filter((outcome) => outcome.status === "fulfilled" && outcome.value.length === bytes)
      .length;
  return { answered, refused, counters: server.rpcCounters(), runs: ran.size };
}

for (const bytes of [64, 8_000, 20_000]) {
  Deno.test(`RpcService answers ${CALLS} calls at once of ${bytes} bytes`, async () => {
    const { answered, counters, runs } = await crowd(bytes);
    assert.deepEqual([answered, runs], [CALLS, CALLS]);
    assert.equal(counters.net_rpc_handlers_running, 0);
    assert.equal(counters.net_rpc_held_bytes, 0);
    assert.equal(counters.net_rpc_responses_dropped_total, 0);
    assert.equal(counters.net_rpc_link_joining_bytes, 0);
  });
}

Deno.test("RpcService refuses what is too much with a typed error and a hint", async () => {
  const { answered, refused, counters, runs } = await crowd(64, { runningMax: 1_000 });
  assert.equal(answered + refused.length, CALLS);
  assert.deepEqual([answered, runs], [1_000, 1_000]);
  for (const error of refused) {
    assert.ok(error instanceof RpcError);
    assert.deepEqual([error.kind, error.status], ["backpressure", Status.backpressure]);
    assert.ok((error.retryAfterMs ?? 0) > 0);
  }
  assert.equal(counters.net_rpc_requests_overloaded_total, 9_000);
});

Deno.test("RpcService answers all of them to a caller that tries again", async () => {
  const retry = { attempts: 20 };
  const { answered, runs } = await crowd(64, { runningMax: 2_000 }, { retry });
  assert.deepEqual([answered, runs], [CALLS, CALLS]);
});
