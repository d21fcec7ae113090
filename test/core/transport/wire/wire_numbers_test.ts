import assert from "node:assert/strict";
import fc from "fast-check";
import { readNumber, writeNumber } from "../../../../src/core/transport/wire/wire_numbers.ts";

Deno.test("writeNumber() writes a little-endian u64 that readNumber() reads", () => {
  const view = new DataView(new ArrayBuffer(16));
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    writeNumber(view, 8, value);
    assert.equal(view.getBigUint64(8, true), BigInt(value));
    assert.equal(readNumber(view, 8), value);
  }));
});

Deno.test("readNumber() gives the nearest double of what is above 2^53", () => {
  const view = new DataView(new ArrayBuffer(8));
  fc.assert(fc.property(fc.bigInt({ min: 1n << 53n, max: (1n << 64n) - 1n }), (value) => {
    view.setBigUint64(0, value, true);
    assert.equal(readNumber(view, 0), Number(value));
  }));
});
