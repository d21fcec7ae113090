import assert from "node:assert/strict";
import { retry, type RetryLimits, type RetryOptions, RpcError } from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { broken, busy, internal, Settled } from "./service_kit.ts";

/** Attempts that all fail, and when they began. */
function failing(
  errors: readonly unknown[],
  options: RetryOptions = {},
  limits: RetryLimits = {},
  random = () => 0.5,
) {
  const clock = new ManualClock();
  const startMs = clock.now();
  const at: number[] = [];
  const attempt = (number: number) => {
    at.push(clock.now() - startMs);
    return Promise.reject(errors[Math.min(number, errors.length - 1)]);
  };
  const result = new Settled(retry(attempt, options, { clock, random }, limits));
  return { clock, at, result };
}

Deno.test("retry() makes 3 attempts with pauses of 50 and 100 ms, shortened by chance", async () => {
  for (const [random, pauses] of [[0, [25, 50]], [0.5, [37.5, 75]]] as const) {
    const { clock, at, result } = failing([internal()], {}, {}, () => random);
    await clock.advance(10_000);
    assert.deepEqual(at, [0, pauses[0], pauses[0] + pauses[1]]);
    assert.equal(result.kind, "server_error");
  }
});

Deno.test("retry() doubles the pause up to one second", async () => {
  const { clock, at } = failing([internal()], { attempts: 8, hasJitter: false });
  await clock.advance(60_000);
  const pauses = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
  assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
});

Deno.test("retry() makes another attempt only for what may pass", async () => {
  const status = (status: number) => new RpcError("server_error", "x", { status });
  const worth = [new RpcError("timeout", "x"), broken(), status(6), status(4), status(3), busy()];
  const not = [
    ...[1, 2, 5, 7, 8, 9, 0x8000, 0x8001].map(status),
    ...([
      "no_route",
      "codec_encode",
      "codec_decode",
      "capability_denied",
      "cancelled",
      "breaker_open",
      "too_large",
    ] as const).map((kind) => new RpcError(kind, "x")),
    new Error("x"),
  ];
  for (const [errors, count] of [[worth, 3], [not, 1]] as const) {
    for (const error of errors) {
      const { clock, at, result } = failing([error]);
      await clock.advance(10_000);
      assert.equal(at.length, count, String(error));
      assert.equal(result.error, error);
    }
  }
});

Deno.test("retry() takes another test of what is worth it (promise 63)", async () => {
  const isOdd = (error: unknown) => error === "odd";
  const { clock, at } = failing(["odd", "even"], { isRetryable: isOdd });
  await clock.advance(10_000);
  assert.equal(at.length, 2);
});

Deno.test("retry() waits as long as the server asks for", async () => {
  const { clock, at } = failing([busy(400)], { attempts: 2 });
  await clock.advance(10_000);
  assert.deepEqual(at, [0, 400]);
  const endless = failing([busy(0xffff_ffff)], { attempts: 2 });
  await endless.clock.advance(30_000);
  assert.deepEqual(endless.at, [0, 30_000]);
});

Deno.test("retry() gives the last failure at once when the pause would pass the deadline", async () => {
  const clock = new ManualClock();
  const { at, result } = failing([busy(400)], {}, { deadlineMs: clock.now() + 400 });
  await clock.advance(0);
  assert.deepEqual(at, [0]);
  assert.equal(result.kind, "backpressure");
});

Deno.test("retry() ends between two attempts when the caller gives up", async () => {
  const aborter = new AbortController();
  const { clock, at, result } = failing([internal()], {}, { signal: aborter.signal });
  await clock.advance(10);
  aborter.abort();
  await clock.advance(10_000);
  assert.equal(result.kind, "cancelled");
  assert.equal(at.length, 1);
});

Deno.test("retry() refuses counts that make no sense", async () => {
  for (const attempts of [0, 1.5, 101, NaN]) {
    const { clock, result } = failing([internal()], { attempts });
    await clock.advance(0);
    assert.ok(result.error instanceof RangeError);
  }
});
