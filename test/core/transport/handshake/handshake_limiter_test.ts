import assert from "node:assert/strict";
import { HandshakeLimiter } from "../../../../src/core/transport/handshake/handshake_limiter.ts";
import {
  HANDSHAKE_SOURCES_MAX,
  HANDSHAKES_PER_SECOND,
  HANDSHAKES_PER_SOURCE_PER_SECOND,
} from "../../../../src/core/transport/limits.ts";

const SHARE = {
  perSecond: HANDSHAKES_PER_SECOND,
  perSourcePerSecond: HANDSHAKES_PER_SOURCE_PER_SECOND,
};

/** How many of `count` takes succeed. */
function take(limiter: HandshakeLimiter, host: string, count: number, now: number, cost = 1) {
  let taken = 0;
  for (let i = 0; i < count; i++) if (limiter.take(host, cost, now)) taken += 1;
  return taken;
}

Deno.test("HandshakeLimiter bounds each source and refills it", () => {
  const limiter = new HandshakeLimiter(SHARE, 0);
  const each = HANDSHAKES_PER_SOURCE_PER_SECOND;
  assert.equal(take(limiter, "a", 100, 0), each);
  assert.equal(take(limiter, "b", 100, 0), each);
  assert.equal(take(limiter, "a", 100, 500), each / 2);
});

Deno.test("HandshakeLimiter bounds all sources together, by cost", () => {
  const limiter = new HandshakeLimiter(SHARE, 0);
  let taken = 0;
  for (let i = 0; i < 100; i++) taken += take(limiter, `10.0.0.${i}`, 10, 0, 2);
  assert.equal(taken, HANDSHAKES_PER_SECOND / 2);
  assert.equal(take(limiter, "late", 10, 0), 0);
  assert.equal(take(limiter, "late", 10, 1_000), 10);
});

Deno.test("a source over its bound does not use up what others may have", () => {
  const limiter = new HandshakeLimiter(SHARE, 0);
  take(limiter, "loud", 10_000, 0);
  let taken = 0;
  for (let i = 0; i < 100; i++) taken += take(limiter, `10.0.0.${i}`, 10, 0);
  assert.equal(taken, HANDSHAKES_PER_SECOND - HANDSHAKES_PER_SOURCE_PER_SECOND);
});

Deno.test("a source does not pay when all sources together are over their bound", () => {
  const limiter = new HandshakeLimiter(SHARE, 0);
  for (let i = 0; i < 25; i++) take(limiter, `10.0.0.${i}`, 10, 0);
  assert.equal(take(limiter, "a", 50, 0), 0);
  assert.equal(take(limiter, "a", 50, 1_000), HANDSHAKES_PER_SOURCE_PER_SECOND);
});

Deno.test("HandshakeLimiter remembers a bounded number of sources, the latest ones", () => {
  const limiter = new HandshakeLimiter(SHARE, 0);
  const isOpen = (host: string) => limiter.take(host, 0, 0);
  const fill = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) take(limiter, `h${i}`, 20, 0, 0);
  };
  fill(0, HANDSHAKE_SOURCES_MAX);
  assert.ok(!isOpen("h0"));
  // One more and the older half is forgotten, so its members begin anew.
  fill(HANDSHAKE_SOURCES_MAX, 1);
  assert.ok(!isOpen(`h${HANDSHAKE_SOURCES_MAX / 2}`));
  assert.ok(!isOpen(`h${HANDSHAKE_SOURCES_MAX}`));
  assert.ok(isOpen("h0"));
  assert.ok(isOpen(`h${HANDSHAKE_SOURCES_MAX / 2 - 1}`));
});

Deno.test("HandshakeLimiter.sweep() forgets sources that may do as much as new ones", () => {
  const limiter = new HandshakeLimiter(SHARE, 0);
  take(limiter, "busy", HANDSHAKES_PER_SOURCE_PER_SECOND, 0);
  take(limiter, "calm", 1, 0);
  limiter.sweep(500);
  assert.equal(limiter.size, 1);
  assert.equal(take(limiter, "busy", 100, 500), HANDSHAKES_PER_SOURCE_PER_SECOND / 2);
  limiter.sweep(1_499);
  assert.equal(limiter.size, 1);
  limiter.sweep(1_500);
  assert.equal(limiter.size, 0);
});
