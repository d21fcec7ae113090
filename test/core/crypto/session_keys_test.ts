import assert from "node:assert/strict";
import fc from "fast-check";
import { deriveSessionKeys } from "../../../src/core/crypto/mod.ts";
import { joinHalves } from "../../../src/base/mod.ts";

const anyHash = fc.uint8Array({ minLength: 32, maxLength: 32 });

Deno.test("deriveSessionKeys() mirrors the two sides and gives four different keys", () => {
  fc.assert(fc.property(anyHash, (hash) => {
    const initiator = deriveSessionKeys(hash, "initiator");
    const responder = deriveSessionKeys(hash, "responder");
    assert.deepEqual(initiator.sendKey, responder.receiveKey);
    assert.deepEqual(initiator.receiveKey, responder.sendKey);
    assert.deepEqual(initiator.routeHopSendKey, responder.routeHopReceiveKey);
    assert.deepEqual(initiator.routeHopReceiveKey, responder.routeHopSendKey);
    const keys = [
      initiator.sendKey,
      initiator.receiveKey,
      initiator.routeHopSendKey,
      initiator.routeHopReceiveKey,
    ];
    assert.equal(new Set(keys.map((key) => key.toHex())).size, 4);
    assert.equal(initiator.sessionId, joinHalves(initiator.sessionIdLow, initiator.sessionIdHigh));
    assert.ok(initiator.noncePrefix >= 0 && initiator.noncePrefix <= 0xffffffff);
  }));
});

Deno.test("deriveSessionKeys() reads a hash inside a larger buffer", () => {
  const buffer = Uint8Array.from({ length: 40 }, (_, i) => i);
  const inside = deriveSessionKeys(buffer.subarray(5, 37), "initiator");
  assert.deepEqual(inside, deriveSessionKeys(buffer.slice(5, 37), "initiator"));
});

Deno.test("deriveSessionKeys() refuses a hash of another length", () => {
  for (const length of [0, 31, 33]) {
    assert.throws(() => deriveSessionKeys(new Uint8Array(length), "responder"), RangeError);
  }
});
