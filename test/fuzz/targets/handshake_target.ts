/**
 * Handshake packets against live handshakers, one that seals and one that does not, with attempts of
 * their own under way. Each packet is accounted for, and what is sent in answer stays below three times
 * what came.
 */

import assert from "node:assert/strict";
import { lowHalf } from "../../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseInitiator,
  createNoiseKeyPair,
  createPacketCipher,
  encodeMessage1Payload,
  handshakePrologue,
} from "../../../src/core/crypto/mod.ts";
import { createTransportCounters } from "../../../src/core/transport/counters.ts";
import { AddressGuard } from "../../../src/core/transport/handshake/address_guard.ts";
import { HandshakeBudget } from "../../../src/core/transport/handshake/handshake_budget.ts";
import { PeerTable } from "../../../src/core/transport/peers/peers.ts";
import { RetryGate } from "../../../src/core/transport/handshake/retry_gate.ts";
import { FuzzRandom } from "../fuzz_random.ts";
import { Handshaker } from "../../../src/core/transport/handshake/handshake.ts";
import { PacketSender } from "../../../src/core/transport/packet_sender.ts";
import { RoutingHeader } from "../../../src/core/transport/wire/routing_header.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";

const SECRET = new Uint8Array(32).fill(7);
const [own, peer] = [identityOf(1), identityOf(2)];
const keys = createNoiseKeyPair(new Uint8Array(32).fill(11));
const peerKeys = createNoiseKeyPair(new Uint8Array(32).fill(12));
const AMPLIFICATION_MAX = 3;
/** Header in front of a message, and the routing header in front of that. */
const FRAMING_BYTES = 68 + 18;
/** Far beyond what one run needs. */
const PATIENCE_MS = 1e12;
/** Enough for the limiter to let each packet through. */
const STEP_MS = 100;

function identityOf(number: number) {
  return createIdentity(new Uint8Array(32).fill(number));
}

function handshakeTarget(isSealing: boolean): FuzzTarget {
  const counters = createTransportCounters();
  let now = 0;
  let sentBytes = 0;
  const sender = new PacketSender({
    cipher: createPacketCipher({ memoryBytes: 5 * 1024 * 1024, keySlots: 16 }),
    counters,
    routingId: lowHalf(own.nodeId),
    socket: {
      localAddress: { host: "10.9.9.9", port: 1 },
      counters: { sendErrors: 0, receiveErrors: 0 },
      start: () => {},
      send: (bytes, _, onSent) => {
        sentBytes += bytes.length;
        onSent();
      },
      close: () => {},
    },
  });
  const clock = { now: () => now, wallMs: () => now, after: () => () => {}, soon: () => {} };
  const guard = new AddressGuard({ clock, counters, peers: new PeerTable() });
  const chance = new FuzzRandom(5);
  const random = (length: number) => chance.bytes(length);
  const retries = isSealing ? new RetryGate({ clock, random, counters, sender, guard }) : undefined;
  const handshaker = new Handshaker({
    sender,
    counters,
    clock,
    guard,
    budget: new HandshakeBudget({ clock, counters, guard, retries }),
    // The registry counts a session it opens, and says no to none here.
    onAccepted: () => (counters.handshakes_completed_total += 1) > 0,
    onAnswered: () => {},
    onInitiated: () => {
      counters.handshakes_completed_total += 1;
      return undefined;
    },
    onNegotiationFailed: () => {},
  }, {
    nodeId: own.nodeId,
    noiseKeys: keys,
    meshSecret: SECRET,
    expected: [peer.nodeId],
    sealing: isSealing
      ? { entityId: own.entityId, policyOf: () => ({ isRequired: false }) }
      : undefined,
  });
  const target = {
    nodeId: peer.nodeId,
    noisePublicKey: peerKeys.publicKey,
    addresses: [{ host: "10.0.0.2", port: 4_000 }],
  };
  for (const form of ["direct", "routed"] as const) {
    handshaker.attempt({ ...target, form }, PATIENCE_MS).catch(() => {});
  }
  const header = new RoutingHeader();
  header.destinationLow = lowHalf(own.nodeId);
  return {
    corpus: [firstMessage("none"), firstMessage("id"), firstMessage("block")],
    feed: (bytes, random) => {
      now += STEP_MS;
      sentBytes = 0;
      const before = sumOf(counters);
      // Each source has its own allowance; some packets come from where an answer is awaited.
      const from = random.below(4) === 0
        ? { host: "10.0.0.2", port: 4_000 }
        : { host: `10.${random.below(256)}.${random.below(256)}.1`, port: 4_000 };
      if (random.below(3) === 0) handshaker.receiveDirect(bytes, from);
      else {
        header.source = random.below(4) === 0 ? random.u32() : lowHalf(peer.nodeId);
        header.hopCount = random.below(3);
        handshaker.receiveRouted(bytes, header, from);
      }
      assert.equal(sumOf(counters), before + 1, "a packet was not accounted for");
      const cameBytes = bytes.length + FRAMING_BYTES;
      assert.ok(sentBytes <= AMPLIFICATION_MAX * cameBytes, `${sentBytes} for ${cameBytes} bytes`);
      return sentBytes > 0 ? true : undefined;
    },
    stop: () => handshaker.stop(),
  };
}

/** What became of handshake packets that came in. */
function sumOf(c: ReturnType<typeof createTransportCounters>): number {
  return c.handshakes_completed_total + c.retries_sent_total + c.drop_handshake_rate_total +
    c.drop_handshake_refused_total + c.drop_handshake_replayed_total +
    c.drop_handshake_limit_total + c.drop_handshake_negotiation_total;
}

function firstMessage(payload: "none" | "id" | "block"): Uint8Array {
  const noise = createNoiseInitiator({
    prologue: handshakePrologue(lowHalf(peer.nodeId), lowHalf(own.nodeId)),
    psk: SECRET,
    responderStatic: keys.publicKey,
  });
  if (payload === "none") return noise.writeMessage1(new Uint8Array(0));
  const block = encodeMessage1Payload(peer.nodeId, {
    isRequired: false,
    entityId: peer.entityId,
    noisePublicKey: peerKeys.publicKey,
  });
  return noise.writeMessage1(payload === "id" ? block.slice(0, 8) : block);
}

/** The table of this area. */
export const HANDSHAKE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  handshake: () => handshakeTarget(true),
  handshake_compat: () => handshakeTarget(false),
};
