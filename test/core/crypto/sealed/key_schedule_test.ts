import assert from "node:assert/strict";
import { blake2s } from "@noble/hashes/blake2.js";
import fc from "fast-check";
import {
  deriveChainKey,
  deriveNextChainKey,
  derivePacketKey,
  deriveRouteHopKey,
  deriveSealedSessionId,
  deriveSessionKeys,
} from "../../../../src/core/crypto/mod.ts";

const any32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

function keyed(key: Uint8Array, label: string, rest = new Uint8Array(0)): string {
  const message = new Uint8Array([...new TextEncoder().encode(label), ...rest]);
  return blake2s(message, { key }).toHex();
}

Deno.test("the key schedule is keyed BLAKE2s of its labels", () => {
  fc.assert(fc.property(any32, any32, (key, hash) => {
    assert.equal(deriveChainKey(key, hash).toHex(), keyed(key, "net-sealed-chain-v1", hash));
    assert.equal(deriveNextChainKey(key).toHex(), keyed(key, "net-sealed-next-v1"));
    assert.equal(derivePacketKey(key).toHex(), keyed(key, "net-sealed-packet-v1"));
    assert.equal(deriveRouteHopKey(key).toHex(), keyed(key, "net-sealed-route-hop-v1"));
  }));
});

Deno.test("deriveSealedSessionId() agrees with compat", () => {
  fc.assert(fc.property(any32, (hash) => {
    const { sessionId, sessionIdLow, sessionIdHigh, noncePrefix } = deriveSessionKeys(
      hash,
      "initiator",
    );
    assert.deepEqual(
      deriveSealedSessionId(hash),
      { sessionId, sessionIdLow, sessionIdHigh, noncePrefix },
    );
  }));
});

Deno.test("the key schedule refuses keys and hashes of another length", () => {
  const good = new Uint8Array(32);
  for (const length of [0, 31, 33]) {
    const bad = new Uint8Array(length);
    assert.throws(() => deriveChainKey(bad, good), RangeError);
    assert.throws(() => deriveChainKey(good, bad), RangeError);
    assert.throws(() => deriveNextChainKey(bad), RangeError);
    assert.throws(() => derivePacketKey(bad), RangeError);
    assert.throws(() => deriveRouteHopKey(bad), RangeError);
    assert.throws(() => deriveSealedSessionId(bad), RangeError);
  }
});
