/**
 * The streams of one session: sending, receiving, acknowledging, giving up (`wire.md` 7).
 *
 * The session hands in opened packets and sends what is decided here. Retransmission and idle limits are
 * driven from outside by `tick` and `sweep`.
 */

import { NetError, PairMap } from "../../base/mod.ts";
import { FRAME_PREFIX_BYTES } from "./event_frame.ts";
import { RESET_BYTES } from "./control_frames.ts";
import { NO_QUEUE } from "./fair_scheduler.ts";
import { Flight } from "./flight.ts";
import { GrantQueue } from "./grant_queue.ts";
import { FLAG_RELIABLE } from "./header.ts";
import {
  CREDIT_REPEAT_MS,
  CREDIT_REPEAT_MS_MAX,
  CREDIT_REPEAT_TICKED_MS,
  GRANT_PACKETS,
  PACKET_OVERHEAD_BYTES,
  ROOM_RETRY_MS,
  STREAM_IDLE_MS,
  STREAM_LINGER_MS,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
} from "./limits.ts";
import { NO_ROOM } from "./packet_store.ts";
import { receiveHorizon, ReceiveState } from "./receive_state.ts";
import { ReorderBuffer } from "./reorder_buffer.ts";
import { ResetRepeats, type StreamId } from "./reset_repeats.ts";
import type { ScheduledPacket } from "./scheduled_packets.ts";
import { SendState } from "./send_state.ts";
import type { Session } from "./session.ts";
import type { SessionContext } from "./session_context.ts";
import { Stream } from "./stream.ts";
import type { OpenSendStreamOptions, StreamEnd } from "./types.ts";

const SUBPROTOCOL_RESET = 0x0b02;

/** An ordered stream holds at least this much behind a gap. */
const REORDER_BYTES_MIN = 256 * 1024;

/**
 * A stream that ended early for its reader refuses packets for longer than its sender tries, about 7 s;
 * so many are remembered, beyond that a late packet opens the stream again.
 */
const ENDED_MS = 10_000;
const ENDED_MAX = 1_024;

/** Resends without an answer, about 0.35 s, after which an idle sender asks with an empty packet. */
const EMPTY_PROBE_RESENDS = 3;
const NO_EVENTS: readonly Uint8Array[] = [];

/** Streams by id. */
export class SessionStreams {
  readonly #context: SessionContext;
  readonly #session: Session;
  readonly #byId = new PairMap<Stream>(8);
  readonly #grants: GrantQueue;
  readonly #flight = new Flight();
  /** Streams that ended early here, and until when their packets are refused. */
  #ended: PairMap<number> | undefined;

  constructor(context: SessionContext, session: Session) {
    this.#context = context;
    this.#session = session;
    this.#grants = new GrantQueue(context.clock, session);
  }

  /** Largest plaintext of a packet to the peer. */
  get payloadMax(): number {
    return this.#session.payloadMax;
  }

  /** Number of streams with state. */
  get size(): number {
    return this.#byId.size;
  }

  /** All streams. */
  values(): Iterable<Stream> {
    return this.#byId.values();
  }

  /** The stream with this id. */
  get(low: number, high: number): Stream | undefined {
    return this.#byId.get(low, high);
  }

