import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createPoints,
  mergePoints,
  type RingPoints,
  sortPoints,
} from "../../../../src/core/capability/balancer/_ring_points.ts";

type Point = readonly [high: number, low: number];

function pointsOf(points: readonly Point[], owner: number): RingPoints {
  const columns = createPoints(points.length);
  points.forEach(([high, low], at) => {
    columns.high[at] = high;
    columns.low[at] = low;
    columns.owner[at] = owner + at;
  });
  return columns;
}

function listOf({ high, low, owner }: RingPoints) {
  return [...owner].map((who, at) =>
    [
      (BigInt(high[at] ?? 0) << 32n) | BigInt(low[at] ?? 0),
      who,
    ] as const
  );
}

// Few values, so that many are equal.
const half = fc.oneof(fc.nat(3), fc.constantFrom(0xffff_ffff, 0x8000_0000, 0x1_0000));
const points = fc.array(fc.tuple(half, half), { maxLength: 30 });

Deno.test("sortPoints() sorts by the whole hash and leaves equal ones as they were", () => {
  fc.assert(fc.property(points, (list) => {
    const columns = pointsOf(list, 0);
    const expected = listOf(columns).sort(([left], [right]) =>
      left < right ? -1 : left > right ? 1 : 0
    );
    assert.deepEqual(listOf(sortPoints(columns)), expected);
  }));
});

Deno.test("mergePoints() keeps every point, each at a place of its own", () => {
  const low = fc.array(fc.tuple(fc.nat(2), half), { maxLength: 20 });
  fc.assert(fc.property(low, low, (left, right) => {
    // The left one is a ring already.
    const ring = mergePoints(createPoints(0), sortPoints(pointsOf(left, 0)));
    const merged = listOf(mergePoints(ring, sortPoints(pointsOf(right, 100))));
    assert.equal(merged.length, left.length + right.length);
    assert.equal(new Set(merged.map(([, owner]) => owner)).size, merged.length);
    for (let i = 1; i < merged.length; i++) {
      assert.ok((merged[i - 1]?.[0] ?? 0n) < (merged[i]?.[0] ?? 0n));
    }
  }));
});
