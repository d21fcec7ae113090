/**
 * The way of a datagram from the socket to whoever asked for it: class, routing header, packet header,
 * session, tag, replay window, plane (`wire.md` 2 to 5, 9). Each stage counts what it got and what
 * became of it; `checkCounters` adds them up.
 */
import { type Clock, highHalf, joinHalves, lowHalf } from "../../base/mod.ts";
import {
  decodeSealedMessage,
  FLAG_EPOCH_PARITY,
  type PacketCipher,
  SUBPROTOCOL_SEALED,
} from "../crypto/mod.ts";
import { answerBuiltin } from "./builtin_messages.ts";
import { classifyDatagram, DatagramClass } from "./classify.ts";
import { receiveControl, SUBPROTOCOL_GRANT, SUBPROTOCOL_SACK } from "./control_plane.ts";
import type { TransportCounters } from "./counters.ts";
import type { Discovery } from "./discovery.ts";
import { EventCursor } from "./event_frame.ts";
import type { Handshaker } from "./handshake.ts";
import {
  FLAG_HANDSHAKE,
  FLAG_HEARTBEAT,
  FLAG_RELIABLE,
  HEADER_BYTES,
  PacketHeader,
  PacketReject,
  readHeader,
  validatePacket,
} from "./header.ts";
import { TokenBucket } from "./limiters.ts";
import { FOREIGN_RELAYS_PER_SECOND } from "./limits.ts";
import type { PacketSender } from "./packet_sender.ts";
import type { Paths } from "./paths.ts";
import type { Peer, PeerTable } from "./peers.ts";
import { PINGWAVE_BYTES } from "./pingwave.ts";
import {
  forwardRoutingHeader,
  readRoutingHeader,
  ROUTING_HEADER_BYTES,
  RoutingHeader,
} from "./routing_header.ts";
import type { Session } from "./session.ts";
import type { SealedDatagrams } from "./sealed_datagrams.ts";
import type { SessionResets } from "./session_resets.ts";
import type { SessionRegistry } from "./session_registry.ts";
import type { SocketAddress, SubprotocolMessage } from "./types.ts";

/** What {@linkcode PacketReceiver} needs. */
export interface PacketReceiverDeps {
  readonly cipher: PacketCipher;
  readonly clock: Clock;
  readonly counters: TransportCounters;
  readonly sender: PacketSender;
  readonly peers: PeerTable;
  readonly sessions: SessionRegistry;
  readonly discovery: Discovery;
  readonly handshaker: Handshaker;
  /** Handlers of subprotocols that planes above registered. */
  readonly messageHandlers: ReadonlyMap<number, (message: SubprotocolMessage) => void>;
  /** Says and hears that sessions were lost; `undefined` where no session is sealed. */
  readonly resets: SessionResets | undefined;
  /** Takes the sealing's own class of datagrams; `undefined` as above. */
  readonly sealedDatagrams: SealedDatagrams | undefined;
  readonly paths: Paths;
  /** An authentic heartbeat of the peer came in. */
  readonly onHeartbeat: (peer: Peer) => void;
}

/** Receives datagrams. */
export class PacketReceiver {
  readonly #deps: PacketReceiverDeps;
  readonly #low: number;
  readonly #high: number;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #header = new PacketHeader();
  readonly #routing = new RoutingHeader();
  readonly #cursor = new EventCursor();
  readonly #foreignRelays: TokenBucket;

  constructor(deps: PacketReceiverDeps, nodeId: bigint) {
    this.#deps = deps;
    this.#low = lowHalf(nodeId);
    this.#high = highHalf(nodeId);
    const { memory } = deps.cipher;
    this.#memory = memory;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.#foreignRelays = new TokenBucket(FOREIGN_RELAYS_PER_SECOND, deps.clock.now());
  }

