import assert from "node:assert/strict";
import {
  checkProof,
  createIdentity,
  createNoiseInitiator,
  createNoiseKeyPair,
  createNoiseResponder,
  createResetTagger,
  decodeMessage1Payload,
  decodeSealedBlock,
  decodeSealedDatagram,
  decodeSealedMessage,
  deriveChainKey,
  deriveNextChainKey,
  derivePacketKey,
  deriveRouteHopKey,
  deriveSealedSessionId,
  encodeMessage1Payload,
  encodePathChallenge,
  encodePathResponse,
  encodeProof,
  encodeReset,
  encodeSealedBlock,
  EpochKeys,
  handshakePrologue,
  RETRY_SECRET_MS,
  RetryTokens,
  type SessionRole,
  signProof,
} from "../../../../src/core/crypto/mod.ts";
import { idToHex } from "../../../../src/base/mod.ts";
import vectors from "../../../../docs/vectors/sealed.json" with { type: "json" };
import { FakeSlots } from "./fake_slots.ts";

const hex = (text: string) => Uint8Array.fromHex(text);

function halvesOf(sessionId: string): readonly [number, number] {
  const view = new DataView(hex(sessionId).buffer);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}

function roleOf(text: string): SessionRole {
  assert.ok(text === "initiator" || text === "responder");
  return text;
}

for (const vector of vectors.blocks) {
  Deno.test(`decodeSealedBlock() agrees with the vector: ${vector.name}`, () => {
    const reading = decodeSealedBlock(hex(vector.bytes));
    assert.equal(reading.kind, vector.kind);
    if (reading.kind === "malformed") assert.equal(reading.fault, vector.fault);
    if (reading.kind !== "valid") return;
    const { version, block } = reading;
    assert.equal(version, vector.version);
    assert.equal(block.isRequired, vector.is_required);
    assert.equal(block.entityId.toHex(), vector.entity_id);
    assert.equal(block.noisePublicKey.toHex(), vector.noise_public_key);
    if (version === 1) assert.equal(encodeSealedBlock(block).toHex(), vector.bytes);
  });
}

Deno.test("a whole sealed handshake agrees with the vector", () => {
  const { handshake } = vectors;
  const [left, right] = [handshake.initiator, handshake.responder].map((side) => {
    const identity = createIdentity(hex(side.seed));
    assert.equal(idToHex(identity.nodeId), side.node_id);
    const staticKey = createNoiseKeyPair(hex(side.noise_private_key));
    const ephemeral = createNoiseKeyPair(hex(side.ephemeral_private_key));
    const { entityId } = identity;
    const block = { isRequired: false, entityId, noisePublicKey: staticKey.publicKey };
    return { identity, staticKey, ephemeral, block };
  });
  assert.ok(left !== undefined && right !== undefined);
  const prologue = handshakePrologue(left.identity.routingId, right.identity.routingId);
  assert.equal(prologue.toHex(), handshake.prologue);
  const shared = { prologue, psk: hex(handshake.mesh_secret) };
  const initiator = createNoiseInitiator({
    ...shared,
    responderStatic: right.staticKey.publicKey,
    ephemeral: left.ephemeral,
  });
  const responder = createNoiseResponder({ ...shared, ...right });
  const payload1 = encodeMessage1Payload(left.identity.nodeId, { ...left.block, isRequired: true });
  assert.equal(payload1.toHex(), handshake.payload1);
  const message1 = initiator.writeMessage1(payload1);
  assert.equal(message1.toHex(), handshake.message1);
  const received = responder.readMessage1(message1);
  assert.ok(received !== undefined);
  assert.equal(decodeMessage1Payload(received.payload)?.nodeId, left.identity.nodeId);
  const message2 = responder.writeMessage2(encodeSealedBlock(right.block));
  assert.equal(message2.toHex(), handshake.message2);
  assert.equal(initiator.readMessage2(message2)?.payload.toHex(), handshake.payload2);
  assert.equal(initiator.handshakeHash.toHex(), handshake.handshake_hash);
  for (const { splitKeys } of [initiator, responder]) {
    const keys = [splitKeys.initiatorToResponder, splitKeys.responderToInitiator];
    assert.deepEqual(keys.map((key) => key.toHex()), vectors.chains.map((each) => each.split_key));
  }
  const id = deriveSealedSessionId(initiator.handshakeHash);
  assert.deepEqual([id.sessionIdLow, id.sessionIdHigh], halvesOf(handshake.session_id));
});

for (const chain of vectors.chains) {
  Deno.test(`the key schedule agrees with the vector: ${chain.direction}`, () => {
    let key = deriveChainKey(hex(chain.split_key), hex(chain.handshake_hash));
    assert.equal(deriveRouteHopKey(key).toHex(), chain.route_hop_key);
    for (const epoch of chain.epochs) {
      assert.equal(key.toHex(), epoch.chain_key);
      assert.equal(derivePacketKey(key).toHex(), epoch.packet_key);
      key = deriveNextChainKey(key);
    }
  });
}

