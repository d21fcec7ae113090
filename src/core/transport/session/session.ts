/**
 * A session: keys and counters shared with one peer, and what is sent with them (`wire.md` 4.3, 5). Its
 * streams are in `session_streams.ts`.
 */

import {
  encodeBoot,
  encodeFarewell,
  EpochKeys,
  FLAG_EPOCH_PARITY,
  type PacketCipher,
  packResetTag,
  ProofExchange,
  type ReplayWindow,
  SUBPROTOCOL_SEALED,
  unpackResetTag,
} from "../../crypto/mod.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import type { ControlWriter } from "../streams/grant_queue.ts";
import type { HandshakeResult } from "../handshake/handshake_types.ts";
import { FLAG_HEARTBEAT, FLAG_RELIABLE, MAX_PAYLOAD } from "../wire/header.ts";
import { PACKET_OVERHEAD_BYTES } from "../limits.ts";
import type { PacketRoute, SealingSession } from "../packet_sender.ts";
import { NO_ROOM } from "../streams/packet_store.ts";
import type { Peer } from "../peers/peers.ts";
import { MAX_RELAYED_PAYLOAD, ROUTING_HEADER_BYTES } from "../wire/routing_header.ts";
import type { SessionContext } from "./session_context.ts";
import { SessionStreams } from "../streams/session_streams.ts";
import type { StreamLabel } from "../streams/stream_label.ts";
import { SUBPROTOCOL_REFLEX } from "../wire/subprotocols.ts";
import type { SocketAddress } from "../types.ts";

/** The control stream's id, 2^64 − 1, as a half. */
const ALL_ONES = 0xffffffff;

const EMPTY = new Uint8Array(0);

/** One session with a peer. */
export class Session implements SealingSession, ControlWriter {
  /** A sealed session belongs to nobody's peer until the proof; then to the real one. */
  peer: Peer;
  readonly isInitiator: boolean;
  readonly ephemeral: string;
  /** Keys of a sealed session (`sealed.md` 2). */
  readonly epochs: EpochKeys | undefined;
  /** Proof of identity of a sealed session (`sealed.md` 3); gone once nothing of it can come any more. */
  proof: ProofExchange | undefined;
  // Signed, as all numbers that bits alone matter of: those lie in the session, larger ones elsewhere.
  readonly sessionLow: number;
  readonly sessionHigh: number;
  readonly replay: ReplayWindow;
  readonly openedAt: number;
  sendCounter = 0;
  /** True once the peer sent an authentic packet: it holds the keys. */
  isConfirmed = false;
  /** True once the address is known to receive; until then only proofs are sent there. */
  isAddressProven: boolean;
  /** Address object of the last direct packet, as long as that is the peer's address. */
  source: SocketAddress | undefined;
  /** Which life of the peer began it, as far as it said so on this session; 0 = not. */
  peerBoot = 0;
  /** Set when another session took its place. */
  supersededAt: number | undefined;
  isEnded = false;
  readonly #context: SessionContext;
  #streams: SessionStreams | undefined;
  readonly #compatSlots: { readonly send: number; readonly receive: number } | undefined;
  /** Subprotocol and next sequence in turn; few are ever used, for which a `Map` is too large by far. */
  #messageSequences: number[] | undefined;
  #controlSequence = 0;
  #sealedSequence = 0;
  /** The peer's reset tag, of which a number takes a seventh of what an array would; see `proof`. */
  #peerResetTag: bigint | undefined;

  constructor(context: SessionContext, peer: Peer, result: HandshakeResult) {
    const { cipher, clock } = context;
    this.#context = context;
    this.replay = context.replayWindows.take();
    this.peer = peer;
    this.isInitiator = result.isInitiator;
    this.ephemeral = result.ephemeral;
    this.isAddressProven = result.isAddressProven;
    this.sessionLow = result.keys.sessionIdLow | 0;
    this.sessionHigh = result.keys.sessionIdHigh | 0;
    this.openedAt = clock.now();
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
  }

  /** The cipher's memory, for writing what {@linkcode Session.begin} made room for. */
  get view(): DataView {
    return this.#context.view;
  }

