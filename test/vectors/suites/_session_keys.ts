/** Session keys as vector files write them; fields that a vector leaves out are not checked. */

import assert from "node:assert/strict";
import { idToHex, joinHalves } from "../../../src/base/mod.ts";
import { deriveSessionKeys } from "../../../src/core/crypto/mod.ts";
import { bytesOf, has, integerOf, textOf, type VectorObject } from "../vector_reader.ts";

/** Compares what both sides derive from the handshake hash with the vector. */
export function checkSessionKeys(vector: VectorObject, handshakeHash: Uint8Array): void {
  const initiator = deriveSessionKeys(handshakeHash, "initiator");
  const responder = deriveSessionKeys(handshakeHash, "responder");
  assert.equal(initiator.sessionId, integerOf(vector, "session_id"));
  assert.equal(joinHalves(initiator.sessionIdLow, initiator.sessionIdHigh), initiator.sessionId);
  assert.equal(responder.sessionId, initiator.sessionId);
  if (has(vector, "session_id_hex")) {
    assert.equal(idToHex(initiator.sessionId), textOf(vector, "session_id_hex"));
  }
  if (has(vector, "nonce_prefix")) {
    const prefix = new DataView(bytesOf(vector, "nonce_prefix").buffer).getUint32(0, true);
    assert.equal(initiator.noncePrefix, prefix);
    assert.equal(responder.noncePrefix, prefix);
  }
  const keys = {
    initiator_tx_key: [initiator.sendKey, responder.receiveKey],
    initiator_rx_key: [initiator.receiveKey, responder.sendKey],
    route_hop_initiator_tx: [initiator.routeHopSendKey, responder.routeHopReceiveKey],
    route_hop_initiator_rx: [initiator.routeHopReceiveKey, responder.routeHopSendKey],
  };
  for (const [field, both] of Object.entries(keys)) {
    if (!has(vector, field)) continue;
    for (const key of both) assert.equal(key.toHex(), textOf(vector, field), field);
  }
}
