/**
 * A session: keys and counters shared with one peer, and what is sent with them (`wire.md` 4.3, 5). Its
 * streams are in `session_streams.ts`.
 */

import type { Clock } from "../../base/mod.ts";
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
import type { TransportCounters } from "./counters.ts";
import { type EventCursor, FRAME_PREFIX_BYTES } from "./event_frame.ts";
import type { ControlWriter } from "./grant_queue.ts";
import type { HandshakeResult } from "./handshake.ts";
import { FLAG_HEARTBEAT, FLAG_RELIABLE } from "./header.ts";
import { PACKET_OVERHEAD_BYTES } from "./limits.ts";
import type { PacketSender, SealingSession } from "./packet_sender.ts";
import { NO_ROOM, type PacketStore } from "./packet_store.ts";
import type { Peer } from "./peers.ts";
import type { ReorderBudget } from "./reorder_buffer.ts";
import { SessionStreams } from "./session_streams.ts";
import type { Stream } from "./stream.ts";

/** The control stream's id, 2^64 − 1, as a half. */
const ALL_ONES = 0xffffffff;

/** What all sessions of a transport share. */
export interface SessionContext {
  readonly cipher: PacketCipher;
  readonly sender: PacketSender;
  readonly counters: TransportCounters;
  readonly clock: Clock;
  /** Keeps plaintexts until they are acknowledged, or in order. */
  readonly store: PacketStore;
  /** The cipher's memory. */
  readonly view: DataView;
  /** Walks over the events of one packet at a time. */
  readonly cursor: EventCursor;
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

/** What a node proves its identity with. */
export interface SessionProver {
  readonly identity: Pick<Identity, "entityId" | "sign">;
  readonly resetTagger: ResetTagger;
}

/** One session with a peer. */
export class Session implements SealingSession, ControlWriter {
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
  /** Set when another session took its place. */
  supersededAt: number | undefined;
  isEnded = false;
  readonly streams: SessionStreams;
  /** The cipher's memory, for writing what {@linkcode Session.begin} made room for. */
  readonly view: DataView;
  readonly #context: SessionContext;
  readonly #compatSlots: { readonly send: number; readonly receive: number } | undefined;
  /** Next sequence by subprotocol; made with the first message. */
  #messageSequences: Map<number, number> | undefined;
  #controlSequence = 0;

  constructor(context: SessionContext, peer: Peer, result: HandshakeResult) {
    const { cipher, clock } = context;
    this.#context = context;
    this.view = context.view;
    this.peer = peer;
    this.isInitiator = result.isInitiator;
    this.ephemeral = result.ephemeral;
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
    this.streams = new SessionStreams(context, this);
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

  /**
   * Makes room for a packet: its plaintext goes where this says in the cipher's memory, 8108 bytes; then
   * {@linkcode Session.send} or {@linkcode Session.finish} has to follow.
   *
   * @returns {@linkcode NO_ROOM} when nothing can be sent now.
   */
  begin(): number {
    if (this.isEnded || !this.isOpen) return NO_ROOM;
    return this.#context.sender.begin();
  }

  /**
   * Seals and sends the packet begun.
   *
   * @param sourceAt Where the plaintext lies when it is not where {@linkcode Session.begin} said.
   */
  send(
    flags: number,
    subprotocol: number,
    low: number,
    high: number,
    sequence: number,
    length: number,
    count: number,
    now: number,
    sourceAt?: number,
  ): void {
    const { peer, epochs } = this;
    this.#context.sender.finish(
      this,
      peer.route,
      epochs?.sendParity === 1 ? flags | FLAG_EPOCH_PARITY : flags,
      subprotocol,
      low,
      high,
      sequence,
      length,
      count,
      sourceAt,
    );
    epochs?.onSent(now);
    peer.packetsSent += 1;
    peer.bytesSent += PACKET_OVERHEAD_BYTES + length;
  }

  /** Sends the control events begun; they share the control stream and one sequence. */
  finish(subprotocol: number, length: number, count: number): void {
    const now = this.#context.clock.now();
    const sequence = this.#controlSequence++;
    this.send(0, subprotocol, ALL_ONES, ALL_ONES, sequence, length, count, now);
  }

  /** True when the peer announced that it understands SACKs. */
  takesAckRanges(): boolean {
    return this.peer.takesAckRanges;
  }

  /**
   * Sends one message of a subprotocol, at most 8104 bytes.
   *
   * @param sequence The next of the subprotocol's own stream when left out.
   */
  sendMessage(
    subprotocol: number,
    streamLow: number,
    streamHigh: number,
    message: Uint8Array,
    isFlaggedReliable = false,
    sequence?: number,
  ): boolean {
    return this.#sendMessage(
      this.begin(),
      subprotocol,
      streamLow,
      streamHigh,
      message,
      isFlaggedReliable ? FLAG_RELIABLE : 0,
      sequence,
    );
  }

  /** Sends messages of one subprotocol that are framed already, as one packet; the bytes are copied. */
  sendFramed(
    subprotocol: number,
    streamLow: number,
    streamHigh: number,
    frames: Uint8Array,
    count: number,
  ): boolean {
    const at = this.begin();
    if (at === NO_ROOM) return false;
    this.#context.cipher.memory.set(frames, at);
    const sequence = this.#nextMessageSequence(subprotocol);
    const now = this.#context.clock.now();
    this.send(0, subprotocol, streamLow, streamHigh, sequence, frames.length, count, now);
    return true;
  }

  /** Sends a message about the sealing itself, a proof or a path challenge: before the session is open. */
  sendSealedMessage(message: Uint8Array): boolean {
    const at = this.isEnded ? NO_ROOM : this.#context.sender.begin();
    return this.#sendMessage(at, SUBPROTOCOL_SEALED, SUBPROTOCOL_SEALED, 0, message, 0, undefined);
  }

  /** Sends a heartbeat. */
  sendHeartbeat(): boolean {
    if (this.begin() === NO_ROOM) return false;
    this.send(FLAG_HEARTBEAT, 0, 0, 0, 0, 0, 0, this.#context.clock.now());
    return true;
  }

  /** Does what time asks of keys and streams; to be called now and then. */
  sweep(now: number): void {
    this.epochs?.sweep(now);
    this.streams.sweep(now);
  }

  /** Ends the session: its streams end, its keys are overwritten. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.streams.end("peer_lost");
    this.epochs?.destroy();
    if (this.#compatSlots === undefined) return;
    this.#context.cipher.destroyKey(this.#compatSlots.send);
    this.#context.cipher.destroyKey(this.#compatSlots.receive);
  }

  #sendMessage(
    at: number,
    subprotocol: number,
    streamLow: number,
    streamHigh: number,
    message: Uint8Array,
    flags: number,
    sequence = this.#nextMessageSequence(subprotocol),
  ): boolean {
    if (at === NO_ROOM) return false;
    this.view.setUint32(at, message.length, true);
    this.#context.cipher.memory.set(message, at + FRAME_PREFIX_BYTES);
    const length = FRAME_PREFIX_BYTES + message.length;
    const now = this.#context.clock.now();
    this.send(flags, subprotocol, streamLow, streamHigh, sequence, length, 1, now);
    return true;
  }

  #nextMessageSequence(subprotocol: number): number {
    const sequences = this.#messageSequences ??= new Map<number, number>();
    const sequence = sequences.get(subprotocol) ?? 0;
    sequences.set(subprotocol, sequence + 1);
    return sequence;
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
