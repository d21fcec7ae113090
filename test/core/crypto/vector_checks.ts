/**
 * What each vector file of keys, hashes and handshakes demands; shared by the unit tests and the vector
 * runner. Every check returns the number of cases it ran and throws on the first that fails.
 */
import assert from "node:assert/strict";
import {
  channelPublishStreamId,
  createIdentity,
  createNoiseInitiator,
  createNoiseKeyPair,
  createNoiseResponder,
  deriveChannelHash,
  deriveNodeId,
  deriveOriginHash,
  deriveSessionKeys,
  handshakePrologue,
  isValidChannelName,
  ReplayWindow,
  verifySignature,
} from "../../../src/core/crypto/mod.ts";
import { highHalf, lowHalf, utf8 } from "../../../src/base/mod.ts";
import { NoiseState } from "../../../src/core/crypto/_noise_state.ts";

/** One case of a vector file. */
export type VectorCase = Readonly<Record<string, unknown>>;

/** Vector file, relative to the vector folder, to its check. */
export const CRYPTO_VECTOR_CHECKS: Readonly<Record<string, (document: unknown) => number>> = {
  "wire/identity.json": (document) => each(document, "vectors", checkIdentity),
  "wire/channelhash.json": (document) => each(document, "vectors", checkChannelHash),
  "wire/handshake.json": (document) => each(document, "vectors", checkHandshake),
  "wire/kdf.json": (document) => each(document, "vectors", checkSessionKeys),
  "wire/replay.json": (document) => each(document, "vectors", checkReplay),
  "identity/identities.json": (document) => each(document, "cases", checkSignedIdentity),
  "identity/channel_names.json": (document) =>
    each(document, "valid", checkChannelName) + each(document, "invalid", checkRefusedName),
};

function checkIdentity(vector: VectorCase): void {
  const identity = createIdentity(bytes(vector, "seed"));
  assert.equal(identity.entityId.toHex(), vector.entity_id);
  assert.equal(identity.nodeId, integer(vector, "node_id"));
  assert.equal(identity.originHash, integer(vector, "origin_hash"));
  assert.equal(BigInt(identity.routingId), integer(vector, "routing_id"));
}

function checkSignedIdentity(vector: VectorCase): void {
  const identity = createIdentity(bytes(vector, "seed_hex"));
  assert.equal(identity.entityId.toHex(), vector.entity_id_hex);
  assert.equal(deriveNodeId(identity.entityId), integer(vector, "node_id"));
  assert.equal(deriveOriginHash(identity.entityId), integer(vector, "origin_hash"));
  assert.equal(BigInt(identity.routingId), integer(vector, "routing_id"));
  const signature = identity.sign(utf8("hello"));
  assert.equal(signature.toHex(), vector.signature_over_utf8_hello);
  assert.ok(verifySignature(identity.entityId, utf8("hello"), signature));
}

function checkChannelHash(vector: VectorCase): void {
  const hash = deriveChannelHash(text(vector, "name"));
  assert.equal(hash, integer(vector, "canonical"));
  assert.equal(Number(hash & 0xffffn), vector.wire_u16);
  assert.equal(channelPublishStreamId(hash), integer(vector, "publish_stream_id"));
}

function checkChannelName(vector: VectorCase): void {
  const name = text(vector, "name");
  assert.ok(isValidChannelName(name), name);
  const hash = deriveChannelHash(name);
  assert.equal(hash, integer(vector, "hash"));
  assert.equal(Number(hash & 0xffffn), vector.wire_hash_u16);
  const streamId = channelPublishStreamId(hash).toString(16).padStart(16, "0");
  assert.equal(streamId, vector.publish_stream_id_hex);
}

function checkRefusedName(vector: VectorCase): void {
  assert.ok(!isValidChannelName(text(vector, "name")), text(vector, "name"));
}

