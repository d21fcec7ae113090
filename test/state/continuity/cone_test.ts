import assert from "node:assert/strict";
import fc from "fast-check";
import { CausalCone, type CausalLink, ObservedHorizon } from "../../../src/state/mod.ts";
import { anyNumber } from "../causal/chain_samples.ts";

const linkOf = (origin: bigint, sequence: bigint, horizon = 0n): CausalLink => ({
  origin,
  sequence,
  horizon,
  parent: 0n,
});

function horizonOf(entries: readonly (readonly [bigint, bigint])[], max?: number): ObservedHorizon {
  const horizon = new ObservedHorizon(max);
  for (const [origin, sequence] of entries) horizon.observe(origin, sequence);
  return horizon;
}

const anyEntries = fc.array(fc.tuple(anyNumber, anyNumber), { maxLength: 12 });

Deno.test("CausalCone orders events of one origin by number", () => {
  const cone = CausalCone.of(linkOf(1n, 5n));
  assert.deepEqual([4n, 5n, 6n].map((sequence) => cone.causality(1n, sequence)), [
    "definite",
    "no",
    "no",
  ]);
});

Deno.test("CausalCone knows exactly with a horizon, and without one never denies a cause", () => {
  fc.assert(fc.property(anyEntries, anyNumber, anyNumber, (entries, origin, sequence) => {
    const horizon = horizonOf(entries);
    const link = linkOf(1n << 63n, 5n, horizon.bits);
    const exact = CausalCone.of(link, horizon);
    const blurred = CausalCone.of(link);
    assert.ok(exact.isExact && !blurred.isExact);
    for (const [seen, until] of entries) {
      if (seen === link.origin) continue;
      assert.equal(exact.causality(seen, until), "definite");
      assert.equal(blurred.causality(seen, until), "possible");
    }
    if (origin === link.origin) return;
    const expected = horizon.hasObserved(origin, sequence) ? "definite" : "no";
    assert.equal(exact.causality(origin, sequence), expected);
    assert.notEqual(blurred.causality(origin, sequence), "definite");
  }));
});

Deno.test("CausalCone is not moved by what its writer sees later", () => {
  const horizon = horizonOf([[2n, 3n]]);
  const cone = CausalCone.of(linkOf(1n, 5n), horizon);
  horizon.observe(2n, 9n);
  assert.equal(cone.causality(2n, 9n), "no");
});

Deno.test("CausalCone falls back to the bits for origins that a horizon forgot", () => {
  const cone = CausalCone.of(linkOf(1n, 5n), horizonOf([[2n, 3n], [3n, 3n]], 1));
  assert.equal(cone.causality(3n, 3n), "definite");
  assert.equal(cone.causality(2n, 3n), "possible");
});

Deno.test("CausalCone.isConcurrentWith() looks at the very events, and at the bits where it has to", () => {
  const of = (origin: bigint, sequence: bigint, seen: readonly (readonly [bigint, bigint])[]) => {
    const horizon = horizonOf(seen);
    const link = linkOf(origin, sequence, horizon.bits);
    return { exact: CausalCone.of(link, horizon), blurred: CausalCone.of(link) };
  };
  const early = of(1n, 5n, [[2n, 3n]]);
  const later = of(2n, 4n, []);
  // Of 2 it had seen number 3 only: number 4 had no part in it.
  assert.ok(early.exact.isConcurrentWith(later.exact));
  assert.ok(!early.blurred.isConcurrentWith(later.blurred));
  assert.ok(!early.exact.isConcurrentWith(of(2n, 3n, []).exact));
  assert.ok(!early.exact.isConcurrentWith(of(1n, 6n, []).exact));
});

Deno.test("CausalCone.merge() has the past of all, exactly if each is exact", () => {
  const one = horizonOf([[2n, 3n]]);
  const other = horizonOf([[3n, 4n]]);
  const exact = CausalCone.merge([
    CausalCone.of(linkOf(1n, 5n, one.bits), one),
    CausalCone.of(linkOf(4n, 6n, other.bits), other),
  ]);
  assert.ok(exact?.isExact && exact.bits === (one.bits | other.bits));
  assert.equal(exact.causality(2n, 3n), "definite");
  assert.equal(exact.causality(3n, 4n), "definite");
  assert.equal(exact.causality(4n, 5n), "definite");
  assert.equal(exact.causality(4n, 6n), "no");
  const mixed = CausalCone.merge([
    CausalCone.of(linkOf(1n, 5n, one.bits), one),
    CausalCone.of(linkOf(4n, 6n, other.bits)),
  ]);
  assert.ok(mixed !== undefined && !mixed.isExact);
  assert.equal(mixed.causality(2n, 3n), "possible");
  assert.equal(CausalCone.merge([]), undefined);
});
