import assert from "node:assert/strict";
import fc from "fast-check";
import {
  REPLAY_WINDOW_ENTRIES,
  ReplayWindow,
  ReplayWindows,
} from "../../../src/core/crypto/mod.ts";
import { highHalf, lowHalf } from "../../../src/base/mod.ts";

const COUNTER_MAX = 2n ** 64n - 1n;

/** The rule of the specification, word for word, over plain numbers of any size. */
class ReferenceWindow {
  #top = 0n;
  readonly #seen = new Set<bigint>();

  accept(counter: bigint): boolean {
    if (counter === COUNTER_MAX) return false;
    if (counter < this.#top) {
      const age = this.#top - 1n - counter;
      if (age >= BigInt(REPLAY_WINDOW_ENTRIES) || this.#seen.has(counter)) return false;
    } else {
      this.#top = counter + 1n;
    }
    this.#seen.add(counter);
    return true;
  }
}

function compare(counters: readonly bigint[]): void {
  const window = new ReplayWindow();
  const reference = new ReferenceWindow();
  for (const [i, counter] of counters.entries()) {
    const [low, high] = [lowHalf(counter), highHalf(counter)];
    const checked = window.check(low, high);
    const accepted = window.accept(low, high);
    assert.equal(accepted, reference.accept(counter), `counter ${counter} at ${i}`);
    assert.equal(checked, accepted, `check of ${counter} at ${i}`);
    assert.ok(!window.check(low, high));
  }
}

Deno.test("ReplayWindow agrees with the rule near any starting point", () => {
  const start = fc.constantFrom(
    0n,
    5000n,
    2n ** 31n,
    2n ** 32n - 1100n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n - 500n,
    2n ** 64n - 3000n,
  );
  const offsets = fc.array(fc.oneof(fc.nat(3000), fc.nat(70), fc.nat(1100)), { maxLength: 300 });
  fc.assert(
    fc.property(start, offsets, (base, list) => {
      compare(list.map((offset) => base + BigInt(offset)).filter((c) => c <= COUNTER_MAX));
    }),
    { numRuns: 200 },
  );
});

Deno.test("ReplayWindow agrees with the rule on arbitrary counters", () => {
  const counter = fc.oneof(
    fc.bigInt({ min: 0n, max: COUNTER_MAX }),
    fc.constantFrom(0n, 1n, 1023n, 1024n, 2n ** 32n - 1n, 2n ** 32n, COUNTER_MAX - 1n, COUNTER_MAX),
  );
  fc.assert(fc.property(fc.array(counter, { maxLength: 100 }), compare));
});

Deno.test("ReplayWindow agrees with the rule on steps forward and back", () => {
  const steps = fc.array(
    fc.oneof(fc.constant(1), fc.integer({ min: -1030, max: 1030 }), fc.nat(33)),
    { maxLength: 500, size: "max" },
  );
  fc.assert(fc.property(steps, (list) => {
    let counter = 2n ** 32n - 600n;
    compare(list.map((step) => counter += BigInt(step)));
  }));
});

Deno.test("ReplayWindow accepts every counter of a long run exactly once", () => {
  const window = new ReplayWindow();
  for (let i = 0; i < 5000; i++) assert.ok(window.accept(i, 7));
  for (let i = 0; i < 5000; i++) assert.ok(!window.accept(i, 7));
});

Deno.test("ReplayWindow never accepts the highest counter and keeps working after it", () => {
  const window = new ReplayWindow();
  assert.ok(!window.accept(0xffffffff, 0xffffffff));
  assert.ok(window.accept(0xfffffffe, 0xffffffff));
  assert.ok(!window.accept(0xfffffffe, 0xffffffff));
  assert.ok(!window.accept(0xffffffff, 0xffffffff));
  assert.ok(window.accept(0xfffffffd, 0xffffffff));
});

Deno.test("ReplayWindows gives out windows of their own, and fresh ones where others were", () => {
  const windows = new ReplayWindows();
  const taken = Array.from({ length: 100 }, () => windows.take());
  for (const [number, window] of taken.entries()) assert.ok(window.accept(number, number));
  for (const [number, window] of taken.entries()) {
    assert.ok(!window.accept(number, number) && window.isNewest(number, number));
  }
  for (const window of taken.slice(10, 20)) windows.release(window);
  for (let i = 0; i < 10; i++) {
    const again = windows.take();
    assert.ok(taken.includes(again));
    assert.ok(again.accept(0, 0) && !again.accept(0, 0));
  }
  assert.ok(!taken.includes(windows.take()));
  assert.ok(!taken[9]?.accept(9, 9), "the others know what they knew");
});