  /** The stream with this id, made at first touch; the longest idle one makes room. */
  touch(low: number, high: number): Stream {
    const known = this.#byId.get(low, high);
    if (known !== undefined) return known;
    if (this.#byId.size >= STREAMS_MAX) this.#evictOldest();
    this.#ended?.delete(low, high);
    this.#session.peer.resets?.cancel(low, high);
    const stream = new Stream(low, high, this.#context.clock.now());
    stream.grantThresholdBytes = STREAM_WINDOW_BYTES / 4;
    this.#byId.set(low, high, stream);
    this.#context.counters.streams_opened_total += 1;
    return stream;
  }

  // --- Sending ---------------------------------------------------------------------------------

  /** Gives the stream a sending half. */
  openSend(stream: Stream, options: OpenSendStreamOptions): SendState {
    const { store, egress } = this.#context;
    const flight = this.#flight;
    const { windowBytes, isReliable = true, isScheduled = false, weight = 1 } = options;
    if (isScheduled && stream.queue === NO_QUEUE) {
      stream.queue = egress.openQueue(weight);
      if (stream.queue === NO_QUEUE) {
        throw new NetError("limit", "Cannot open scheduled stream: there are too many", {
          next: "close others first, or open it unscheduled",
        });
      }
    } else if (isScheduled) egress.setWeight(stream.queue, weight);
    stream.send ??= new SendState({
      windowBytes,
      isReliable,
      release: (at, wireBytes, isAcknowledged) => {
        store.release(at);
        if (isAcknowledged) flight.onAcknowledged(wireBytes);
        else flight.onDropped(wireBytes);
      },
      onLost: () => flight.onLost(),
    });
    return stream.send;
  }

  /**
   * Sends events as one packet of the stream.
   *
   * @param events Those from `start` to before `end` leave.
   * @param length Bytes of their frames, at most 8108.
   * @returns False when the packet could not be built now; the stream is woken when it is worth a try.
   */
  send(
    stream: Stream,
    state: SendState,
    events: readonly Uint8Array[],
    start: number,
    end: number,
    length: number,
  ): boolean {
    const wireBytes = PACKET_OVERHEAD_BYTES + length;
    if (state.isReliable && !this.#flight.hasRoom(wireBytes)) {
      this.#flight.wait(stream);
      return false;
    }
    if (stream.queue !== NO_QUEUE) return this.#schedule(stream, state, events, start, end, length);
    const session = this.#session;
    const { store, clock, counters } = this.#context;
    const slotAt = session.begin(length);
    const at = slotAt === NO_ROOM || !state.isReliable ? slotAt : store.take(length);
    if (at === NO_ROOM) {
      if (slotAt !== NO_ROOM) counters.tx_store_full_total += 1;
      clock.after(ROOM_RETRY_MS, () => stream.wake());
      return false;
    }
    writeFrames(store.memory, session.view, at, events, start, end);
    if (state.isReliable) this.#flight.add(wireBytes);
    const now = clock.now();
    const sequence = state.record(at, length, end - start, now);
    state.eventsSent += end - start;
    const flags = state.isReliable ? FLAG_RELIABLE : 0;
    session.send(flags, 0, stream.low, stream.high, sequence, length, end - start, now, at);
    stream.lastActiveAt = now;
    if (state.isReliable) this.#context.onBusy(session);
    return true;
  }

  /** Takes events for a packet that leaves when it is the stream's turn. */
  #schedule(
    stream: Stream,
    state: SendState,
    events: readonly Uint8Array[],
    start: number,
    end: number,
    length: number,
  ): boolean {
    const session = this.#session;
    const { store, clock, counters, egress, scheduled } = this.#context;
    const isOpen = session.isOpen && !session.isEnded;
    const at = isOpen ? store.take(length) : NO_ROOM;
    const item = scheduled.take();
    if (at === NO_ROOM || !egress.push(stream.queue, item)) {
      if (at !== NO_ROOM) store.release(at);
      else if (isOpen) counters.tx_store_full_total += 1;
      scheduled.release(item);
      clock.after(ROOM_RETRY_MS, () => stream.wake());
      return false;
    }
    writeFrames(store.memory, session.view, at, events, start, end);
    if (state.isReliable) this.#flight.add(PACKET_OVERHEAD_BYTES + length);
    // It cannot be overdue before it has left.
    item.sequence = state.record(at, length, end - start, Infinity);
    state.eventsSent += end - start;
    item.streams = this;
    item.stream = stream;
    item.state = state;
    item.at = state.isReliable ? NO_ROOM : at;
    item.length = length;
    item.count = end - start;
    stream.lastActiveAt = clock.now();
    return true;
  }

  /** Seals and sends a packet whose turn has come. */
  sendScheduled(item: ScheduledPacket): void {
    const { stream, state, sequence, length, count } = item;
    const session = this.#session;
    if (stream === undefined || state === undefined || stream.ended !== undefined) return;
    const now = this.#context.clock.now();
    if (state.isReliable) {
      if (!state.unacked.has(sequence)) return;
      state.unacked.noteSent(sequence, now);
      this.#context.onBusy(session);
    }
    // Without a slot a reliable packet is lost to nobody: it is due again before long.
    if (session.begin(length) === NO_ROOM) return;
    const flags = state.isReliable ? FLAG_RELIABLE : 0;
    const at = state.isReliable ? state.unacked.at(sequence) : item.at;
    session.send(flags, 0, stream.low, stream.high, sequence, length, count, now, at);
  }

  /** A sender was told to wait: time may have to help it. */
  noteRefusal(state: SendState): void {
    if (state.isReliable) return;
    state.isRefusing = true;
    this.#context.onBusy(this.#session);
  }

  /** Sends packets again, by sequence. */
  resend(stream: Stream, state: SendState, sequences: readonly number[]): void {
    const { counters, clock } = this.#context;
    const { unacked } = state;
    const session = this.#session;
    for (const sequence of sequences) {
      if (session.begin(unacked.length(sequence)) === NO_ROOM) return;
      counters.tx_resent_total += 1;
      session.send(
        FLAG_RELIABLE,
        0,
        stream.low,
        stream.high,
        sequence,
        unacked.length(sequence),
        unacked.count(sequence),
        clock.now(),
        unacked.at(sequence),
      );
    }
  }

  /** Gives the stream up and says so to the peer. */
  reset(stream: Stream): void {
    this.sendReset(stream.low, stream.high);
    this.drop(stream, "reset");
  }

  /** Tells the peer to forget a stream. */
  sendReset(low: number, high: number): void {
    this.#sendResets([{ low, high }]);
  }

  #sendResets(streams: readonly StreamId[]): void {
    const session = this.#session;
    const length = streams.length * (FRAME_PREFIX_BYTES + RESET_BYTES);
    let at = session.begin(length);
    if (at === NO_ROOM) return;
    const { view } = session;
    for (const { low, high } of streams) {
      view.setUint32(at, RESET_BYTES, true);
      view.setUint32(at + 4, low, true);
      view.setUint32(at + 8, high, true);
      at += FRAME_PREFIX_BYTES + RESET_BYTES;
    }
    session.finish(SUBPROTOCOL_RESET, length, streams.length);
  }