Deno.test("EpochKeys walks through the vector's packet keys", () => {
  const [forth, back] = vectors.chains;
  assert.ok(forth !== undefined && back !== undefined);
  const slots = new FakeSlots();
  const keys = new EpochKeys(slots, {
    role: "initiator",
    splitKeys: {
      initiatorToResponder: hex(forth.split_key),
      responderToInitiator: hex(back.split_key),
    },
    handshakeHash: hex(forth.handshake_hash),
    epochPackets: 2,
  });
  for (const [epoch, { packet_key }] of forth.epochs.entries()) {
    assert.equal(keys.epoch, epoch);
    assert.equal(slots.keys.get(keys.sendSlot), packet_key);
    const key = keys.receiveSlot(epoch & 1, epoch, 0);
    assert.ok(key !== undefined);
    assert.equal(slots.keys.get(key), back.epochs[epoch]?.packet_key);
    keys.onAuthentic(key, epoch, 0);
    keys.onSent(0);
  }
});

for (const vector of vectors.proofs) {
  Deno.test(`signProof() agrees with the vector: ${vector.role}, ack ${vector.is_ack}`, () => {
    const role = roleOf(vector.role);
    const identity = createIdentity(hex(vector.seed));
    const subject = {
      role,
      handshakeHash: hex(vector.handshake_hash),
      entityId: hex(vector.entity_id),
      peerEntityId: hex(vector.peer_entity_id),
    };
    const signature = signProof(identity, subject);
    assert.deepEqual(signature, identity.sign(hex(vector.signed)));
    const proof = { role, isAck: vector.is_ack, resetTag: hex(vector.reset_tag), signature };
    assert.equal(encodeProof(proof).toHex(), vector.message);
    const message = decodeSealedMessage(hex(vector.message));
    assert.ok(message.kind === "proof");
    assert.equal(checkProof(message.proof, subject), undefined);
  });
}

for (const { name, message, fault } of vectors.proofs_refused_by_responder) {
  Deno.test(`a proof is refused as in the vector: ${name}`, () => {
    const [good] = vectors.proofs;
    assert.ok(good !== undefined);
    const decoded = decodeSealedMessage(hex(message));
    if (decoded.kind === "malformed") return assert.equal(decoded.fault, fault);
    assert.ok(decoded.kind === "proof");
    const found = checkProof(decoded.proof, {
      role: "initiator",
      handshakeHash: hex(good.handshake_hash),
      entityId: hex(good.entity_id),
      peerEntityId: hex(good.peer_entity_id),
    });
    assert.equal(found, fault);
  });
}

Deno.test("path messages agree with the vectors", () => {
  const { data, challenge, response } = vectors.path;
  assert.equal(encodePathChallenge(hex(data)).toHex(), challenge);
  assert.equal(encodePathResponse(hex(data)).toHex(), response);
});

Deno.test("createResetTagger() agrees with the vectors", () => {
  for (const { seed, session_id, tag } of vectors.reset_tags) {
    assert.equal(createResetTagger(hex(seed))(...halvesOf(session_id)).toHex(), tag);
  }
});

Deno.test("RetryTokens agrees with the vectors", () => {
  for (const vector of vectors.tokens) {
    const tokens = new RetryTokens({
      clock: { now: () => (vector.time_bucket + 0.5) * RETRY_SECRET_MS },
      random: () => hex(vector.secret),
    });
    const [address, ephemeral] = [hex(vector.address), hex(vector.ephemeral)];
    assert.equal(tokens.issue(address, ephemeral).toHex(), vector.token);
    assert.ok(tokens.verify(hex(vector.token), address, ephemeral));
  }
});

for (const vector of vectors.datagrams) {
  Deno.test(`decodeSealedDatagram() agrees with the vector: ${vector.name}`, () => {
    const datagram = decodeSealedDatagram(hex(vector.bytes));
    assert.equal(datagram.kind, vector.kind);
    if (datagram.kind === "retry") assert.equal(datagram.ephemeral.toHex(), vector.ephemeral);
    if (datagram.kind === "retried") assert.equal(datagram.datagram.toHex(), vector.datagram);
    if (datagram.kind === "retry" || datagram.kind === "retried") {
      assert.equal(datagram.token.toHex(), vector.token);
    }
    if (datagram.kind === "reset") {
      const { sessionIdLow, sessionIdHigh, resetTag } = datagram;
      assert.equal(encodeReset(sessionIdLow, sessionIdHigh, resetTag).toHex(), vector.bytes);
      assert.deepEqual([sessionIdLow, sessionIdHigh], halvesOf(vector.session_id ?? ""));
    }
  });
}

for (const { name, bytes, fault } of vectors.datagrams_refused) {
  Deno.test(`decodeSealedDatagram() refuses the vector: ${name}`, () => {
    assert.deepEqual(decodeSealedDatagram(hex(bytes)), { kind: "malformed", fault });
  });
}