  /** First four bytes of its nonces. */
  get noncePrefix(): number {
    return this.sessionLow ^ this.sessionHigh;
  }

  /** Its streams, made at first use: many sessions never have one. */
  get streams(): SessionStreams {
    return this.#streams ??= new SessionStreams(this.#context, this);
  }

  /** Its streams if it ever had one. */
  get streamsIfAny(): SessionStreams | undefined {
    return this.#streams;
  }

  /** Key slot to seal with. */
  get sendKey(): number {
    return this.epochs?.sendSlot ?? this.#compatSlots?.send ?? -1;
  }

  /** Key slot to open with; sealed sessions choose theirs by epoch. */
  get receiveKey(): number {
    return this.#compatSlots?.receive ?? -1;
  }

  /** True when it is forward secret and both sides prove who they are. */
  get isSealed(): boolean {
    return this.epochs !== undefined;
  }

  /** The tag that a RESET of the peer must carry; `undefined` before its proof, and on compat sessions. */
  get peerResetTag(): Uint8Array | undefined {
    if (this.proof !== undefined) return this.proof.peerResetTag;
    return this.#peerResetTag === undefined ? undefined : unpackResetTag(this.#peerResetTag);
  }

  /** True when data may flow: always on compat sessions, behind the proofs on sealed ones. */
  get isOpen(): boolean {
    return this.proof === undefined || this.proof.state === "open";
  }

  /** Largest plaintext of a packet to the peer: a routing header takes some of it. */
  get payloadMax(): number {
    return this.peer.relayTo === undefined ? MAX_PAYLOAD : MAX_RELAYED_PAYLOAD;
  }

  // --- Sending ---------------------------------------------------------------------------------

  /**
   * Makes room for a packet: its plaintext goes where this says in the cipher's memory, 8108 bytes; then
   * {@linkcode Session.send} or {@linkcode Session.finish} has to follow.
   *
   * @param length Bytes of plaintext it will have at most.
   * @returns {@linkcode NO_ROOM} when nothing can be sent now.
   */
  begin(length = MAX_PAYLOAD): number {
    // Data waits for an address that is known to receive; proofs alone may go to another.
    if (!this.isOpen || !this.isAddressProven) return NO_ROOM;
    return this.#begin(length, this.peer);
  }

  /**
   * Seals and sends the packet begun.
   *
   * @param sourceAt Where the plaintext lies when it is not where {@linkcode Session.begin} said.
   * @param label What the header says of the stream beside.
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
    route: PacketRoute = this.peer,
    label?: StreamLabel,
  ): void {
    const { peer, epochs } = this;
    this.#context.sender.finish(
      this,
      route,
      epochs?.sendParity === 1 ? flags | FLAG_EPOCH_PARITY : flags,
      subprotocol,
      low,
      high,
      sequence,
      length,
      count,
      sourceAt,
      label,
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

  get takesSubnetHeader(): boolean {
    return this.peer.takesSubnetHeader;
  }

  /** True when the peer announced that it understands SACKs. */
  takesAckRanges(): boolean {
    return this.peer.takesAckRanges;
  }

  /**
   * Sends one message of a subprotocol, at most 8104 bytes; through a relay 8086, or it does not leave.
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
    const length = FRAME_PREFIX_BYTES + message.length;
    if (length > this.payloadMax) return false;
    return this.#sendMessage(
      this.begin(length),
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
    const at = this.begin(frames.length);
    if (at === NO_ROOM) return false;
    this.#context.cipher.memory.set(frames, at);
    const sequence = this.#nextMessageSequence(subprotocol);
    const now = this.#context.clock.now();
    this.send(0, subprotocol, streamLow, streamHigh, sequence, frames.length, count, now);
    return true;
  }

  /**
   * Sends a message about the sealing itself, a proof or a path challenge: before the session is open.
   *
   * @param to Another address than the peer's; the caller answers for what is sent there.
   */
  sendSealedMessage(message: Uint8Array, to?: SocketAddress): boolean {
    const route: PacketRoute = to === undefined ? this.peer : { address: to, relayTo: undefined };
    const at = this.#begin(FRAME_PREFIX_BYTES + message.length, route);
    const id = SUBPROTOCOL_SEALED;
    const sequence = this.#sealedSequence++;
    return this.#sendMessage(at, id, id, 0, message, 0, sequence, route);
  }

