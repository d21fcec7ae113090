import assert from "node:assert/strict";
import { ReceiveFailures } from "../../../../src/core/transport/socket/receive_failures.ts";

/** Fails so often; the pauses in between, and whether it was given up. */
async function fail(failures: ReceiveFailures, times: number): Promise<boolean> {
  let isWorthIt = true;
  for (let i = 0; i < times && isWorthIt; i++) isWorthIt = await failures.onFailure();
  return isWorthIt;
}

Deno.test("ReceiveFailures.onFailure() tries again at once, then waits longer, then gives up", async () => {
  const waits: number[] = [];
  const failures = new ReceiveFailures((ms) => {
    waits.push(ms);
    return Promise.resolve();
  });
  assert.ok(await fail(failures, 16));
  assert.deepEqual(waits, []);
  assert.ok(await fail(failures, 12));
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000, 1_000]);
  assert.ok(!await fail(failures, 1_000));
  const total = waits.reduce((sum, ms) => sum + ms, 0);
  assert.ok(total > 20_000 && total < 60_000, `${total} ms in all`);
});

Deno.test("ReceiveFailures.onReceived() begins anew", async () => {
  const waits: number[] = [];
  const failures = new ReceiveFailures((ms) => {
    waits.push(ms);
    return Promise.resolve();
  });
  for (let i = 0; i < 100; i++) {
    assert.ok(await fail(failures, 16));
    failures.onReceived();
  }
  assert.deepEqual(waits, []);
});

Deno.test("ReceiveFailures.stop() ends a pause", async () => {
  const failures = new ReceiveFailures();
  const ended = fail(failures, 28);
  // The pauses are timers of a real clock: stopping over and over ends each as it begins.
  let isEnded = false;
  void ended.then(() => isEnded = true);
  while (!isEnded) {
    failures.stop();
    await Promise.resolve();
  }
  assert.ok(await ended);
});
