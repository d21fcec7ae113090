/**
 * A session: keys, counters and streams shared with one peer (`wire.md` 4.3, 5, 7).
 *
 * The transport hands it opened packets; what it sends goes through the packet sender. Retransmission
 * and liveness are driven from outside by `tick` and `sweep`.
 */

import { type Clock, PairMap } from "../../base/mod.ts";
import {
  EpochKeys,
  FLAG_EPOCH_PARITY,
  type Identity,
  type PacketCipher,
  ProofExchange,
  ReplayWindow,
  type ResetTagger,
  SUBPROTOCOL_SEALED,
} from "../crypto/mod.ts";
import type { AddressGuard } from "./address_guard.ts";
import type { BufferPool } from "./buffer_pool.ts";
import { RESET_BYTES } from "./control_frames.ts";
import type { TransportCounters } from "./counters.ts";
import { EventCursor, FRAME_PREFIX_BYTES } from "./event_frame.ts";
import { FLAG_HEARTBEAT, FLAG_RELIABLE } from "./header.ts";
import { GrantQueue } from "./grant_queue.ts";
import type { HandshakeResult } from "./handshake.ts";
import {
  PACKET_OVERHEAD_BYTES,
  STREAM_IDLE_MS,
  STREAM_LINGER_MS,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
} from "./limits.ts";
import type { PacketRoute, PacketSender, SealingSession } from "./packet_sender.ts";
import type { Peer } from "./peers.ts";
import { receiveHorizon, ReceiveState } from "./receive_state.ts";
import { type ReorderBudget, ReorderBuffer } from "./reorder_buffer.ts";
import { ROUTING_HEADER_BYTES } from "./routing_header.ts";
import { SendState, type UnackedPacket } from "./send_state.ts";
import { Stream } from "./stream.ts";
import type { SocketAddress, StreamEnd } from "./types.ts";

/** The control stream's id, 2^64 − 1, as a half. */
const ALL_ONES = 0xffffffff;
const SUBPROTOCOL_RESET = 0x0b02;
const EMPTY = new Uint8Array(0);

/** What all sessions of a transport share. */
export interface SessionContext {
  readonly cipher: PacketCipher;
  readonly sender: PacketSender;
  readonly counters: TransportCounters;
  readonly clock: Clock;
  /** Asked before anything is sent to an address that is not proven. */
  readonly guard: Pick<AddressGuard, "mayAnswer">;
  readonly buffers: BufferPool;
  /** Memory that all ordered streams share. */
  readonly reorderBudget: ReorderBudget;
  /** Takes events of streams that nobody diverted. */
  readonly onEvent: (
    session: Session,
    stream: Stream,
    sequence: number,
    payload: Uint8Array,
    index: number,
  ) => void;
  /** Who this node proves to be on sealed sessions; `undefined` where there are none. */
  readonly prover: SessionProver | undefined;
  /** A packet now waits for an acknowledgement, or a gap for its filling. */
  readonly onBusy: (session: Session) => void;
}

/** An ordered stream holds at least this much behind a gap. */
const REORDER_BYTES_MIN = 256 * 1024;

/**
 * A stream that ended early for its reader refuses packets for longer than its sender tries, about 7 s;
 * so many are remembered, beyond that a late packet opens the stream again.
 */
const ENDED_MS = 10_000;
const ENDED_MAX = 1_024;

/** What a node proves its identity with. */
export interface SessionProver {
  readonly identity: Pick<Identity, "entityId" | "sign">;
  readonly resetTagger: ResetTagger;
}

