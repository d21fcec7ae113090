import assert from "node:assert/strict";
import fc from "fast-check";
import { highHalf, lowHalf } from "../../../../src/base/mod.ts";
import {
  decodeGrant,
  decodeNack,
  decodeReset,
  decodeSack,
  encodeGrant,
  encodeGrantInto,
  encodeNack,
  encodeNackInto,
  encodeReset,
  encodeResetInto,
  encodeSack,
  listMissing,
  missingBitmap,
  type SequenceRange,
} from "../../../../src/core/transport/wire/control_frames.ts";

const u32 = fc.nat(0xffff_ffff);
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const safe = fc.maxSafeNat();
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  ...[8, 16, 24, 32, 48, 272].map((length) =>
    fc.uint8Array({ minLength: length, maxLength: length })
  ),
);

Deno.test("decodeGrant() and decodeNack() give back what was encoded", () => {
  fc.assert(fc.property(u64, u64, u64, (streamId, first, second) => {
    const grant = { streamId, totalConsumed: first, ackSequence: second };
    assert.deepEqual(decodeGrant(encodeGrant(grant)), grant);
    const nack = { streamId, nextExpected: first, missingBitmap: second };
    assert.deepEqual(decodeNack(encodeNack(nack)), nack);
    assert.equal(decodeReset(encodeReset(streamId)), streamId);
  }));
});

Deno.test("encodeGrantInto() and its neighbours write what the object encoders write", () => {
  fc.assert(
    fc.property(u64, safe, safe, u32, u32, fc.nat(9), (streamId, a, b, low, high, at) => {
      const bytes = new Uint8Array(at + 24);
      const view = new DataView(bytes.buffer);
      const halves = [lowHalf(streamId), highHalf(streamId)] as const;
      assert.equal(encodeGrantInto(view, at, ...halves, a, b), at + 24);
      const grant = { streamId, totalConsumed: BigInt(a), ackSequence: BigInt(b) };
      assert.equal(bytes.subarray(at).toHex(), encodeGrant(grant).toHex());
      const missing = { nextExpected: a, bitmapLow: low, bitmapHigh: high };
      assert.equal(encodeNackInto(view, at, ...halves, missing), at + 24);
      const bitmap = (BigInt(high) << 32n) | BigInt(low);
      const nack = { streamId, nextExpected: BigInt(a), missingBitmap: bitmap };
      assert.equal(bytes.subarray(at).toHex(), encodeNack(nack).toHex());
      assert.equal(encodeResetInto(view, at, ...halves), at + 8);
      assert.equal(bytes.subarray(at, at + 8).toHex(), encodeReset(streamId).toHex());
    }),
  );
});

Deno.test("listMissing() and missingBitmap() are inverse", () => {
  fc.assert(fc.property(safe, u64, (next, bitmap) => {
    const nack = { streamId: 1n, nextExpected: BigInt(next), missingBitmap: bitmap };
    const missing = listMissing(nack);
    assert.equal(missing[0], BigInt(next));
    assert.equal(missingBitmap(BigInt(next), missing), bitmap);
  }));
  assert.throws(() => missingBitmap(5n, [4n]), RangeError);
  assert.throws(() => missingBitmap(5n, [70n]), RangeError);
  assert.equal(missingBitmap(5n, [69n]), 1n << 63n);
});

Deno.test("listMissing() names no sequence beyond 64 bits", () => {
  const nextExpected = (1n << 64n) - 2n;
  const nack = { streamId: 1n, nextExpected, missingBitmap: (1n << 64n) - 1n };
  assert.deepEqual(listMissing(nack), [nextExpected, nextExpected + 1n]);
});

Deno.test("decodeSack() gives back what encodeSack() wrote", () => {
  const steps = fc.array(
    fc.tuple(fc.bigInt({ min: 1n, max: 99n }), fc.bigInt({ min: 1n, max: 99n })),
    { minLength: 1, maxLength: 16 },
  );
  fc.assert(
    fc.property(u64, fc.bigInt({ min: 0n, max: 1n << 60n }), steps, (streamId, ack, gaps) => {
      const ranges: SequenceRange[] = [];
      let end = ack;
      for (const [gap, length] of gaps) {
        ranges.unshift([end + gap, end + gap + length]);
        end += gap + length;
      }
      const sack = { streamId, ackSequence: ack, ranges };
      assert.deepEqual(decodeSack(encodeSack(sack)), sack);
    }),
  );
});

Deno.test("encodeSack() refuses ranges that receivers take for malformed", () => {
  const refused: readonly (readonly SequenceRange[])[] = [
    [],
    [[10n, 12n]],
    [[12n, 12n]],
    [[13n, 12n]],
    [[12n, 20n], [30n, 40n]],
    [[20n, 40n], [12n, 20n]],
    [[20n, 40n], [12n, 21n]],
    [[12n, 20n], [12n, 20n]],
    Array.from({ length: 17 }, (_, i) => [100n - 3n * BigInt(i), 101n - 3n * BigInt(i)] as const),
  ];
  for (const ranges of refused) {
    assert.throws(() => encodeSack({ streamId: 1n, ackSequence: 10n, ranges }), RangeError);
  }
  assert.ok(encodeSack({ streamId: 1n, ackSequence: 10n, ranges: [[11n, 12n]] }).length === 32);
});

Deno.test("decodeSack() accepts only what encodeSack() would write", () => {
  const small = fc.bigInt({ min: 0n, max: 8n });
  const words = fc.array(small, { minLength: 2, maxLength: 8 });
  fc.assert(fc.property(words, (values) => {
    const bytes = new Uint8Array(values.length * 8);
    const view = new DataView(bytes.buffer);
    values.forEach((value, i) => view.setBigUint64(i * 8, value, true));
    const sack = decodeSack(bytes);
    if (sack !== undefined) assert.equal(encodeSack(sack).toHex(), bytes.toHex());
  }));
});

Deno.test("decoders take any bytes without throwing and refuse wrong lengths", () => {
  fc.assert(fc.property(hostile, (bytes) => {
    const { length } = bytes;
    assert.equal(decodeGrant(bytes) !== undefined, length === 24);
    assert.equal(decodeNack(bytes) !== undefined, length === 24);
    assert.equal(decodeReset(bytes) !== undefined, length === 8);
    if (decodeSack(bytes) !== undefined) assert.equal(length % 16, 0);
  }));
});