  // --- Receiving -------------------------------------------------------------------------------

  /**
   * Takes an opened event packet.
   *
   * @param sequence The packet's number; absurd ones arrive as `Infinity` and are out of horizon.
   * @param at Start of the plaintext in the cipher's memory.
   */
  receive(
    low: number,
    high: number,
    isReliable: boolean,
    sequence: number,
    at: number,
    length: number,
    count: number,
    now: number,
  ): void {
    const { counters, store } = this.#context;
    let stream = this.#byId.get(low, high);
    if (stream === undefined && (this.#ended?.get(low, high) ?? 0) > now) {
      // The reader was told that the stream ended; so is the sender, in place of an acknowledgement.
      counters.drop_stream_closed_total += 1;
      this.sendReset(low, high);
      return;
    }
    if (!this.#isRead(stream) && (stream?.receive?.isReliable ?? isReliable)) {
      // Acknowledging it would promise a delivery; unacknowledged it comes again, and a reader that
      // opens the stream meanwhile, perhaps because its session was replaced, misses nothing.
      counters.drop_no_reader_total += 1;
      return;
    }
    stream ??= this.touch(low, high);
    stream.lastActiveAt = now;
    const state = stream.receive ??= new ReceiveState({ isReliable });
    // Whoever waits for a stream cannot know its mode; the first packet says it.
    if (state.packets + state.refused === 0) state.isReliable = isReliable;
    const { reorder } = stream;
    if (reorder !== undefined && !reorder.admits(sequence, length)) {
      // Refused before it is accepted, so that it is not acknowledged and comes again.
      counters.drop_reorder_full_total += 1;
      return;
    }
    if (state.heldBytes + PACKET_OVERHEAD_BYTES + length > stream.heldBytesMax) {
      counters.drop_reader_full_total += 1;
      return;
    }
    const hadGap = state.hasGap;
    const verdict = state.accept(sequence, PACKET_OVERHEAD_BYTES + length);
    if (verdict === "duplicate" || (hadGap && !state.hasGap)) {
      // The Rust core resends three times and gives up 25 ms later, so one lost grant must not decide.
      stream.repeatsGrant = true;
      this.#context.onBusy(this.#session);
    }
    if (verdict !== "accepted") {
      if (verdict === "duplicate") {
        counters.drop_duplicate_total += 1;
        // Its acknowledgement may have been lost, so it is repeated.
        this.#grants.add(stream, state, false);
      } else if (verdict === "out_of_horizon") counters.drop_out_of_horizon_total += 1;
      else counters.drop_too_many_runs_total += 1;
      return;
    }
    // The sender had credit, and what it gets now is in the grant for this.
    stream.creditRepeatAt = 0;
    if (stream.isReceiveClosed) {
      counters.drop_stream_closed_total += 1;
    } else {
      counters.event_packets_accepted_total += 1;
      if (reorder === undefined) this.#deliver(stream, sequence, store.memory, at, length, count);
      else reorder.push(sequence, store.memory, at, length, count, now);
    }
    this.grant(stream, state);
    if (state.hasGap) this.#context.onBusy(this.#session);
  }

  /** The reader took what it had held: the sender may be out of credit and wait for just this. */
  giveBack(stream: Stream, state: ReceiveState): void {
    this.grant(stream, state);
    stream.creditPauseMs = CREDIT_REPEAT_MS;
    stream.creditRepeatAt = this.#context.clock.now() + CREDIT_REPEAT_MS;
    this.#context.onBusy(this.#session);
  }

  /** Tells of credit again if that is due; true while a tick has to look at it. */
  #repeatCredit(stream: Stream, now: number): boolean {
    if (stream.creditRepeatAt === 0 || stream.receive === undefined) return false;
    if (now >= stream.creditRepeatAt) {
      this.#grants.add(stream, stream.receive, false);
      stream.creditRepeatAt = now + stream.creditPauseMs;
      stream.creditPauseMs = Math.min(stream.creditPauseMs * 2, CREDIT_REPEAT_MS_MAX);
    }
    return stream.creditPauseMs <= CREDIT_REPEAT_TICKED_MS;
  }