/** One session with a peer. */
export class Session implements SealingSession {
  /** A sealed session belongs to nobody's peer until the proof; then to the real one. */
  peer: Peer;
  readonly isInitiator: boolean;
  readonly ephemeral: string;
  /** Keys of a sealed session (`sealed.md` 2). */
  readonly epochs: EpochKeys | undefined;
  /** Proof of identity of a sealed session (`sealed.md` 3). */
  readonly proof: ProofExchange | undefined;
  readonly sessionLow: number;
  readonly sessionHigh: number;
  readonly noncePrefix: number;
  readonly replay = new ReplayWindow();
  readonly openedAt: number;
  sendCounter = 0;
  lastReceivedAt: number;
  /** True once the peer sent an authentic packet: it holds the keys. */
  isConfirmed = false;
  /** True once the address is known to receive; until then little may be sent there. */
  isAddressProven: boolean;
  /** Address object of the last direct packet, as long as that is the peer's address. */
  source: SocketAddress | undefined;
  /** Set when another session took its place. */
  supersededAt: number | undefined;
  isEnded = false;
  readonly #context: SessionContext;
  readonly #streams = new PairMap<Stream>(8);
  /** Streams that ended early here, and until when their packets are refused. */
  readonly #ended = new PairMap<number>(8);
  readonly #grants: GrantQueue;
  readonly #messageSequences = new Map<number, number>();
  readonly #cursor = new EventCursor();
  readonly #compatSlots: { readonly send: number; readonly receive: number } | undefined;
  #controlSequence = 0;

