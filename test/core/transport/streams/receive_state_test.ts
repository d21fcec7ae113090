import assert from "node:assert/strict";
import fc from "fast-check";
import { RECEIVE_RUNS_MAX } from "../../../../src/core/transport/limits.ts";
import {
  type Acceptance,
  ReceiveState,
} from "../../../../src/core/transport/streams/receive_state.ts";

/** The simple reference: every packet received, in a set. */
class Model {
  readonly #seen = new Set<number>();
  readonly #horizon: number;
  consumed = 0;

  constructor(windowBytes: number) {
    this.#horizon = Math.min(Math.max(Math.floor(windowBytes / 512), 64), 16_384);
  }

  get next(): number {
    let next = 0;
    while (this.#seen.has(next)) next++;
    return next;
  }

  /** Runs above the gap, ascending. */
  get runs(): [number, number][] {
    const runs: [number, number][] = [];
    const above = [...this.#seen].filter((n) => n > this.next).sort((a, b) => a - b);
    for (const n of above) {
      const last = runs.at(-1);
      if (last?.[1] === n) last[1] = n + 1;
      else runs.push([n, n + 1]);
    }
    return runs;
  }

  accept(sequence: number, bytes: number): Acceptance {
    if (this.#seen.has(sequence)) return "duplicate";
    if (sequence - this.next > this.#horizon) return "out_of_horizon";
    const isAdjacent = this.#seen.has(sequence - 1) || this.#seen.has(sequence + 1);
    if (sequence !== this.next && !isAdjacent && this.runs.length >= RECEIVE_RUNS_MAX) {
      return "too_many_runs";
    }
    this.#seen.add(sequence);
    this.consumed += bytes;
    return "accepted";
  }

  has(sequence: number): boolean {
    return this.#seen.has(sequence);
  }

  /** `wire.md` 7.5, word by word. */
  missing(): bigint | undefined {
    const highest = Math.max(-1, ...this.#seen);
    const next = this.next;
    if (highest < next) return undefined;
    let bitmap = 0n;
    for (let i = 0; i < 64; i++) {
      const sequence = next + 1 + i;
      if (!this.#seen.has(sequence) && sequence <= highest) bitmap |= 1n << BigInt(i);
    }
    return bitmap;
  }
}

function checkSame(state: ReceiveState, model: Model): void {
  assert.equal(state.nextExpected, model.next);
  assert.equal(state.totalConsumed, model.consumed);
  const runs = model.runs;
  assert.equal(state.hasGap, runs.length > 0);
  assert.deepEqual(state.ranges(16), runs.toReversed().slice(0, 16));
  const missing = state.missing();
  const bitmap = missing && (BigInt(missing.bitmapHigh) << 32n | BigInt(missing.bitmapLow));
  assert.equal(bitmap, model.missing());
  if (missing !== undefined) assert.equal(missing.nextExpected, model.next);
}

function run(windowBytes: number, sequences: readonly number[]): void {
  const state = new ReceiveState({ isReliable: true, windowBytes });
  const model = new Model(windowBytes);
  for (const [i, sequence] of sequences.entries()) {
    const bytes = 84 + i;
    const expected = model.accept(sequence, bytes);
    assert.equal(state.accept(sequence, bytes), expected, `packet ${sequence} as number ${i}`);
    assert.ok(state.has(sequence) === model.has(sequence));
    checkSame(state, model);
  }
}

Deno.test("ReceiveState behaves like a set of packets, close together", () => {
  fc.assert(fc.property(fc.array(fc.nat(30), { maxLength: 80 }), (list) => run(65_536, list)));
});

Deno.test("ReceiveState behaves like a set of packets, wide apart", () => {
  const sequences = fc.array(fc.nat(200), { maxLength: 150, size: "max" });
  fc.assert(
    fc.property(fc.constantFrom(0, 65_536, 100_000), sequences, (window, list) => {
      run(window, list);
    }),
    { numRuns: 60 },
  );
});

Deno.test("ReceiveState takes every order of the same packets", () => {
  const order = fc.shuffledSubarray(Array.from({ length: 60 }, (_, i) => i), { minLength: 60 });
  fc.assert(fc.property(order, (list) => {
    const state = new ReceiveState({ isReliable: true });
    for (const sequence of list) {
      const verdict = state.accept(sequence, 100);
      assert.ok(verdict === "accepted" || verdict === "too_many_runs");
    }
    for (const sequence of list) state.accept(sequence, 100);
    assert.equal(state.nextExpected, 60);
    assert.equal(state.totalConsumed, 6_000);
    assert.equal(state.missing(), undefined);
  }));
});

Deno.test("ReceiveState takes 128 ahead in the default window and not 129", () => {
  const state = new ReceiveState({ isReliable: true });
  assert.equal(state.accept(129, 84), "out_of_horizon");
  assert.equal(state.accept(128, 84), "accepted");
  assert.equal(state.accept(Infinity, 84), "out_of_horizon");
  assert.equal(state.totalConsumed, 84);
  // Everything in sight is missing.
  assert.deepEqual(state.missing(), {
    nextExpected: 0,
    bitmapLow: 0xffffffff,
    bitmapHigh: 0xffffffff,
  });
});

Deno.test("ReceiveState keeps 32 runs and refuses one more", () => {
  const state = new ReceiveState({ isReliable: true });
  for (let i = 0; i < RECEIVE_RUNS_MAX; i++) assert.equal(state.accept(2 + 2 * i, 1), "accepted");
  assert.equal(state.accept(2 + 2 * RECEIVE_RUNS_MAX, 1), "too_many_runs");
  // What joins two runs, lengthens one or fills the gap is still taken.
  assert.equal(state.accept(3, 1), "accepted");
  assert.equal(state.accept(2 + 2 * RECEIVE_RUNS_MAX, 1), "accepted");
  assert.equal(state.accept(0, 1), "accepted");
  assert.equal(state.accept(1, 1), "accepted");
  assert.equal(state.nextExpected, 5);
  assert.equal(state.ranges(3).length, 3);
});

Deno.test("an unreliable ReceiveState counts bytes and nothing else", () => {
  const state = new ReceiveState({ isReliable: false });
  for (const sequence of [5, 5, 0, 1e9]) assert.equal(state.accept(sequence, 10), "accepted");
  assert.equal(state.totalConsumed, 40);
  assert.equal(state.nextExpected, 0);
  assert.ok(!state.hasGap);
  assert.equal(state.missing(), undefined);
});
