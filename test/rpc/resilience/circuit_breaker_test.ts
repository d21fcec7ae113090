import assert from "node:assert/strict";
import { CircuitBreaker, type CircuitBreakerOptions, RpcError } from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { internal, Settled } from "./service_kit.ts";

function createBreaker(options: CircuitBreakerOptions = {}) {
  const clock = new ManualClock();
  const breaker = new CircuitBreaker(clock, options);
  const fail = (error: unknown = internal()) => breaker.run(() => Promise.reject(error));
  const failTimes = async (count: number) => {
    for (let index = 0; index < count; index++) await fail().catch(() => {});
  };
  const succeed = () => breaker.run(() => Promise.resolve("well"));
  return { clock, breaker, fail, failTimes, succeed };
}

Deno.test("CircuitBreaker opens after 5 failures in a row", async () => {
  const { breaker, failTimes, succeed } = createBreaker();
  await failTimes(4);
  assert.equal(breaker.state, "closed");
  await succeed();
  await failTimes(4);
  assert.equal(breaker.state, "closed");
  await failTimes(1);
  assert.equal(breaker.state, "open");
});

Deno.test("CircuitBreaker counts only what the retry predicate takes for a failure", async () => {
  const { breaker, fail } = createBreaker({ failures: 1 });
  for (const kind of ["cancelled", "capability_denied", "no_route", "codec_encode"] as const) {
    await fail(new RpcError(kind, "x")).catch(() => {});
  }
  await fail(new RpcError("server_error", "x", { status: 1 })).catch(() => {});
  assert.equal(breaker.state, "closed");
  await fail(new RpcError("timeout", "x")).catch(() => {});
  assert.equal(breaker.state, "open");
});

Deno.test("CircuitBreaker refuses with breaker_open and the time left while it is open", async () => {
  const { clock, breaker, failTimes } = createBreaker();
  await failTimes(5);
  await clock.advance(10_000);
  let calls = 0;
  const result = new Settled(breaker.run(() => {
    calls += 1;
    return Promise.resolve();
  }));
  await clock.advance(0);
  assert.equal(result.kind, "breaker_open");
  assert.equal((result.error as RpcError).retryAfterMs, 20_000);
  assert.equal(calls, 0);
  assert.deepEqual(breaker.counters, { refused: 1, opened: 1 });
});

Deno.test("CircuitBreaker lets one probe through after 30 s, and closes when it goes well", async () => {
  const { clock, breaker, failTimes, succeed } = createBreaker();
  await failTimes(5);
  await clock.advance(30_000);
  assert.equal(breaker.state, "half_open");
  const answer = Promise.withResolvers<string>();
  const probe = new Settled(breaker.run(() => answer.promise));
  const other = new Settled(succeed());
  await clock.advance(0);
  assert.equal(other.kind, "breaker_open");
  answer.resolve("well");
  await clock.advance(0);
  assert.equal(probe.value, "well");
  assert.equal(breaker.state, "closed");
  assert.equal(await succeed(), "well");
});

Deno.test("CircuitBreaker opens again when the probe fails, is dropped or never ends", async () => {
  for (const error of [internal(), new RpcError("cancelled", "dropped")]) {
    const { clock, breaker, fail, failTimes } = createBreaker();
    await failTimes(5);
    await clock.advance(30_000);
    await fail(error).catch(() => {});
    assert.equal(breaker.state, "open");
    assert.equal(breaker.openMsLeft, 30_000);
  }
  const { clock, breaker, failTimes, succeed } = createBreaker();
  await failTimes(5);
  await clock.advance(30_000);
  const answer = Promise.withResolvers<string>();
  const lost = new Settled(breaker.run(() => answer.promise));
  await clock.advance(30_000);
  assert.equal(await succeed(), "well");
  assert.equal(breaker.state, "closed");
  answer.reject(internal());
  await clock.advance(0);
  assert.equal(lost.count, 1);
  assert.equal(breaker.state, "closed");
});

Deno.test("CircuitBreaker closes after as many good probes as it is told", async () => {
  const { clock, breaker, failTimes, succeed } = createBreaker({ successes: 2 });
  await failTimes(5);
  await clock.advance(30_000);
  await succeed();
  assert.equal(breaker.state, "half_open");
  await succeed();
  assert.equal(breaker.state, "closed");
});

Deno.test("CircuitBreaker does not hear what began before it opened", async () => {
  const { clock, breaker, failTimes } = createBreaker({ failures: 2 });
  const answer = Promise.withResolvers<string>();
  const early = new Settled(breaker.run(() => answer.promise));
  await failTimes(2);
  answer.resolve("late");
  await clock.advance(0);
  assert.equal(early.value, "late");
  assert.equal(breaker.state, "open");
});

Deno.test("CircuitBreaker refuses counts that make no sense", () => {
  for (const options of [{ failures: 0 }, { successes: 0 }, { failures: 1.5 }]) {
    assert.throws(() => createBreaker(options), RangeError);
  }
});
