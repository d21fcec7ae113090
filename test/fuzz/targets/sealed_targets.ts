/** Decoders of sealed sessions: blocks, proofs, the exchange of proofs, datagrams, retry tokens. */

import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  decodeMessage1Payload,
  decodeSealedBlock,
  decodeSealedDatagram,
  decodeSealedMessage,
  encodeBoot,
  encodeFarewell,
  encodeMessage1Payload,
  encodePathChallenge,
  encodePathResponse,
  encodeProof,
  encodeReset,
  encodeRetried,
  encodeRetry,
  encodeSealedBlock,
  judgeNegotiation,
  ProofExchange,
  RetryTokens,
} from "../../../src/core/crypto/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { assertSame } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(2);
const [own, peer] = [1, 2].map((n) => createIdentity(new Uint8Array(32).fill(n))) as [
  ReturnType<typeof createIdentity>,
  ReturnType<typeof createIdentity>,
];
const HASH = new Uint8Array(32).fill(3);
const TAG = new Uint8Array(16).fill(4);
const { publicKey: NOISE_KEY } = createNoiseKeyPair(new Uint8Array(32).fill(5));
const blockOf = (isRequired: boolean) => ({
  isRequired,
  entityId: peer.entityId,
  noisePublicKey: NOISE_KEY,
});

function blockTarget(): FuzzTarget {
  return {
    corpus: [true, false].map((isRequired) => encodeSealedBlock(blockOf(isRequired))),
    feed: (bytes) => {
      const reading = decodeSealedBlock(bytes);
      if (reading.kind !== "valid") return undefined;
      // A newer version may be longer and have flags of its own; the rest comes back.
      if (reading.version === 1) assertSame(encodeSealedBlock(reading.block), bytes);
      return reading;
    },
  };
}

function message1Target(): FuzzTarget {
  return {
    corpus: [
      encodeMessage1Payload(peer.nodeId, blockOf(true)),
      encodeMessage1Payload(peer.nodeId, blockOf(false)),
      encodeMessage1Payload(peer.nodeId, blockOf(false)).slice(0, 8),
    ],
    growth: { factor: 16, base: 2_048 },
    feed: (bytes) => {
      const payload = decodeMessage1Payload(bytes);
      if (payload === undefined) return undefined;
      const { nodeId, reading } = payload;
      const expected = { nodeId, ownEntityId: own.entityId, isRequired: true };
      const verdict = judgeNegotiation(reading, expected);
      assert.notEqual(verdict.kind, "compat");
      if (verdict.kind === "sealed") assert.equal(nodeId, peer.nodeId);
      return payload;
    },
  };
}

function validMessages(): readonly Uint8Array[] {
  const proofs = (["initiator", "responder"] as const).map((role) => {
    const [identity, peerEntityId] = role === "initiator"
      ? [own, peer.entityId]
      : [peer, own.entityId];
    const options = { role, identity, handshakeHash: HASH, peerEntityId, resetTag: TAG, now: 0 };
    return new ProofExchange(options).start();
  });
  return [
    ...proofs,
    encodePathChallenge(random.bytes(8)),
    encodePathResponse(random.bytes(8)),
    encodeFarewell(),
    encodeBoot(random.bytes(8)),
  ];
}

function messageTarget(): FuzzTarget {
  return {
    corpus: validMessages(),
    feed: (bytes) => {
      const message = decodeSealedMessage(bytes);
      if (message.kind === "malformed") return undefined;
      if (message.kind === "proof") assertSame(encodeProof(message.proof), bytes);
      else if (message.kind === "path_challenge") {
        assertSame(encodePathChallenge(message.data), bytes);
      } else if (message.kind === "path_response") {
        assertSame(encodePathResponse(message.data), bytes);
      } else if (message.kind === "boot") assertSame(encodeBoot(message.boot), bytes);
      else assertSame(encodeFarewell(), bytes);
      return message;
    },
  };
}

/** Proofs against a live exchange: nothing but the peer's own opens it. */
function proofExchangeTarget(): FuzzTarget {
  const corpus = validMessages();
  const [, genuine] = corpus;
  return {
    corpus,
    feed: (bytes) => {
      const message = decodeSealedMessage(bytes);
      if (message.kind !== "proof") return undefined;
      const exchange = new ProofExchange({
        role: "initiator",
        identity: { entityId: own.entityId, sign: () => new Uint8Array(64) },
        handshakeHash: HASH,
        peerEntityId: peer.entityId,
        resetTag: TAG,
        now: 0,
      });
      exchange.onProof(message.proof);
      // Signature and role are what the identity hangs on; tag and ack are the session's own.
      const signature = genuine?.slice(-64) ?? assert.fail();
      const isGenuine = message.proof.role === "responder" &&
        message.proof.signature.toHex() === signature.toHex();
      assert.equal(exchange.isPeerProven || exchange.state === "pending", isGenuine);
      return isGenuine ? true : undefined;
    },
  };
}

function datagramTarget(): FuzzTarget {
  const tokens = new RetryTokens({ clock: { now: () => 0 }, random: (n) => random.bytes(n) });
  const address = new Uint8Array(19).fill(6);
  const ephemeral = random.bytes(32);
  const token = tokens.issue(address, ephemeral);
  return {
    corpus: [
      encodeRetry(ephemeral, token),
      encodeRetried(token, random.bytes(142)),
      encodeRetried(token, random.bytes(210)),
      encodeReset(random.u32(), random.u32(), TAG),
    ],
    feed: (bytes) => {
      const datagram = decodeSealedDatagram(bytes);
      switch (datagram.kind) {
        case "malformed":
          return undefined;
        case "reset": {
          const { sessionIdLow, sessionIdHigh, resetTag } = datagram;
          assertSame(encodeReset(sessionIdLow, sessionIdHigh, resetTag), bytes);
          break;
        }
        case "retried": {
          assertSame(encodeRetried(datagram.token, datagram.datagram), bytes);
          const isGenuine = datagram.token.toHex() === token.toHex();
          assert.equal(tokens.verify(datagram.token, address, ephemeral), isGenuine);
          break;
        }
        case "retry":
          assertSame(encodeRetry(datagram.ephemeral, datagram.token), bytes);
      }
      return datagram;
    },
  };
}

/** The table of this area. */
export const SEALED_TARGETS: Readonly<Record<string, CreateTarget>> = {
  sealed_block: blockTarget,
  message1_payload: message1Target,
  sealed_message: messageTarget,
  proof_exchange: proofExchangeTarget,
  sealed_datagram: datagramTarget,
};