function checkSessionKeys(vector: VectorCase): void {
  const hash = bytes(vector, "handshake_hash");
  const initiator = deriveSessionKeys(hash, "initiator");
  const responder = deriveSessionKeys(hash, "responder");
  assert.equal(initiator.sessionId, integer(vector, "session_id"));
  assert.equal(initiator.sessionId, responder.sessionId);
  assert.equal(initiator.sendKey.toHex(), vector.initiator_tx_key);
  assert.equal(initiator.receiveKey.toHex(), vector.initiator_rx_key);
  assert.deepEqual(responder.sendKey, initiator.receiveKey);
  assert.deepEqual(responder.receiveKey, initiator.sendKey);
  assert.deepEqual(responder.routeHopSendKey, initiator.routeHopReceiveKey);
  assert.deepEqual(responder.routeHopReceiveKey, initiator.routeHopSendKey);
  if (has(vector, "route_hop_initiator_tx")) {
    assert.equal(initiator.routeHopSendKey.toHex(), vector.route_hop_initiator_tx);
    assert.equal(initiator.routeHopReceiveKey.toHex(), vector.route_hop_initiator_rx);
  }
  if (has(vector, "nonce_prefix")) {
    const prefix = new DataView(bytes(vector, "nonce_prefix").buffer).getUint32(0, true);
    assert.equal(initiator.noncePrefix, prefix);
  }
}

/** Each vector is replayed from whichever sides its private keys are known of. */
function checkHandshake(vector: VectorCase): void {
  const psk = bytes(vector, "psk");
  const responderStatic = bytes(vector, "responder_static_public");
  const prologue = handshakePrologue(
    lowHalf(integer(vector, "initiator_node_id")),
    lowHalf(integer(vector, "responder_node_id")),
  );
  assert.equal(prologue.toHex(), vector.prologue);
  const [msg1, msg2] = [bytes(vector, "msg1"), bytes(vector, "msg2")];
  const payload1 = has(vector, "msg1_payload") ? bytes(vector, "msg1_payload") : new Uint8Array(0);

  // The transcript hash needs no private key at all.
  const transcript = NoiseState.start(prologue, responderStatic);
  transcript.mixKeyAndHash(psk);
  for (const message of [msg1, msg2]) {
    transcript.mixHash(message.subarray(0, 32));
    transcript.mixHash(message.subarray(32));
  }
  assert.equal(transcript.hash.toHex(), vector.handshake_hash);

  if (has(vector, "initiator_ephemeral_private")) {
    const ephemeral = createNoiseKeyPair(bytes(vector, "initiator_ephemeral_private"));
    const initiator = createNoiseInitiator({ prologue, psk, responderStatic, ephemeral });
    assert.equal(initiator.writeMessage1(payload1).toHex(), vector.msg1);
    assert.equal(initiator.readMessage2(msg2)?.payload.length, 0);
    assert.equal(initiator.handshakeHash.toHex(), vector.handshake_hash);
  }
  if (has(vector, "responder_static_private")) {
    const staticKey = createNoiseKeyPair(bytes(vector, "responder_static_private"));
    assert.deepEqual(staticKey.publicKey, responderStatic);
    const ephemeral = has(vector, "responder_ephemeral_private")
      ? createNoiseKeyPair(bytes(vector, "responder_ephemeral_private"))
      : undefined;
    const responder = createNoiseResponder({ prologue, psk, staticKey, ephemeral });
    assert.deepEqual(responder.readMessage1(msg1)?.payload, payload1);
    const written = responder.writeMessage2(new Uint8Array(0));
    if (ephemeral !== undefined) {
      assert.equal(written.toHex(), vector.msg2);
      assert.equal(responder.handshakeHash.toHex(), vector.handshake_hash);
    }
  }
  checkSessionKeys(vector);
}

function checkReplay(vector: VectorCase): void {
  const window = new ReplayWindow();
  const { counters, accept } = vector;
  assert.ok(Array.isArray(counters) && Array.isArray(accept));
  for (const [i, counter] of counters.entries()) {
    const value = BigInt(String(counter));
    assert.equal(window.accept(lowHalf(value), highHalf(value)), accept[i], `counter ${value}`);
  }
}

function each(document: unknown, list: string, check: (vector: VectorCase) => void): number {
  const cases = isRecord(document) ? document[list] : undefined;
  if (!Array.isArray(cases)) return 0;
  for (const vector of cases) {
    assert.ok(isRecord(vector), `case of ${list} is an object`);
    check(vector);
  }
  return cases.length;
}

function isRecord(value: unknown): value is VectorCase {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function has(vector: VectorCase, field: string): boolean {
  return typeof vector[field] === "string";
}

function text(vector: VectorCase, field: string): string {
  const value = vector[field];
  assert.ok(typeof value === "string", `${field} is text`);
  return value;
}

function bytes(vector: VectorCase, field: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(text(vector, field));
}

/** Numbers above 2^53 are written as decimal text. */
function integer(vector: VectorCase, field: string): bigint {
  const value = vector[field];
  assert.ok(typeof value === "string" || typeof value === "number", `${field} is a number`);
  return BigInt(value);
}