  /** Queues what there is to grant and to acknowledge; at once when it is a good part of the window. */
  grant(stream: Stream, state: ReceiveState): void {
    const isDue = state.released - stream.grantedBytes >= stream.grantThresholdBytes ||
      state.packets - stream.grantedPackets >= GRANT_PACKETS;
    this.#grants.add(stream, state, isDue);
  }

  /**
   * The sender of a stream that nothing arrived of here was turned away on a session that this one
   * replaced; whoever waits for it is told.
   */
  onTurnedAway(low: number, high: number): void {
    const stream = this.#byId.get(low, high);
    const handler = stream?.handler;
    if (stream === undefined || handler === undefined) return;
    if (stream.receive !== undefined && stream.receive.packets > 0) return;
    stream.handler = undefined;
    stream.receive = undefined;
    handler.onEnd("reset");
  }

  /** Lets the stream's events be handed on once and in order; before the first of them came. */
  order(stream: Stream, windowBytes: number): void {
    const { store, reorderBudget: budget } = this.#context;
    stream.reorder ??= new ReorderBuffer({
      store,
      budget,
      deliver: (sequence, memory, at, length, count) => {
        this.#deliver(stream, sequence, memory, at, length, count);
      },
    }, {
      packetsMax: receiveHorizon(windowBytes),
      bytesMax: Math.max(REORDER_BYTES_MIN, windowBytes),
    });
  }

  /** The user is done with receiving; late copies are still acknowledged for a while. */
  closeReceive(stream: Stream): void {
    stream.isReceiveClosed = true;
    stream.handler = undefined;
    stream.lastActiveAt = this.#context.clock.now();
  }

