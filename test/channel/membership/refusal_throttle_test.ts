import assert from "node:assert/strict";
import {
  REFUSAL_WINDOW_MS,
  REFUSALS_MAX,
  RefusalThrottle,
  THROTTLE_MS,
  THROTTLED_PEERS_MAX,
} from "../../../src/channel/mod.ts";

Deno.test("RefusalThrottle begins with the last of so many refusals, and ends by itself", () => {
  const throttle = new RefusalThrottle();
  for (let i = 1; i < REFUSALS_MAX; i++) assert.ok(!throttle.onRefused(1n, i));
  assert.ok(!throttle.isThrottled(1n, 20));
  assert.ok(throttle.onRefused(1n, 20));
  assert.ok(throttle.isThrottled(1n, 20 + THROTTLE_MS - 1));
  assert.ok(!throttle.isThrottled(1n, 20 + THROTTLE_MS));
  assert.ok(!throttle.isThrottled(2n, 20));
});

Deno.test("RefusalThrottle forgets refusals after the window, and when one was accepted", () => {
  const throttle = new RefusalThrottle();
  for (let i = 1; i < REFUSALS_MAX; i++) throttle.onRefused(1n, 0);
  assert.ok(!throttle.onRefused(1n, REFUSAL_WINDOW_MS));
  for (let i = 2; i < REFUSALS_MAX; i++) throttle.onRefused(1n, REFUSAL_WINDOW_MS);
  throttle.onAccepted(1n);
  assert.ok(!throttle.onRefused(1n, REFUSAL_WINDOW_MS));
  throttle.sweep(REFUSAL_WINDOW_MS * 2);
  assert.equal(throttle.size, 0);
});

Deno.test("RefusalThrottle remembers a bounded number of peers", () => {
  const throttle = new RefusalThrottle();
  for (let i = 0; i < THROTTLED_PEERS_MAX + 10; i++) throttle.onRefused(BigInt(i), 0);
  assert.equal(throttle.size, THROTTLED_PEERS_MAX);
});
