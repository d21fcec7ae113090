import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeCauses,
  encodeCauses,
  horizonBits,
  mayHaveSeen,
  ObservedHorizon,
} from "../../../src/state/mod.ts";
import { anyNumber } from "./chain_samples.ts";

const anyObservations = fc.array(fc.tuple(anyNumber, anyNumber), { maxLength: 40 });

function observe(observations: readonly (readonly [bigint, bigint])[]): ObservedHorizon {
  const horizon = new ObservedHorizon();
  for (const [origin, sequence] of observations) horizon.observe(origin, sequence);
  return horizon;
}

Deno.test("ObservedHorizon keeps the highest number, and its bits name every origin", () => {
  fc.assert(fc.property(anyObservations, (observations) => {
    const horizon = observe(observations);
    const highest = new Map<bigint, bigint>();
    for (const [origin, sequence] of observations) {
      const known = highest.get(origin) ?? 0n;
      highest.set(origin, sequence > known ? sequence : known);
    }
    let bits = 0n;
    for (const [origin, sequence] of highest) {
      assert.equal(horizon.get(origin), sequence);
      assert.ok(horizon.hasObserved(origin, sequence) && horizon.hasOrigin(origin));
      assert.ok(!horizon.hasObserved(origin, sequence + 1n));
      assert.ok(mayHaveSeen(horizon.bits, origin));
      bits |= horizonBits(origin);
    }
    assert.equal(horizon.bits, bits);
    assert.equal(horizon.size, highest.size);
  }));
});

Deno.test("ObservedHorizon counts advances, and a merge as one more than both", () => {
  const horizon = observe([[1n, 5n], [1n, 4n], [1n, 6n], [2n, 0n]]);
  assert.equal(horizon.logicalTime, 2n);
  horizon.merge(observe([[3n, 1n], [3n, 2n], [3n, 3n], [1n, 1n]]));
  assert.equal(horizon.logicalTime, 5n);
  assert.deepEqual([horizon.get(1n), horizon.get(2n), horizon.get(3n)], [6n, 0n, 3n]);
});

Deno.test("ObservedHorizon merges the same in any order", () => {
  fc.assert(fc.property(anyObservations, anyObservations, (left, right) => {
    const one = observe(left);
    one.merge(observe(right));
    const other = observe(right);
    other.merge(observe(left));
    const sorted = (horizon: ObservedHorizon) =>
      [...horizon.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(sorted(one), sorted(other));
    assert.deepEqual([one.bits, one.logicalTime], [other.bits, other.logicalTime]);
  }));
});

Deno.test("ObservedHorizon forgets whoever advanced longest ago, but not its bits", () => {
  const horizon = new ObservedHorizon(2);
  horizon.observe(1n, 1n);
  horizon.observe(2n, 1n);
  horizon.observe(1n, 2n);
  horizon.observe(3n, 1n);
  assert.deepEqual([...horizon.entries()], [[1n, 2n], [3n, 1n]]);
  assert.equal(horizon.forgotten, 1);
  assert.ok(mayHaveSeen(horizon.bits, 2n));
});

Deno.test("ObservedHorizon.copy() does not change with the one it came from", () => {
  const horizon = observe([[1n, 1n]]);
  const copy = horizon.copy();
  horizon.observe(1n, 2n);
  assert.deepEqual([copy.get(1n), copy.logicalTime], [1n, 1n]);
});

Deno.test("horizonBits() sets three different bits", () => {
  fc.assert(fc.property(anyNumber, (origin) => {
    assert.equal(horizonBits(origin).toString(2).replaceAll("0", "").length, 3);
  }));
});

Deno.test("decodeCauses() reads what encodeCauses() wrote, and nothing else", () => {
  fc.assert(fc.property(anyObservations, (observations) => {
    const causes = new Map(observations);
    const bytes = encodeCauses(causes);
    const decoded = decodeCauses(bytes);
    assert.deepEqual(decoded && new Map([...decoded].sort()), new Map([...causes].sort()));
    assert.equal(decodeCauses(bytes.subarray(1)), undefined);
    assert.equal(decodeCauses(Uint8Array.of(...bytes, 0)), undefined);
  }));
  const twice = encodeCauses(new Map([[1n, 1n], [2n, 1n]])).with(20, 1);
  assert.equal(decodeCauses(twice), undefined);
  const many = new Map(Array.from({ length: 4_097 }, (_, index) => [BigInt(index), 0n]));
  assert.throws(() => encodeCauses(many), RangeError);
});
