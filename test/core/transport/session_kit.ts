/** Real sessions without handshakes, for the parts of the transport that only book-keep them. */

import { joinHalves } from "../../../src/base/mod.ts";
import {
  createPacketCipher,
  type PacketCipher,
  ReplayWindows,
} from "../../../src/core/crypto/mod.ts";
import { createTransportCounters } from "../../../src/core/transport/counters.ts";
import type { HandshakeResult } from "../../../src/core/transport/handshake/handshake_types.ts";
import { Egress } from "../../../src/core/transport/routing/egress.ts";
import { EventCursor } from "../../../src/core/transport/wire/event_frame.ts";
import { PacketStore } from "../../../src/core/transport/streams/packet_store.ts";
import type { SocketAddress } from "../../../src/core/transport/mod.ts";
import { ReorderBudget } from "../../../src/core/transport/streams/reorder_buffer.ts";
import { PacketSender } from "../../../src/core/transport/packet_sender.ts";
import { type Peer, PeerTable } from "../../../src/core/transport/peers/peers.ts";
import { ScheduledPackets } from "../../../src/core/transport/streams/scheduled_packets.ts";
import { Session } from "../../../src/core/transport/session/session.ts";
import type { SessionContext } from "../../../src/core/transport/session/session_context.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** The session timeout of the kit's peers. */
export const TIMEOUT_MS = 30_000;

/** Options of {@linkcode createSessionKit}. */
export interface SessionKitOptions {
  /** Keys the cipher has room for; two per session. */
  readonly keySlots?: number;
}

/** Everything a session needs, over a socket that swallows what is sent. */
export function createSessionKit(options: SessionKitOptions = {}) {
  const clock = new ManualClock();
  const counters = createTransportCounters();
  const cipher: PacketCipher = createPacketCipher({
    memoryBytes: 5 * 1024 * 1024,
    keySlots: options.keySlots ?? 256,
  });
  const sent: SocketAddress[] = [];
  const sender = new PacketSender({
    cipher,
    counters,
    routingId: 1,
    socket: {
      localAddress: addressOf(0),
      counters: { sendErrors: 0, receiveErrors: 0 },
      start: () => {},
      send: (_, to, onSent) => {
        sent.push(to);
        onSent();
      },
      close: () => {},
    },
  });
  const store = new PacketStore(cipher);
  const context = {
    cipher,
    sender,
    counters,
    clock,
    guard: { mayAnswer: () => true },
    store,
    egress: new Egress({ sender, counters, memory: cipher.memory }),
    scheduled: new ScheduledPackets(store),
    view: new DataView(cipher.memory.buffer),
    cursor: new EventCursor(),
    replayWindows: new ReplayWindows(),
    onEvent: () => {},
    hasEventHandler: () => true,
    acceptStream: () => false,
    onBusy: () => {},
    /** Every session of the kit is a compat one. */
    reorderBudget: new ReorderBudget(),
    prover: undefined,
  } satisfies SessionContext & Record<string, unknown>;
  const peers = new PeerTable();
  /** A direct peer with a session, as if a handshake had ended well. */
  const connect = (nodeId: bigint): Peer => {
    const address = addressOf(Number(nodeId));
    const peer = peers.getOrCreate(nodeId, address, clock.now());
    if (peer === undefined) throw new Error("Cannot connect: the peer table is full");
    peer.session = new Session(context, peer, resultOf(nodeId));
    peer.session.isConfirmed = true;
    peer.session.isAddressProven = true;
    peer.state = "connected";
    peers.setRoute(peer, { address, relayTo: undefined }, true);
    return peer;
  };
  return { clock, counters, cipher, context, peers, sent, connect };
}

/** The one address of a node. */
export function addressOf(number: number): SocketAddress {
  return { host: `10.0.${number >> 8 & 0xff}.${number & 0xff}`, port: 4_000 };
}

let handshakes = 0;

/** The outcome of a handshake of its own; what is left out is ordinary. */
export function resultOf(nodeId: bigint, fields: Partial<HandshakeResult> = {}): HandshakeResult {
  const number = ++handshakes;
  const key = new Uint8Array(32).fill(number & 0xff);
  const keys = {
    sessionId: joinHalves(number, 9),
    sessionIdLow: number,
    sessionIdHigh: 9,
    noncePrefix: (number ^ 9) >>> 0,
    sendKey: key,
    receiveKey: key,
    routeHopSendKey: key,
    routeHopReceiveKey: key,
  };
  return {
    nodeId,
    keys,
    isInitiator: false,
    ephemeral: `ephemeral ${number}`,
    form: "routed",
    address: addressOf(Number(nodeId)),
    isAddressProven: false,
    isRelayed: false,
    ...fields,
  };
}
