import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeSealedDatagram,
  encodeReset,
  encodeRetried,
  encodeRetry,
  RESET_BYTES,
  RETRIED_PREFIX_BYTES,
  RETRY_BYTES,
  SEALED_DATAGRAM_MAGIC,
} from "../../../../src/core/crypto/mod.ts";

const bytesOf = (length: number, max = length) =>
  fc.uint8Array({ minLength: length, maxLength: max });

Deno.test("encodeRetry() round trips in 43 bytes", () => {
  fc.assert(fc.property(bytesOf(32), bytesOf(32), (ephemeral, token) => {
    const bytes = encodeRetry(ephemeral, token);
    assert.equal(bytes.length, RETRY_BYTES);
    assert.equal(new DataView(bytes.buffer).getUint16(0, true), SEALED_DATAGRAM_MAGIC);
    assert.deepEqual(decodeSealedDatagram(bytes), {
      kind: "retry",
      ephemeral: ephemeral.slice(0, 8),
      token,
    });
  }));
});

Deno.test("encodeRetried() round trips and is never taken for another class", () => {
  fc.assert(fc.property(bytesOf(32), bytesOf(116, 300), (token, datagram) => {
    const bytes = encodeRetried(token, datagram);
    assert.equal(bytes.length, RETRIED_PREFIX_BYTES + datagram.length);
    assert.deepEqual(decodeSealedDatagram(bytes), { kind: "retried", token, datagram });
    assert.ok(bytes.length !== 14 && bytes.length !== 72);
  }));
});

Deno.test("encodeReset() round trips in 27 bytes", () => {
  const anyHalf = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(fc.property(anyHalf, anyHalf, bytesOf(16), (sessionIdLow, sessionIdHigh, resetTag) => {
    const bytes = encodeReset(sessionIdLow, sessionIdHigh, resetTag);
    assert.equal(bytes.length, RESET_BYTES);
    assert.deepEqual(decodeSealedDatagram(bytes), {
      kind: "reset",
      sessionIdLow,
      sessionIdHigh,
      resetTag,
    });
  }));
});

Deno.test("encoders refuse parts of wrong length", () => {
  const [short, token] = [new Uint8Array(7), new Uint8Array(32)];
  assert.throws(() => encodeRetry(short, token), RangeError);
  assert.throws(() => encodeRetry(token, short), RangeError);
  assert.throws(() => encodeRetried(short, new Uint8Array(142)), RangeError);
  // 37 bytes would make a datagram of 72, which is a pingwave's length.
  assert.throws(() => encodeRetried(token, new Uint8Array(37)), RangeError);
  assert.throws(() => encodeRetried(token, new Uint8Array(9_000)), RangeError);
  assert.throws(() => encodeReset(0, 0, short), RangeError);
});

Deno.test("decodeSealedDatagram() survives hostile bytes and takes one form of each", () => {
  const anyLength = fc.constantFrom(0, 1, 2, 3, 14, 26, 27, 28, 42, 43, 44, 72, 150, 151, 300);
  fc.assert(
    fc.property(
      anyLength.chain((length) => bytesOf(length)),
      fc.integer({ min: 0, max: 5 }),
      fc.boolean(),
      (bytes, kind, isShaped) => {
        if (isShaped && bytes.length >= 3) bytes.set([0x4e, 0x53, kind]);
        const datagram = decodeSealedDatagram(bytes);
        if (datagram.kind === "malformed") return;
        assert.ok(bytes.length !== 14 && bytes.length !== 72);
        if (datagram.kind === "retry") assert.equal(bytes.length, RETRY_BYTES);
        else if (datagram.kind === "reset") {
          const { sessionIdLow, sessionIdHigh, resetTag } = datagram;
          assert.deepEqual(encodeReset(sessionIdLow, sessionIdHigh, resetTag), bytes);
        } else assert.deepEqual(encodeRetried(datagram.token, datagram.datagram), bytes);
      },
    ),
    { numRuns: 1_000 },
  );
  assert.equal(decodeSealedDatagram(new Uint8Array(9_000).with(0, 0x4e)).kind, "malformed");
  const huge = new Uint8Array(65_507);
  huge.set([0x4e, 0x53, 2]);
  assert.equal(decodeSealedDatagram(huge).kind, "malformed");
});
