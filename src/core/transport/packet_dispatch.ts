/**
 * What becomes of an opened packet: proofs and paths, limits, sessions that were replaced, heartbeats,
 * events, stream control, messages (`wire.md` 5 to 8).
 */
import { joinHalves } from "../../base/mod.ts";
import { decodeSealedMessage, SUBPROTOCOL_SEALED } from "../crypto/mod.ts";
import { answerBuiltin } from "./builtin_messages.ts";
import { type ConductTable, Misconduct } from "./peers/conduct.ts";
import { RESET_BYTES } from "./wire/control_frames.ts";
import { receiveControl } from "./streams/control_plane.ts";
import type { TransportCounters } from "./counters.ts";
import { EventCursor } from "./wire/event_frame.ts";
import { FLAG_HEARTBEAT, FLAG_RELIABLE, type PacketHeader } from "./wire/header.ts";
import type { Liveness } from "./peers/liveness.ts";
import type { MessageHandler } from "./message_plane.ts";
import type { Paths } from "./session/paths.ts";
import { type RateLimits, TrafficKind } from "./peers/rate_limits.ts";
import type { Routing } from "./routing/routing.ts";
import type { Session } from "./session/session.ts";
import type { SessionRegistry } from "./session/session_registry.ts";
import { isAnnouncement, isStreamControl, SUBPROTOCOL_RESET } from "./wire/subprotocols.ts";
import type { SocketAddress } from "./types.ts";

/** What {@linkcode PacketDispatch} needs. */
export interface PacketDispatchDeps {
  /** The cipher's: packets lie here. */
  readonly memory: Uint8Array;
  readonly counters: TransportCounters;
  readonly sessions: SessionRegistry;
  readonly routing: Routing;
  readonly rates: RateLimits;
  readonly conduct: ConductTable;
  readonly liveness: Liveness;
  readonly paths: Paths;
  /** A peer said that it stops. */
  readonly onFarewell: (session: Session) => void;
  /** Handlers of subprotocols that planes above registered. */
  readonly messageHandlers: ReadonlyMap<number, MessageHandler>;
}

/** Hands opened packets to whoever they are for. */
export class PacketDispatch {
  readonly #deps: PacketDispatchDeps;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #cursor = new EventCursor();

  constructor(deps: PacketDispatchDeps) {
    const { memory } = deps;
    this.#deps = deps;
    this.#memory = memory;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  /**
   * Takes an authentic packet that was not here before.
   *
   * @param payloadAt Where its plaintext lies.
   * @param length Bytes of the whole packet.
   * @param isRouted It came behind a routing header.
   */
  dispatch(
    session: Session,
    header: PacketHeader,
    payloadAt: number,
    length: number,
    from: SocketAddress,
    isRouted: boolean,
    now: number,
  ): void {
    if (session.isSealed && !this.#passProof(session, header, payloadAt, from, isRouted)) return;
    this.#noteAuthentic(session, length, now);
    if (from !== session.source && !isRouted) {
      const isNewest = session.replay.isNewest(header.counterLow, header.counterHigh);
      this.#deps.paths.note(session, from, isNewest, length);
    }
    if (!this.#isWithinLimit(session, header, length, now)) return;
    const { counters } = this.#deps;
    const { flags, subprotocol, streamLow, streamHigh, payloadLength, eventCount } = header;
    const isHeartbeat = (flags & FLAG_HEARTBEAT) !== 0;
    if (session.supersededAt !== undefined) {
      counters.drop_superseded_total += 1;
      if (!isHeartbeat) this.#turnAway(session, header, payloadAt);
    } else if (isHeartbeat) {
      counters.rx_heartbeats_total += 1;
      this.#deps.liveness.onHeartbeat(session.peer);
      this.#deps.routing.onHeartbeat(session.peer);
    } else if (subprotocol === 0) {
      counters.rx_event_packets_total += 1;
      session.streams.receive(
        streamLow,
        streamHigh,
        (flags & FLAG_RELIABLE) !== 0,
        readSequence(header),
        payloadAt,
        payloadLength,
        eventCount,
        now,
        header.originLow,
        header.originHigh,
      );
    } else if (isStreamControl(subprotocol)) {
      counters.rx_control_packets_total += 1;
      this.#receiveControl(session, header, payloadAt, now);
    } else this.#receiveMessages(session, header, payloadAt, now);
  }

  /**
   * Takes what belongs to the proofs and paths of a sealed session, and lets other packets through once
   * the proofs are done (`sealed.md` 3, 5).
   */
  #passProof(
    session: Session,
    header: PacketHeader,
    payloadAt: number,
    from: SocketAddress,
    isRouted: boolean,
  ): boolean {
    const { counters, sessions, paths } = this.#deps;
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
      if (message.kind === "farewell" && session.isOpen) {
        this.#deps.onFarewell(session);
        return false;
      }
      if (message.kind === "boot") {
        sessions.noteBoot(session, message.boot);
        continue;
      }
      if (message.kind !== "proof") {
        const isTaken = "data" in message &&
          paths.receive(session, message, from, isRouted);
        if (!isTaken) counters.drop_sealed_message_total += 1;
        continue;
      }
      // A copy that comes after the exchange is over says nothing new.
      const answer = proof?.onProof(message.proof);
      if (answer !== undefined) session.sendProof(answer);
      sessions.settleProof(session);
      if (session.isEnded) return false;
    }
    return false;
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

  #receiveControl(session: Session, header: PacketHeader, payloadAt: number, now: number): void {
    const { counters, conduct } = this.#deps;
    const { subprotocol, payloadLength, eventCount } = header;
    const cursor = this.#cursor;
    cursor.reset(this.#memory, payloadAt, payloadLength, eventCount);
    while (cursor.next()) {
      const { start, end } = cursor;
      if (receiveControl(session, subprotocol, this.#view, start, end - start, now)) continue;
      counters.drop_malformed_control_total += 1;
      conduct.note(session.peer.slot, Misconduct.MalformedAuthentic);
    }
  }

  #receiveMessages(session: Session, header: PacketHeader, payloadAt: number, now: number): void {
    const { counters, messageHandlers, routing } = this.#deps;
    const { subprotocol, payloadLength, eventCount } = header;
    const handler = messageHandlers.get(subprotocol);
    const from = session.peer.nodeId;
    const streamId = joinHalves(header.streamLow, header.streamHigh);
    const sequence = readSequence(header);
    // Views into the receive buffer stay valid until the next datagram, so handlers run before that.
    const events: Uint8Array[] = [];
    const cursor = this.#cursor;
    cursor.reset(this.#memory, payloadAt, payloadLength, eventCount);
    while (cursor.next()) events.push(this.#memory.subarray(cursor.start, cursor.end));
    if (handler === undefined && !answerBuiltin({ session, routing, now }, subprotocol, events)) {
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
