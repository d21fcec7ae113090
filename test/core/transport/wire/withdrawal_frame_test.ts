import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeRouteWithdrawal,
  encodeRouteWithdrawal,
} from "../../../../src/core/transport/wire/withdrawal_frame.ts";

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

Deno.test("decodeRouteWithdrawal() gives back what was encoded", () => {
  fc.assert(fc.property(u64, u64, (destination, sequence) => {
    const withdrawal = { destination, sequence };
    assert.deepEqual(decodeRouteWithdrawal(encodeRouteWithdrawal(withdrawal)), withdrawal);
  }));
});

Deno.test("decodeRouteWithdrawal() takes any bytes without throwing and refuses wrong lengths", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
    assert.equal(decodeRouteWithdrawal(bytes) !== undefined, bytes.length === 16);
  }));
});
