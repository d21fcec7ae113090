import assert from "node:assert/strict";
import { hedge, type HedgeOptions, RpcError } from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { Settled } from "./service_kit.ts";

interface Run {
  readonly target: bigint;
  readonly at: number;
  readonly signal: AbortSignal;
  readonly answer: PromiseWithResolvers<string>;
}

function hedged(targets: readonly bigint[], options: HedgeOptions = {}, signal?: AbortSignal) {
  const clock = new ManualClock();
  const startMs = clock.now();
  const runs: Run[] = [];
  const attempt = (target: bigint, own: AbortSignal) => {
    const answer = Promise.withResolvers<string>();
    runs.push({ target, at: clock.now() - startMs, signal: own, answer });
    return answer.promise;
  };
  const result = new Settled(hedge(targets, attempt, options, clock, signal));
  return { clock, runs, result };
}

Deno.test("hedge() asks one more target after 50 ms", async () => {
  const { clock, runs } = hedged([1n, 2n, 3n]);
  await clock.advance(10_000);
  assert.deepEqual(runs.map(({ target, at }) => [target, at]), [[1n, 0], [2n, 50]]);
});

Deno.test("hedge() starts attempt i at i times the delay", async () => {
  const { clock, runs } = hedged([1n, 2n, 3n, 4n], { hedges: 3, delayMs: 20 });
  await clock.advance(10);
  runs[0]?.answer.reject(new RpcError("timeout", "first"));
  await clock.advance(10_000);
  assert.deepEqual(runs.map(({ at }) => at), [0, 20, 40, 60]);
});

Deno.test("hedge() gives the first good answer and aborts the others", async () => {
  const { clock, runs, result } = hedged([1n, 2n, 3n], { hedges: 2 });
  await clock.advance(60);
  runs[0]?.answer.reject(new RpcError("transport", "first"));
  runs[1]?.answer.resolve("second");
  await clock.advance(10_000);
  assert.equal(result.value, "second");
  assert.equal(runs.length, 2);
  assert.equal(runs[0]?.signal.aborted, true);
});

Deno.test("hedge() aborts losers that still run", async () => {
  const { clock, runs, result } = hedged([1n, 2n], { delayMs: 0 });
  runs[1]?.answer.resolve("second");
  await clock.advance(0);
  assert.equal(result.value, "second");
  assert.equal(runs[0]?.signal.aborted, true);
});

Deno.test("hedge() gives the error of the first target when all fail", async () => {
  const { clock, runs, result } = hedged([1n, 2n], { delayMs: 0 });
  runs[1]?.answer.reject(new RpcError("transport", "second"));
  await clock.advance(0);
  assert.equal(result.count, 0);
  runs[0]?.answer.reject(new RpcError("timeout", "first"));
  await clock.advance(0);
  assert.equal(result.kind, "timeout");
});

Deno.test("hedge() asks no target twice (promise 64)", async () => {
  const { clock, runs } = hedged([1n, 1n, 2n, 1n], { hedges: 3 });
  await clock.advance(10_000);
  assert.deepEqual(runs.map(({ target }) => target), [1n, 2n]);
});

Deno.test("hedge() refuses an empty list, and counts that make no sense", async () => {
  const { clock, result, runs } = hedged([]);
  await clock.advance(0);
  assert.equal(result.kind, "no_route");
  assert.equal(runs.length, 0);
  for (const hedges of [-1, 16, 0.5]) {
    assert.throws(() => hedged([1n], { hedges }), RangeError);
  }
});

Deno.test("hedge() ends all attempts when the caller gives up", async () => {
  const aborter = new AbortController();
  const { clock, runs, result } = hedged([1n, 2n], { delayMs: 0 }, aborter.signal);
  aborter.abort();
  await clock.advance(0);
  assert.equal(result.kind, "cancelled");
  assert.ok(runs.every(({ signal }) => signal.aborted));
  const late = hedged([1n], {}, aborter.signal);
  await late.clock.advance(0);
  assert.equal(late.result.kind, "cancelled");
  assert.equal(late.runs.length, 0);
});