  /** True when somebody reads the stream, or did until all that was wanted had come. */
  #isRead(stream: Stream | undefined): boolean {
    return stream?.handler !== undefined || stream?.isReceiveClosed === true ||
      this.#context.hasEventHandler();
  }

  #deliver(
    stream: Stream,
    sequence: number,
    memory: Uint8Array,
    at: number,
    length: number,
    count: number,
  ): void {
    const { counters, onEvent, cursor } = this.#context;
    cursor.reset(memory, at, length, count);
    for (let index = 0; cursor.next(); index++) {
      const event = memory.subarray(cursor.start, cursor.end);
      const { handler } = stream;
      stream.eventsReceived += 1;
      if (handler !== undefined) {
        counters.events_delivered_total += 1;
        handler.onEvent(sequence, event, index);
      } else onEvent(this.#session, stream, sequence, event, index);
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
    for (const stream of this.#byId.values()) {
      const state = stream.send;
      if (state !== undefined && state.unackedCount > 0) {
        const plan = state.onTick(now);
        if (plan.isGivenUp) {
          this.#context.counters.streams_given_up_total += 1;
          this.reset(stream);
          continue;
        }
        this.resend(stream, state, plan.due);
        if (plan.due[0] === state.unacked.base) this.#probe(stream, state);
        isBusy = true;
      } else if (state?.isRefusing === true) {
        if (state.onStarved(now)) stream.wake();
        else isBusy = true;
      }
      if (stream.reorder?.checkGap(now) !== undefined) {
        this.#context.counters.streams_gap_total += 1;
        this.sendReset(stream.low, stream.high);
        this.drop(stream, "gap");
        continue;
      }
      if (this.#repeatCredit(stream, now)) isBusy = true;
      if (stream.receive !== undefined && (stream.receive.hasGap || stream.repeatsGrant)) {
        stream.repeatsGrant = false;
        this.#grants.add(stream, stream.receive, false);
        isBusy = true;
      }
    }
    return isBusy;
  }

  /**
   * Sends something new behind packets that stay unacknowledged, because nothing else makes the Rust core
   * speak: it takes copies in silence (`wire.md` 7.2), so a grant that was lost behind the last packet of
   * a window would never come again.
   *
   * A waiting sender's next packet is best. One without events leaves a hole in the numbers of those with
   * events, which readers that order by them must not see in the middle; so it comes at the end, or late.
   */
  #probe(stream: Stream, state: SendState): void {
    const { unacked } = state;
    if (stream.isWaitedFor && !stream.isSendClosing) {
      state.allowProbe();
      stream.wake();
    } else if (stream.isSendClosing || unacked.resends(unacked.base) >= EMPTY_PROBE_RESENDS) {
      this.send(stream, state, NO_EVENTS, 0, 0, 0);
    }
  }

  /** Forgets streams that are idle or were closed a while ago. */
  sweep(now: number): void {
    this.#sweepEnded(now);
    this.#repeatResets(now);
    for (const stream of this.#byId.values()) {
      const { isClosed, lastActiveAt } = stream;
      this.#repeatCredit(stream, now);
      if (now - lastActiveAt <= (isClosed ? STREAM_LINGER_MS : STREAM_IDLE_MS)) continue;
      // Whoever still holds a half of it has to know that nothing will come or leave there any more.
      this.drop(stream, isClosed ? "closed" : "idle");
    }
  }

  /**
   * Forgets the stream.
   *
   * @param isKnown True when the peer needs not be told.
   */
  drop(stream: Stream, reason: StreamEnd, isKnown = reason === "closed"): void {
    this.#byId.delete(stream.low, stream.high);
    if (stream.queue !== NO_QUEUE) this.#context.egress.closeQueue(stream.queue);
    stream.queue = NO_QUEUE;
    const now = this.#context.clock.now();
    if (!isKnown && this.#isAwaited(stream)) {
      (this.#session.peer.resets ??= new ResetRepeats()).add(stream.low, stream.high, now);
    }
    if (reason !== "closed" && stream.receive !== undefined) {
      const ended = this.#ended ??= new PairMap<number>(8);
      if (ended.size < ENDED_MAX) ended.set(stream.low, stream.high, now + ENDED_MS);
    }
    if (reason === "reset") this.#context.counters.streams_reset_total += 1;
    stream.end(reason);
  }

  /**
   * True when the peer may wait on a stream that ends here: to read what will not come, or, while the
   * session stays in use, for credit. Where another session took over, the peer's sender is told by that.
   */
  #isAwaited(stream: Stream): boolean {
    const { supersededAt, isEnded } = this.#session;
    if (stream.send !== undefined && !stream.isSendClosed) return true;
    return stream.handler !== undefined && supersededAt === undefined && !isEnded;
  }

  /** Ends every stream; the session's keys stay, so that late packets still open. */
  end(reason: StreamEnd): void {
    this.#grants.clear();
    for (const stream of this.#byId.values()) this.drop(stream, reason);
  }

  #sweepEnded(now: number): void {
    if (this.#ended === undefined) return;
    for (const [low, high, until] of this.#ended.entries()) {
      if (until <= now) this.#ended.delete(low, high);
    }
    if (this.#ended.size === 0) this.#ended = undefined;
  }

  #repeatResets(now: number): void {
    const { peer } = this.#session;
    if (peer.resets === undefined || peer.session !== this.#session) return;
    const due = peer.resets.takeDue(now);
    if (due.length > 0) this.#sendResets(due);
    if (peer.resets.size === 0) peer.resets = undefined;
  }

  #evictOldest(): void {
    let oldest: Stream | undefined;
    for (const stream of this.#byId.values()) {
      if (oldest === undefined || stream.lastActiveAt < oldest.lastActiveAt) oldest = stream;
    }
    if (oldest === undefined) return;
    this.#context.counters.streams_evicted_total += 1;
    this.drop(oldest, "peer_lost");
  }
}

function writeFrames(
  memory: Uint8Array,
  view: DataView,
  start: number,
  events: readonly Uint8Array[],
  from: number,
  until: number,
): void {
  let at = start;
  for (let i = from; i < until; i++) {
    const event = events[i] as Uint8Array;
    view.setUint32(at, event.length, true);
    memory.set(event, at + FRAME_PREFIX_BYTES);
    at += FRAME_PREFIX_BYTES + event.length;
  }
}
