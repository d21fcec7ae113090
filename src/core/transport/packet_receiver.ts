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
import { type ConductTable, Misconduct } from "./conduct.ts";
import { RESET_BYTES } from "./control_frames.ts";
import {
  receiveControl,
  SUBPROTOCOL_GRANT,
  SUBPROTOCOL_RESET,
  SUBPROTOCOL_SACK,
} from "./control_plane.ts";
import type { TransportCounters } from "./counters.ts";
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
import type { Liveness } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { PeerTable } from "./peers.ts";
import type { Pingwaves } from "./pingwaves.ts";
import { type RateLimits, STRANGERS, TrafficKind } from "./rate_limits.ts";
import type { Relay } from "./relay.ts";
import { readRoutingHeader, ROUTING_HEADER_BYTES, RoutingHeader } from "./routing_header.ts";
import type { Routing } from "./routing.ts";
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
  readonly peers: PeerTable;
  readonly sessions: SessionRegistry;
  readonly routing: Routing;
  readonly pingwaves: Pingwaves;
  readonly relay: Relay;
  readonly rates: RateLimits;
  readonly conduct: ConductTable;
  readonly liveness: Liveness;
  readonly handshaker: Handshaker;
  /** Handlers of subprotocols that planes above registered. */
  readonly messageHandlers: ReadonlyMap<number, (message: SubprotocolMessage) => void>;
  /** Says and hears that sessions were lost; `undefined` where no session is sealed. */
  readonly resets: SessionResets | undefined;
  /** Takes the sealing's own class of datagrams; `undefined` as above. */
  readonly sealedDatagrams: SealedDatagrams | undefined;
  readonly paths: Paths;
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

  constructor(deps: PacketReceiverDeps, nodeId: bigint) {
    this.#deps = deps;
    this.#low = lowHalf(nodeId);
    this.#high = highHalf(nodeId);
    const { memory } = deps.cipher;
    this.#memory = memory;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
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
    const { clock, peers, pingwaves } = this.#deps;
    pingwaves.receive(this.#memory, this.#view, at, peers.ownerOf(from), clock.now());
  }

  #receiveRouted(at: number, length: number, from: SocketAddress): void {
    const routing = this.#routing;
    readRoutingHeader(this.#view, at, routing);
    if (routing.destinationLow !== this.#low || routing.destinationHigh !== this.#high) {
      this.#deps.relay.receive(at, length, routing, from, this.#deps.clock.now());
      return;
    }
    this.#deps.counters.routed_delivered_total += 1;
    this.#receivePacket(at + ROUTING_HEADER_BYTES, length - ROUTING_HEADER_BYTES, from, routing);
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
      const { conduct, peers } = this.#deps;
      conduct.note(peers.ownerOf(from)?.slot ?? STRANGERS, Misconduct.Malformed);
      return;
    }
    readHeader(this.#view, at, header);
    const payloadAt = at + HEADER_BYTES;
    if ((header.flags & FLAG_HANDSHAKE) !== 0) {
      counters.rx_handshakes_total += 1;
      // A view: most of a flood is dropped unread.
      const message = this.#memory.subarray(payloadAt, payloadAt + header.payloadLength);
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
      this.#receiveUnknown(at, length, header, from, routing !== undefined);
      return;
    }
    const { cipher, clock } = this.#deps;
    const now = clock.now();
    const { epochs } = session;
    const counter = header.counterHigh * 0x1_0000_0000 + header.counterLow;
    const parity = (header.flags & FLAG_EPOCH_PARITY) === 0 ? 0 : 1;
    const key = epochs === undefined
      ? session.receiveKey
      : epochs.receiveSlot(parity, counter, now);
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
    epochs?.onAuthentic(key, counter, now);
    if (epochs !== undefined && !this.#passProof(session, payloadAt, from, routing)) return;
    this.#noteAuthentic(session, length, now);
    if (from !== session.source && routing === undefined) {
      const isNewest = session.replay.isNewest(header.counterLow, header.counterHigh);
      this.#deps.paths.note(session, from, isNewest, length);
    }
    if (!this.#isWithinLimit(session, header, length, now)) return;
    if (session.supersededAt !== undefined) {
      counters.drop_superseded_total += 1;
      if (!isHeartbeat) this.#turnAway(session, header, payloadAt);
      return;
    }
    if (isHeartbeat) {
      counters.rx_heartbeats_total += 1;
      this.#deps.liveness.onHeartbeat(session.peer);
      this.#deps.routing.onHeartbeat(session.peer);
    } else this.#dispatch(session, header, payloadAt, now);
  }

  /** Takes a packet whose session is not here: lost, forged, or somebody else's. */
  #receiveUnknown(
    at: number,
    length: number,
    { sessionLow, sessionHigh }: PacketHeader,
    from: SocketAddress,
    isRouted: boolean,
  ): void {
    const { clock, counters, relay, resets } = this.#deps;
    if (
      !isRouted &&
      relay.receiveUnwrapped(at, length, sessionLow, sessionHigh, from, clock.now())
    ) return;
    counters.drop_unknown_session_total += 1;
    resets?.answer(sessionLow, sessionHigh, from, isRouted, length);
  }

  /** Counts an authentic packet towards what its peer may send; false when that is too much. */
  #isWithinLimit(session: Session, header: PacketHeader, length: number, now: number): boolean {
    const { counters, conduct, rates } = this.#deps;
    const { subprotocol } = header;
    const kind = subprotocol !== 0
      ? isAnnouncement(subprotocol) ? TrafficKind.Announcement : TrafficKind.Control
      : (header.flags & FLAG_HEARTBEAT) !== 0
      ? TrafficKind.Control
      : TrafficKind.Data;
    const { slot } = session.peer;
    if (rates.take(slot, kind, length, now)) return true;
    if (kind === TrafficKind.Data) counters.drop_data_limit_total += 1;
    else if (kind === TrafficKind.Control) counters.drop_control_limit_total += 1;
    else counters.drop_announcement_limit_total += 1;
    conduct.note(slot, Misconduct.Flood);
    return false;
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
    if (!session.isAddressProven) sessions.proveAddress(session);
    if (header.subprotocol !== SUBPROTOCOL_SEALED) {
      if (proof === undefined) return true;
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
      // A copy that comes after the exchange is over says nothing new.
      const answer = proof?.onProof(message.proof);
      if (answer !== undefined) session.sendSealedMessage(answer);
      sessions.settleProof(session);
      if (session.isEnded) return false;
    }
    return false;
  }

  /**
   * Answers a packet on a session that another one replaced: its streams are over, and acknowledging
   * anything of them would be a lie. A reader that was opened on the new session meanwhile, and waits
   * for this very stream, is told so too.
   */
  #turnAway(session: Session, header: PacketHeader, payloadAt: number): void {
    const { subprotocol, streamLow, streamHigh, payloadLength, eventCount } = header;
    const current = session.peer.session?.streamsIfAny;
    if (subprotocol === 0) {
      session.streams.sendReset(streamLow, streamHigh);
      current?.onTurnedAway(streamLow, streamHigh);
    } else if (subprotocol === SUBPROTOCOL_RESET) {
      const cursor = this.#cursor;
      cursor.reset(this.#memory, payloadAt, payloadLength, eventCount);
      while (cursor.next()) {
        if (cursor.end - cursor.start !== RESET_BYTES) continue;
        const low = this.#view.getUint32(cursor.start, true);
        current?.onTurnedAway(low, this.#view.getUint32(cursor.start + 4, true));
      }
    }
  }

  #noteAuthentic(session: Session, length: number, now: number): void {
    const { peer } = session;
    peer.packetsReceived += 1;
    peer.bytesReceived += length;
    if (!session.isConfirmed) this.#deps.sessions.confirm(session);
    // A session that is no longer used says nothing about the one that is.
    if (peer.session !== session) return;
    peer.lastReceivedAt = now;
    // No heartbeat passes a relay, so there any packet brings a failed or suspected peer back.
    if (peer.state !== "connected" && peer.relayTo !== undefined) {
      this.#deps.liveness.onSign(peer, now);
    }
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
          this.#deps.conduct.note(session.peer.slot, Misconduct.MalformedAuthentic);
        }
      }
      return;
    }
    const handler = this.#deps.messageHandlers.get(subprotocol);
    const from = session.peer.nodeId;
    const streamId = joinHalves(header.streamLow, header.streamHigh);
    const sequence = readSequence(header);
    const builtin = { session, routing: this.#deps.routing, now };
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

/** Messages that cost a signature check: announcements, scoped ones, folds (`wire.md` 8). */
function isAnnouncement(subprotocol: number): boolean {
  return subprotocol === 0x0c00 || subprotocol === 0x0c04 || subprotocol === 0x1000;
}

/** Sequences beyond what a double holds exactly cannot be in any window. */
function readSequence(header: PacketHeader): number {
  return header.sequenceHigh >= 0x20_0000
    ? Infinity
    : header.sequenceHigh * 0x1_0000_0000 + header.sequenceLow;
}
