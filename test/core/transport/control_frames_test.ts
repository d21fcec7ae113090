import assert from "node:assert/strict";
import fc from "fast-check";
import { highHalf, lowHalf } from "../../../src/base/mod.ts";
import { formatHost } from "../../../src/core/transport/address.ts";
import {
  decodeGrant,
  decodeKeepAlive,
  decodeNack,
  decodeReflexResponse,
  decodeRendezvous,
  decodeReset,
  decodeRouteWithdrawal,
  decodeSack,
  encodeGrant,
  encodeGrantInto,
  encodeKeepAlive,
  encodeNack,
  encodeNackInto,
  encodeReflexResponse,
  encodeRendezvous,
  encodeReset,
  encodeRouteWithdrawal,
  encodeSack,
  listMissing,
  missingBitmap,
  type Rendezvous,
  type SequenceRange,
} from "../../../src/core/transport/control_frames.ts";

const u32 = fc.nat(0xffff_ffff);
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const safe = fc.maxSafeNat();
const address = fc.record({
  host: fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  ).map(formatHost),
  port: fc.nat(0xffff),
});
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  ...[8, 14, 16, 19, 21, 24, 32, 36, 48, 272].map((length) =>
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
    const withdrawal = { destination: first, sequence: second };
    assert.deepEqual(decodeRouteWithdrawal(encodeRouteWithdrawal(withdrawal)), withdrawal);
  }));
});

Deno.test("encodeGrantInto() and encodeNackInto() write what the object encoders write", () => {
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

Deno.test("decodeRendezvous() gives back what encodeRendezvous() wrote", () => {
  const messages: fc.Arbitrary<Rendezvous> = fc.oneof(
    fc.record({
      kind: fc.constant("request" as const),
      target: u64,
      punchId: u32,
      selfReflex: address,
    }),
    fc.record({
      kind: fc.constant("introduce" as const),
      peer: u64,
      peerReflex: address,
      fireAtMs: u64,
    }),
    fc.record({ kind: fc.constant("ack" as const), fromPeer: u64, toPeer: u64, punchId: u32 }),
    fc.record({
      kind: fc.constant("reject" as const),
      target: u64,
      punchId: u32,
      reason: fc.nat(255),
    }),
  );
  fc.assert(fc.property(messages, (message) => {
    const bytes = encodeRendezvous(message);
    const decoded = decodeRendezvous(bytes) ?? assert.fail();
    assert.deepEqual(JSON.stringify(plain(decoded)), JSON.stringify(plain(message)));
    for (const length of [0, bytes.length - 1]) {
      assert.equal(decodeRendezvous(bytes.subarray(0, length)), undefined);
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    assert.equal(decodeRendezvous(longer), undefined);
  }));
});

Deno.test("decodeRendezvous() refuses unknown kinds and address families", () => {
  const bytes = encodeRendezvous({
    kind: "request",
    target: 1n,
    punchId: 2,
    selfReflex: { host: "::1", port: 3 },
  });
  bytes[13] = 9;
  assert.equal(decodeRendezvous(bytes), undefined);
  bytes[13] = 6;
  bytes[0] = 5;
  assert.equal(decodeRendezvous(bytes), undefined);
});

Deno.test("decodeReflexResponse() and decodeKeepAlive() give back what was encoded", () => {
  fc.assert(fc.property(address, u64, u32, (reflex, senderNodeId, punchId) => {
    assert.deepEqual(decodeReflexResponse(encodeReflexResponse(reflex)), { ...reflex });
    const keepAlive = { senderNodeId, punchId };
    assert.deepEqual(decodeKeepAlive(encodeKeepAlive(keepAlive)), keepAlive);
  }));
  assert.equal(decodeReflexResponse(new Uint8Array(0)), undefined);
  assert.equal(decodeReflexResponse(new Uint8Array(20).fill(4)), undefined);
  assert.equal(decodeKeepAlive(new Uint8Array(14)), undefined);
});

Deno.test("decoders take any bytes without throwing and refuse wrong lengths", () => {
  fc.assert(fc.property(hostile, (bytes) => {
    const { length } = bytes;
    assert.equal(decodeGrant(bytes) !== undefined, length === 24);
    assert.equal(decodeNack(bytes) !== undefined, length === 24);
    assert.equal(decodeReset(bytes) !== undefined, length === 8);
    assert.equal(decodeRouteWithdrawal(bytes) !== undefined, length === 16);
    if (decodeSack(bytes) !== undefined) assert.equal(length % 16, 0);
    if (decodeRendezvous(bytes) !== undefined) assert.ok([32, 36, 21, 14].includes(length));
    if (decodeReflexResponse(bytes) !== undefined) assert.equal(length, 19);
    if (decodeKeepAlive(bytes) !== undefined) assert.equal(length, 14);
  }));
});

/** The message with texts for numbers, in one order of keys. */
function plain(message: Rendezvous): unknown {
  const entries = Object.entries(message).map(([key, value]) => [
    key,
    typeof value === "object" ? `${value.host} ${value.port}` : String(value),
  ]);
  return Object.fromEntries(entries.sort());
}