  constructor(context: SessionContext, peer: Peer, result: HandshakeResult) {
    const { cipher, clock } = context;
    this.#context = context;
    this.peer = peer;
    this.isInitiator = result.isInitiator;
    this.ephemeral = result.ephemeral;
    this.isAddressProven = result.isAddressProven;
    this.sessionLow = result.keys.sessionIdLow;
    this.sessionHigh = result.keys.sessionIdHigh;
    this.noncePrefix = result.keys.noncePrefix;
    this.openedAt = clock.now();
    this.lastReceivedAt = this.openedAt;
    if (result.sealed === undefined) this.#compatSlots = createCompatSlots(cipher, result.keys);
    else {
      const role = result.isInitiator ? "initiator" : "responder";
      const { handshakeHash, splitKeys, peer: block } = result.sealed;
      if (context.prover === undefined) throw new TypeError("Cannot seal a session: no identity");
      const { identity, resetTagger } = context.prover;
      this.epochs = new EpochKeys(cipher, { role, splitKeys, handshakeHash });
      this.proof = new ProofExchange({
        role,
        identity,
        handshakeHash,
        peerEntityId: block.entityId,
        resetTag: resetTagger(this.sessionLow, this.sessionHigh),
        now: this.openedAt,
      });
    }
    this.#grants = new GrantQueue(clock, (subprotocol, payload, length, count) => {
      this.sendControl(subprotocol, payload, length, count);
    }, () => this.peer.takesAckRanges);
  }

  /** Key slot to seal with. */
  get sendKey(): number {
    return this.epochs?.sendSlot ?? this.#compatSlots?.send ?? -1;
  }

  /** Key slot to open with; sealed sessions choose theirs by epoch. */
  get receiveKey(): number {
    return this.#compatSlots?.receive ?? -1;
  }

  /** True when data may flow: always on compat sessions, behind the proofs on sealed ones. */
  get isOpen(): boolean {
    return this.proof === undefined || this.proof.state === "open";
  }

  // --- Sending ---------------------------------------------------------------------------------

  /** A buffer for one packet's plaintext. */
  takeBuffer(): Uint8Array {
    return this.#context.buffers.take();
  }

  /**
   * Sends the events framed in `payload` as one packet of the stream; owns the buffer from then on.
   *
   * @returns False when the packet could not be built now; the stream is woken when it is worth a try.
   */
  sendEvents(
    stream: Stream,
    state: SendState,
    payload: Uint8Array,
    length: number,
    count: number,
  ): boolean {
    const { buffers, clock } = this.#context;
    const flags = state.isReliable ? FLAG_RELIABLE : 0;
    const sequence = state.nextSequence;
    if (!this.#send(flags, 0, stream.low, stream.high, sequence, payload, length, count)) {
      buffers.release(payload);
      clock.soon(() => stream.wake());
      return false;
    }
    const now = clock.now();
    stream.lastActiveAt = now;
    state.record(payload, length, count, now);
    if (state.isReliable) this.#context.onBusy(this);
    else buffers.release(payload);
    return true;
  }

  /** Sends control events on the control stream; they share one sequence. */
  sendControl(subprotocol: number, payload: Uint8Array, length: number, count: number): boolean {
    const sequence = this.#controlSequence++;
    return this.#send(0, subprotocol, ALL_ONES, ALL_ONES, sequence, payload, length, count);
  }

  /**
   * Sends one message of a subprotocol.
   *
   * @param sequence The next of the subprotocol's own stream when left out.
   */
  sendMessage(
    subprotocol: number,
    streamLow: number,
    streamHigh: number,
    message: Uint8Array,
    isFlaggedReliable = false,
    sequence = this.#nextMessageSequence(subprotocol),
    route?: PacketRoute,
  ): boolean {
    const buffer = this.takeBuffer();
    new DataView(buffer.buffer, buffer.byteOffset).setUint32(0, message.length, true);
    buffer.set(message, 4);
    const flags = isFlaggedReliable ? FLAG_RELIABLE : 0;
    const length = message.length + 4;
    const isSent = this.#send(
      flags,
      subprotocol,
      streamLow,
      streamHigh,
      sequence,
      buffer,
      length,
      1,
      route,
    );
    this.#context.buffers.release(buffer);
    return isSent;
  }

  /**
   * Sends a message about the sealing itself: a proof, a path challenge.
   *
   * @param to Another address than the peer's; the caller answers for what is sent there.
   */
  sendSealedMessage(message: Uint8Array, to?: SocketAddress): boolean {
    const id = SUBPROTOCOL_SEALED;
    const route = to === undefined ? undefined : { address: to, relayTo: undefined };
    return this.sendMessage(id, id, 0, message, false, undefined, route);
  }

  /** Sends a heartbeat. */
  sendHeartbeat(): boolean {
    return this.#send(FLAG_HEARTBEAT, 0, 0, 0, 0, EMPTY, 0, 0);
  }

  // --- Streams ---------------------------------------------------------------------------------

  /** Number of streams with state. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** The stream with this id. */
  stream(low: number, high: number): Stream | undefined {
    return this.#streams.get(low, high);
  }

  /** The stream with this id, made at first touch; the longest idle one makes room. */
  touchStream(low: number, high: number): Stream {
    const known = this.#streams.get(low, high);
    if (known !== undefined) return known;
    if (this.#streams.size >= STREAMS_MAX) this.#evictOldest();
    this.#ended.delete(low, high);
    const stream = new Stream(low, high, this.#context.clock.now());
    stream.grantThresholdBytes = STREAM_WINDOW_BYTES / 4;
    this.#streams.set(low, high, stream);
    this.#context.counters.streams_opened_total += 1;
    return stream;
  }

  /** Gives the stream a sending half. */
  openSend(stream: Stream, windowBytes: number | undefined, isReliable: boolean): SendState {
    const { buffers } = this.#context;
    stream.send ??= new SendState({ windowBytes, isReliable, release: (b) => buffers.release(b) });
    return stream.send;
  }

  /** The user is done with receiving; late copies are still acknowledged for a while. */
  closeReceive(stream: Stream): void {
    stream.isReceiveClosed = true;
    stream.handler = undefined;
    stream.lastActiveAt = this.#context.clock.now();
  }

  /** Gives the stream up and says so to the peer. */
  resetStream(stream: Stream): void {
    this.sendReset(stream);
    this.dropStream(stream, "reset");
  }

  /** Tells the peer to forget the stream. */
  sendReset(stream: Pick<Stream, "low" | "high">): void {
    const event = new Uint8Array(FRAME_PREFIX_BYTES + RESET_BYTES);
    const view = new DataView(event.buffer);
    view.setUint32(0, RESET_BYTES, true);
    view.setUint32(4, stream.low, true);
    view.setUint32(8, stream.high, true);
    this.sendControl(SUBPROTOCOL_RESET, event, event.length, 1);
  }

  /** Forgets the stream. */
  dropStream(stream: Stream, reason: StreamEnd): void {
    this.#streams.delete(stream.low, stream.high);
    const now = this.#context.clock.now();
    if (reason !== "closed" && stream.receive !== undefined && this.#ended.size < ENDED_MAX) {
      this.#ended.set(stream.low, stream.high, now + ENDED_MS);
    }
    if (reason === "reset") this.#context.counters.streams_reset_total += 1;
    stream.end(reason);
  }

  // --- Receiving -------------------------------------------------------------------------------

  /**
   * Takes an opened event packet.
   *
   * @param sequence The packet's number; absurd ones arrive as `Infinity` and are out of horizon.
   * @param at Start of the plaintext in the cipher's memory.
   */
  receiveEvents(
    low: number,
    high: number,
    isReliable: boolean,
    sequence: number,
    at: number,
    length: number,
    count: number,
  ): void {
    const { counters, clock, cipher } = this.#context;
    if ((this.#ended.get(low, high) ?? 0) > clock.now()) {
      // The reader was told that the stream ended; so is the sender, in place of an acknowledgement.
      counters.drop_stream_closed_total += 1;
      this.sendReset({ low, high });
      return;
    }
    const stream = this.touchStream(low, high);
    stream.lastActiveAt = clock.now();
    const state = stream.receive ??= new ReceiveState({ isReliable });
    const { reorder } = stream;
    if (reorder !== undefined && !reorder.admits(sequence, length)) {
      // Refused before it is accepted, so that it is not acknowledged and comes again.
      counters.drop_reorder_full_total += 1;
      return;
    }
    const verdict = state.accept(sequence, PACKET_OVERHEAD_BYTES + length);
    if (verdict !== "accepted") {
      if (verdict === "duplicate") {
        counters.drop_duplicate_total += 1;
        // Its acknowledgement may have been lost, so it is repeated.
        this.#grants.add(stream, state, false);
      } else if (verdict === "out_of_horizon") counters.drop_out_of_horizon_total += 1;
      else counters.drop_too_many_runs_total += 1;
      return;
    }
    if (stream.isReceiveClosed) {
      counters.drop_stream_closed_total += 1;
    } else {
      counters.event_packets_accepted_total += 1;
      if (reorder === undefined) this.#deliver(stream, sequence, cipher.memory, at, length, count);
      else reorder.push(sequence, cipher.memory, at, length, count, clock.now());
    }
    const isDue = state.totalConsumed - stream.grantedBytes >= stream.grantThresholdBytes;
    this.#grants.add(stream, state, isDue);
    if (state.hasGap) this.#context.onBusy(this);
  }

  /** Lets the stream's events be handed on once and in order; before the first of them came. */
  orderStream(stream: Stream, windowBytes: number): void {
    const { buffers, reorderBudget: budget } = this.#context;
    stream.reorder ??= new ReorderBuffer({
      buffers,
      budget,
      deliver: (sequence, memory, at, length, count) => {
        this.#deliver(stream, sequence, memory, at, length, count);
      },
    }, {
      packetsMax: receiveHorizon(windowBytes),
      bytesMax: Math.max(REORDER_BYTES_MIN, windowBytes),
    });
  }

  #deliver(
    stream: Stream,
    sequence: number,
    memory: Uint8Array,
    at: number,
    length: number,
    count: number,
  ): void {
    const { counters, onEvent } = this.#context;
    const cursor = this.#cursor;
    cursor.reset(memory, at, length, count);
    for (let index = 0; cursor.next(); index++) {
      const event = memory.subarray(cursor.start, cursor.end);
      if (stream.handler !== undefined) {
        counters.events_delivered_total += 1;
        stream.handler.onEvent(sequence, event, index);
      } else onEvent(this, stream, sequence, event, index);
    }
  }

  /** Sends packets again. */
  resend(stream: Stream, packets: readonly UnackedPacket[]): void {
    const { counters } = this.#context;
    for (const packet of packets) {
      counters.tx_resent_total += 1;
      this.#send(
        FLAG_RELIABLE,
        0,
        stream.low,
        stream.high,
        packet.sequence,
        packet.payload,
        packet.payloadLength,
        packet.eventCount,
      );
    }
  }

  // --- Time ------------------------------------------------------------------------------------

  /**
   * Resends what is overdue and repeats NACKs.
   *
   * @returns True while another tick is needed.
   */
  tick(now: number): boolean {
    let isBusy = false;
    for (const stream of this.#streams.values()) {
      const state = stream.send;
      if (state !== undefined && state.unackedCount > 0) {
        const plan = state.onTick(now);
        if (plan.isGivenUp) {
          this.#context.counters.streams_given_up_total += 1;
          this.resetStream(stream);
          continue;
        }
        this.resend(stream, plan.due);
        isBusy = true;
      }
      if (stream.reorder?.checkGap(now) !== undefined) {
        this.#context.counters.streams_gap_total += 1;
        this.sendReset(stream);
        this.dropStream(stream, "gap");
        continue;
      }
      if (stream.receive?.hasGap) {
        this.#grants.add(stream, stream.receive, false);
        isBusy = true;
      }
    }
    return isBusy;
  }

  /** Forgets streams that are idle or were closed a while ago. */
  sweep(now: number): void {
    this.epochs?.sweep(now);
    this.#sweepEnded(now);
    for (const stream of this.#streams.values()) {
      const patienceMs = stream.isClosed ? STREAM_LINGER_MS : STREAM_IDLE_MS;
      if (now - stream.lastActiveAt > patienceMs) this.dropStream(stream, "closed");
    }
  }

  /** Ends every stream; the keys stay, so that late packets still open. */
  endStreams(reason: StreamEnd): void {
    this.#grants.clear();
    for (const stream of this.#streams.values()) this.dropStream(stream, reason);
  }

  /** Ends the session: its streams end, its keys are overwritten. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.endStreams("peer_lost");
    this.epochs?.destroy();
    if (this.#compatSlots === undefined) return;
    this.#context.cipher.destroyKey(this.#compatSlots.send);
    this.#context.cipher.destroyKey(this.#compatSlots.receive);
  }

  #send(
    flags: number,
    subprotocol: number,
    low: number,
    high: number,
    sequence: number,
    payload: Uint8Array,
    length: number,
    count: number,
    route = this.peer.route,
  ): boolean {
    if (this.isEnded) return false;
    if (!this.isOpen && subprotocol !== SUBPROTOCOL_SEALED) return false;
    if (!this.isAddressProven && !this.#mayAnswer(route, length)) return false;
    const { peer, epochs } = this;
    const isSent = this.#context.sender.sendPacket(
      this,
      route,
      epochs?.sendParity === 1 ? flags | FLAG_EPOCH_PARITY : flags,
      subprotocol,
      low,
      high,
      sequence,
      payload,
      length,
      count,
    );
    if (isSent) {
      epochs?.onSent(this.#context.clock.now());
      peer.packetsSent += 1;
      peer.bytesSent += PACKET_OVERHEAD_BYTES + length;
    }
    return isSent;
  }

  #mayAnswer({ address, relayTo }: PacketRoute, length: number): boolean {
    const headerBytes = relayTo === undefined ? 0 : ROUTING_HEADER_BYTES;
    const bytes = headerBytes + PACKET_OVERHEAD_BYTES + length;
    return this.#context.guard.mayAnswer(address, bytes);
  }

  #nextMessageSequence(subprotocol: number): number {
    const sequence = this.#messageSequences.get(subprotocol) ?? 0;
    this.#messageSequences.set(subprotocol, sequence + 1);
    return sequence;
  }

  #sweepEnded(now: number): void {
    if (this.#ended.size === 0) return;
    for (const [low, high, until] of this.#ended.entries()) {
      if (until <= now) this.#ended.delete(low, high);
    }
  }

  #evictOldest(): void {
    let oldest: Stream | undefined;
    for (const stream of this.#streams.values()) {
      if (oldest === undefined || stream.lastActiveAt < oldest.lastActiveAt) oldest = stream;
    }
    if (oldest === undefined) return;
    this.#context.counters.streams_evicted_total += 1;
    this.dropStream(oldest, "peer_lost");
  }
}

function createCompatSlots(cipher: PacketCipher, keys: HandshakeResult["keys"]) {
  const { sendKey, receiveKey } = keys;
  if (sendKey === undefined || receiveKey === undefined) {
    throw new TypeError("Cannot open a compat session: it has no keys");
  }
  const send = cipher.createKey(sendKey);
  try {
    return { send, receive: cipher.createKey(receiveKey) };
  } catch (error) {
    cipher.destroyKey(send);
    throw error;
  }
}