  /**
   * Takes one datagram.
   *
   * @param at Where it lies in the cipher's memory; packets are opened there.
   */
  receive(at: number, length: number, from: SocketAddress): void {
    const { counters } = this.#deps;
    counters.rx_datagrams_total += 1;
    counters.rx_bytes_total += length;
    switch (classifyDatagram(this.#view, at, length)) {
      case DatagramClass.Direct:
        counters.rx_direct_total += 1;
        this.#receivePacket(at, length, from, undefined);
        break;
      case DatagramClass.Routed:
        counters.rx_routed_total += 1;
        this.#receiveRouted(at, length, from);
        break;
      case DatagramClass.Pingwave:
        counters.rx_pingwaves_total += 1;
        this.#receivePingwave(at, from);
        break;
      case DatagramClass.Sealed:
        counters.rx_sealed_datagrams_total += 1;
        if (this.#deps.sealedDatagrams === undefined) counters.drop_sealed_datagram_total += 1;
        else this.#deps.sealedDatagrams.receive(this.#memory.subarray(at, at + length), from);
        break;
      case DatagramClass.KeepAlive:
        counters.rx_keepalives_total += 1;
        break;
      case DatagramClass.RouteHop:
        counters.drop_route_hop_total += 1;
        break;
      default:
        counters.drop_unknown_class_total += 1;
    }
  }

  #receivePingwave(at: number, from: SocketAddress): void {
    const bytes = this.#memory.subarray(at, at + PINGWAVE_BYTES);
    const next = this.#deps.discovery.receive(bytes, this.#deps.peers.ownerOf(from));
    for (const peer of next) this.#deps.sender.sendRaw(bytes, peer.route.address);
  }

  #receiveRouted(at: number, length: number, from: SocketAddress): void {
    const { counters } = this.#deps;
    const routing = this.#routing;
    readRoutingHeader(this.#view, at, routing);
    if (routing.destinationLow === this.#low && routing.destinationHigh === this.#high) {
      counters.routed_delivered_total += 1;
      const packetAt = at + ROUTING_HEADER_BYTES;
      this.#receivePacket(packetAt, length - ROUTING_HEADER_BYTES, from, routing);
      return;
    }
    const next = this.#deps.discovery.nextHop(routing.destinationLow, routing.destinationHigh);
    const isKnown = this.#deps.peers.ownerOf(from) !== undefined;
    if (next === undefined) counters.drop_relay_no_route_total += 1;
    else if (!isKnown && !this.#foreignRelays.take(1, this.#deps.clock.now())) {
      counters.drop_relay_limit_total += 1;
    } else if (!forwardRoutingHeader(this.#memory, at)) counters.drop_relay_ttl_total += 1;
    else {
      counters.relayed_packets_total += 1;
      this.#deps.sender.sendRaw(this.#memory.subarray(at, at + length), next.route.address);
    }
  }

  #receivePacket(
    at: number,
    length: number,
    from: SocketAddress,
    routing: RoutingHeader | undefined,
  ): void {
    const { counters } = this.#deps;
    const header = this.#header;
    counters.rx_packets_total += 1;
    if (validatePacket(this.#view, at, length) !== PacketReject.None) {
      counters.drop_bad_header_total += 1;
      return;
    }
    readHeader(this.#view, at, header);
    const payloadAt = at + HEADER_BYTES;
    if ((header.flags & FLAG_HANDSHAKE) !== 0) {
      counters.rx_handshakes_total += 1;
      const message = this.#memory.slice(payloadAt, payloadAt + header.payloadLength);
      if (routing === undefined) this.#deps.handshaker.receiveDirect(message, from);
      else this.#deps.handshaker.receiveRouted(message, routing, from);
      return;
    }
    const isHeartbeat = (header.flags & FLAG_HEARTBEAT) !== 0;
    if (isHeartbeat && routing !== undefined) {
      counters.drop_routed_heartbeat_total += 1;
      return;
    }
    const session = this.#deps.sessions.get(header.sessionLow, header.sessionHigh);
    if (session === undefined) {
      counters.drop_unknown_session_total += 1;
      const { sessionLow, sessionHigh } = header;
      this.#deps.resets?.answer(sessionLow, sessionHigh, from, routing !== undefined, length);
      return;
    }
    const { cipher, clock } = this.#deps;
    const now = clock.now();
    const { epochs } = session;
    const counter = header.counterHigh * 0x1_0000_0000 + header.counterLow;
    const parity = (header.flags & FLAG_EPOCH_PARITY) === 0 ? 0 : 1;
    const epochKey = epochs?.receiveSlot(parity, counter, now);
    const key = epochs === undefined ? session.receiveKey : epochKey?.slot;
    if (key === undefined) {
      counters.drop_epoch_key_total += 1;
      return;
    }
    if (!cipher.openPacket(key, at, header.payloadLength, session.noncePrefix)) {
      counters.drop_bad_tag_total += 1;
      return;
    }
    if (!session.replay.accept(header.counterLow, header.counterHigh)) {
      counters.drop_replay_total += 1;
      return;
    }
    counters.rx_opened_total += 1;
    if (epochKey !== undefined) epochs?.onAuthentic(epochKey, counter, now);
    if (session.proof !== undefined && !this.#passProof(session, payloadAt, from, routing)) return;
    this.#noteAuthentic(session, length, now);
    if (from !== session.source && routing === undefined) {
      const isNewest = session.replay.isNewest(header.counterLow, header.counterHigh);
      this.#deps.paths.note(session, from, isNewest, length);
    }
    if (session.supersededAt !== undefined) {
      // Its streams are over: acknowledging anything of them would be a lie.
      counters.drop_superseded_total += 1;
      if (header.subprotocol === 0 && !isHeartbeat) {
        session.streams.sendReset(header.streamLow, header.streamHigh);
      }
      return;
    }
    if (isHeartbeat) {
      counters.rx_heartbeats_total += 1;
      this.#deps.onHeartbeat(session.peer);
    } else this.#dispatch(session, header, payloadAt, now);
  }

  /**
   * Takes what belongs to the proofs and paths of a sealed session, and lets other packets through once
   * the proofs are done (`sealed.md` 3, 5).
   */
  #passProof(
    session: Session,
    payloadAt: number,
    from: SocketAddress,
    routing: RoutingHeader | undefined,
  ): boolean {
    const { counters, sessions, paths } = this.#deps;
    const header = this.#header;
    const { proof } = session;
    if (proof === undefined) return true;
    if (!session.isAddressProven) sessions.proveAddress(session);
    if (header.subprotocol !== SUBPROTOCOL_SEALED) {
      const isOpen = proof.onOtherPacket();
      sessions.settleProof(session);
      if (!isOpen) counters.drop_unproven_total += 1;
      return isOpen;
    }
    counters.rx_proofs_total += 1;
    const cursor = this.#cursor;
    cursor.reset(this.#memory, payloadAt, header.payloadLength, header.eventCount);
    while (cursor.next()) {
      const message = decodeSealedMessage(this.#memory.slice(cursor.start, cursor.end));
      if (message.kind !== "proof") {
        const isTaken = message.kind !== "malformed" &&
          paths.receive(session, message, from, routing !== undefined);
        if (!isTaken) counters.drop_sealed_message_total += 1;
        continue;
      }
      const answer = proof.onProof(message.proof);
      if (answer !== undefined) session.sendSealedMessage(answer);
      sessions.settleProof(session);
      if (session.isEnded) return false;
    }
    return false;
  }

  #noteAuthentic(session: Session, length: number, now: number): void {
    const { peer } = session;
    session.lastReceivedAt = now;
    peer.packetsReceived += 1;
    peer.bytesReceived += length;
    if (!session.isConfirmed) this.#deps.sessions.confirm(session);
    // A session that is no longer used says nothing about the one that is.
    if (peer.session !== session) return;
    peer.lastReceivedAt = now;
    // No heartbeat passes a relay, so there any packet brings a failed peer back.
    if (peer.state === "failed" && peer.route.relayTo !== undefined) this.#deps.onHeartbeat(peer);
  }

  #dispatch(session: Session, header: PacketHeader, payloadAt: number, now: number): void {
    const { counters } = this.#deps;
    const { subprotocol, payloadLength, eventCount } = header;
    if (subprotocol === 0) {
      counters.rx_event_packets_total += 1;
      session.streams.receive(
        header.streamLow,
        header.streamHigh,
        (header.flags & FLAG_RELIABLE) !== 0,
        readSequence(header),
        payloadAt,
        payloadLength,
        eventCount,
        now,
      );
      return;
    }
    const cursor = this.#cursor;
    if (subprotocol >= SUBPROTOCOL_GRANT && subprotocol <= SUBPROTOCOL_SACK) {
      counters.rx_control_packets_total += 1;
      cursor.reset(this.#memory, payloadAt, payloadLength, eventCount);
      while (cursor.next()) {
        const { start, end } = cursor;
        if (!receiveControl(session, subprotocol, this.#view, start, end - start, now)) {
          counters.drop_malformed_control_total += 1;
        }
      }
      return;
    }
    const handler = this.#deps.messageHandlers.get(subprotocol);
    const from = session.peer.nodeId;
    const streamId = joinHalves(header.streamLow, header.streamHigh);
    const sequence = readSequence(header);
    const builtin = { session, discovery: this.#deps.discovery, now };
    // Views into the receive buffer stay valid until the next datagram, so handlers run before that.
    const events: Uint8Array[] = [];
    cursor.reset(this.#memory, payloadAt, payloadLength, eventCount);
    while (cursor.next()) events.push(this.#memory.subarray(cursor.start, cursor.end));
    if (handler === undefined && !answerBuiltin(builtin, subprotocol, events)) {
      counters.drop_unknown_subprotocol_total += 1;
      return;
    }
    counters.rx_message_packets_total += 1;
    for (const payload of events) handler?.({ from, subprotocol, streamId, sequence, payload });
  }
}

/** Sequences beyond what a double holds exactly cannot be in any window. */
function readSequence(header: PacketHeader): number {
  return header.sequenceHigh >= 0x20_0000
    ? Infinity
    : header.sequenceHigh * 0x1_0000_0000 + header.sequenceLow;
}
