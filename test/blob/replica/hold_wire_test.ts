import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeHoldReply,
  decodeHoldRequest,
  decodeHoldsAnswer,
  encodeHoldRequest,
  encodeHoldsQuestion,
  HOLD_SOURCES_MAX,
  HOLDINGS_HASHES_MAX,
} from "../../../src/blob/mod.ts";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

Deno.test("decodeHoldRequest() reads what encodeHoldRequest() writes", () => {
  const request = fc.record({
    address: hash,
    sizeBytes: u64,
    copies: fc.nat(255),
    ref: fc.uint8Array({ maxLength: 4_096 }),
    sources: fc.array(u64, { maxLength: HOLD_SOURCES_MAX }),
  });
  fc.assert(fc.property(request, (given) => {
    assert.deepEqual(decodeHoldRequest(encodeHoldRequest(given)), { ...given });
  }));
});

Deno.test("decoders of copies never throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    decodeHoldRequest(bytes);
    decodeHoldReply(bytes);
    decodeHoldsAnswer(bytes, 3);
  }));
});

Deno.test("encoders of copies refuse what a receiver would", () => {
  const address = new Uint8Array(32);
  const good = { address, sizeBytes: 1n, copies: 1, ref: new Uint8Array(0), sources: [] };
  const bad = [
    { address: new Uint8Array(31) },
    { copies: 256 },
    { ref: new Uint8Array(4_097) },
    { sources: Array.from({ length: HOLD_SOURCES_MAX + 1 }, () => 1n) },
  ];
  for (const change of bad) {
    assert.throws(() => encodeHoldRequest({ ...good, ...change }), RangeError);
  }
  const hashes = Array.from({ length: HOLDINGS_HASHES_MAX + 1 }, () => address);
  assert.throws(() => encodeHoldsQuestion(hashes), RangeError);
});