  /**
   * Sends a proof, behind the name of this life of ours where the address is known to receive: so that a
   * session that a restarted node begins is not taken for one of two that cross.
   */
  sendProof(message: Uint8Array): void {
    const boot = this.#context.prover?.boot;
    const mayTell = this.isInitiator || this.isAddressProven;
    if (boot !== undefined && mayTell) this.sendSealedMessage(encodeBoot(boot));
    this.sendSealedMessage(message);
  }

  /** Says on a sealed session that is in use that this node stops; once, for who misses it waits as ever. */
  sendFarewell(): void {
    if (!this.isSealed || !this.isOpen || !this.isConfirmed || this.isEnded) return;
    if (this.supersededAt === undefined) this.sendSealedMessage(encodeFarewell());
  }

  /**
   * Asks the peer for a packet, by a request for our address: before anything was heard of it.
   *
   * A compat session counts once its initiator has spoken on it, and the Rust core says nothing before
   * its first heartbeat, after 5 s.
   */
  sendGreeting(): boolean {
    const at = this.#begin(FRAME_PREFIX_BYTES, this.peer);
    return this.#sendMessage(at, SUBPROTOCOL_REFLEX, SUBPROTOCOL_REFLEX, 0, EMPTY, 0);
  }

  /** Sends a heartbeat. */
  sendHeartbeat(): boolean {
    if (this.begin(0) === NO_ROOM) return false;
    this.send(FLAG_HEARTBEAT, 0, 0, 0, 0, 0, 0, this.#context.clock.now());
    return true;
  }

  /** Does what time asks of keys and streams; to be called now and then. */
  sweep(now: number): void {
    this.epochs?.sweep(now);
    if (this.proof?.isOver(now)) {
      const tag = this.proof.peerResetTag;
      this.#peerResetTag = tag === undefined ? undefined : packResetTag(tag);
      this.proof = undefined;
    }
    // A session that has no streams yet may have to tell of those on the one before it.
    if (this.peer.resets !== undefined && this.peer.session === this) this.streams.sweep(now);
    else this.#streams?.sweep(now);
  }

  /** Ends the session: its streams end, its keys are overwritten. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#streams?.end("peer_lost");
    this.#context.replayWindows.release(this.replay);
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
    route: PacketRoute = this.peer,
  ): boolean {
    if (at === NO_ROOM) return false;
    this.view.setUint32(at, message.length, true);
    this.#context.cipher.memory.set(message, at + FRAME_PREFIX_BYTES);
    const length = FRAME_PREFIX_BYTES + message.length;
    const now = this.#context.clock.now();
    this.send(
      flags,
      subprotocol,
      streamLow,
      streamHigh,
      sequence,
      length,
      1,
      now,
      undefined,
      route,
    );
    return true;
  }

  #begin(length: number, route: PacketRoute): number {
    if (this.isEnded || (!this.isAddressProven && !this.#mayAnswer(route, length))) return NO_ROOM;
    return this.#context.sender.begin();
  }

  #mayAnswer({ address, relayTo }: PacketRoute, length: number): boolean {
    const headerBytes = relayTo === undefined ? 0 : ROUTING_HEADER_BYTES;
    const bytes = headerBytes + PACKET_OVERHEAD_BYTES + length;
    return this.#context.guard.mayAnswer(address, bytes);
  }

  #nextMessageSequence(subprotocol: number): number {
    const sequences = this.#messageSequences;
    for (let at = 0; sequences !== undefined && at < sequences.length; at += 2) {
      if (sequences[at] !== subprotocol) continue;
      const sequence = sequences[at + 1] ?? 0;
      sequences[at + 1] = sequence + 1;
      return sequence;
    }
    // A copy is exactly as long as needed, where `push` would make room for a dozen more.
    const first = [subprotocol, 1];
    this.#messageSequences = sequences === undefined ? first : sequences.concat(first);
    return 0;
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
