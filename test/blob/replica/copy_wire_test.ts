import assert from "node:assert/strict";
import fc from "fast-check";
import {
  COPY_SOURCES_MAX,
  decodeCopyReply,
  decodeCopyRequest,
  decodeHoldsAnswer,
  encodeCopyRequest,
  encodeHoldsQuestion,
  HOLDINGS_HASHES_MAX,
} from "../../../src/blob/mod.ts";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

Deno.test("decodeCopyRequest() reads what encodeCopyRequest() writes", () => {
  const request = fc.record({
    address: hash,
    sizeBytes: u64,
    isDirectory: fc.boolean(),
    copies: fc.nat(255),
    ref: fc.uint8Array({ maxLength: 4_096 }),
    sources: fc.array(u64, { maxLength: COPY_SOURCES_MAX }),
  });
  fc.assert(fc.property(request, (given) => {
    assert.deepEqual(decodeCopyRequest(encodeCopyRequest(given)), { ...given });
  }));
});

Deno.test("decoders of copies never throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    decodeCopyRequest(bytes);
    decodeCopyReply(bytes);
    decodeHoldsAnswer(bytes, 3);
  }));
});

Deno.test("encoders of copies refuse what a receiver would", () => {
  const address = new Uint8Array(32);
  const good = {
    address,
    sizeBytes: 1n,
    isDirectory: false,
    copies: 1,
    ref: new Uint8Array(0),
    sources: [],
  };
  const bad = [
    { address: new Uint8Array(31) },
    { copies: 256 },
    { ref: new Uint8Array(4_097) },
    { sources: Array.from({ length: COPY_SOURCES_MAX + 1 }, () => 1n) },
  ];
  for (const change of bad) {
    assert.throws(() => encodeCopyRequest({ ...good, ...change }), RangeError);
  }
  const hashes = Array.from({ length: HOLDINGS_HASHES_MAX + 1 }, () => address);
  assert.throws(() => encodeHoldsQuestion(hashes), RangeError);
});
