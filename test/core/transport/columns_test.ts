import assert from "node:assert/strict";
import fc from "fast-check";
import { lengthFor, widen } from "../../../src/core/transport/columns.ts";

Deno.test("lengthFor() leaves a column as it is that is long enough", () => {
  for (const place of [0, 63]) assert.equal(lengthFor(place, 64), 64);
});

Deno.test("lengthFor() doubles short columns and makes long ones a quarter longer at most", () => {
  assert.equal(lengthFor(64, 64), 128);
  assert.equal(lengthFor(1_023, 64), 1_024);
  assert.equal(lengthFor(1_024, 64), 1_280);
  fc.assert(fc.property(fc.integer({ min: 1_024, max: 1 << 24 }), (place) => {
    const length = lengthFor(place, 64);
    assert.ok(length > place && length <= 1.25 * (place + 1));
    assert.equal(lengthFor(place, length), length);
  }));
});

Deno.test("widen() keeps what the column held", () => {
  assert.deepEqual([...widen(Uint8Array.of(1, 2), new Uint8Array(4))], [1, 2, 0, 0]);
});
