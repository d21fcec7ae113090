/**
 * The streams of one session: receiving, acknowledging, giving up (`wire.md` 7); `stream_sender.ts` sends.
 *
 * The session hands in opened packets and sends what is decided here. Retransmission and idle limits are
 * driven from outside by `tick` and `sweep`.
 */

import { PairMap } from "../../../base/mod.ts";
import { encodeResetInto, RESET_BYTES } from "../wire/control_frames.ts";
import { EndedStreams } from "./ended_streams.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import { NO_QUEUE } from "../routing/fair_scheduler.ts";
import { GrantQueue } from "./grant_queue.ts";
import {
  CREDIT_REPEAT_MS,
  CREDIT_REPEAT_MS_MAX,
  CREDIT_REPEAT_TICKED_MS,
  GRANT_PACKETS,
  PACKET_OVERHEAD_BYTES,
  STREAM_IDLE_MS,
  STREAM_LINGER_MS,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
} from "../limits.ts";
import { NO_ROOM } from "./packet_store.ts";
import { receiveHorizon, ReceiveState } from "./receive_state.ts";
import { ReorderBuffer } from "./reorder_buffer.ts";
import { ResetRepeats, type StreamId } from "./reset_repeats.ts";
import type { Session } from "../session/session.ts";
import type { SessionContext } from "../session/session_context.ts";
import { Stream } from "./stream.ts";
import { StreamSender } from "./stream_sender.ts";
import { SUBPROTOCOL_RESET } from "../wire/subprotocols.ts";
import type { StreamEnd } from "../types.ts";

/** An ordered stream holds at least this much behind a gap. */
const REORDER_BYTES_MIN = 256 * 1024;

/** Streams by id. */
export class SessionStreams {
  /** Sends packets of streams. */
  readonly sender: StreamSender;
  readonly #context: SessionContext;
  readonly #session: Session;
  readonly #byId = new PairMap<Stream>(8);
  readonly #grants: GrantQueue;
  /** Streams that ended early here; made with the first of them. */
  #ended: EndedStreams | undefined;

  constructor(context: SessionContext, session: Session) {
    this.#context = context;
    this.#session = session;
    this.#grants = new GrantQueue(context.clock, session);
    this.sender = new StreamSender(context, session);
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

  // --- Receiving -------------------------------------------------------------------------------

  /**
   * Takes an opened event packet.
   *
   * @param sequence The packet's number; absurd ones arrive as `Infinity` and are out of horizon.
   * @param at Start of the plaintext in the cipher's memory.
   * @param originLow What its header says of its origin.
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
    originLow = 0,
    originHigh = 0,
  ): void {
    const { counters, store } = this.#context;
    let stream = this.#byId.get(low, high);
    // A sender that was told so begins anew with number 0, where whoever comes is taken.
    const isNew = sequence === 0 && stream === undefined && this.#ended !== undefined &&
      this.#context.acceptStream(this.#session, low, high);
    if (isNew) stream = this.#byId.get(low, high);
    if (stream === undefined && this.#ended?.refuses(low, high, now)) {
      // The reader was told that the stream ended; so is the sender, in place of an acknowledgement.
      counters.drop_stream_closed_total += 1;
      this.sendReset(low, high);
      return;
    }
    if (
      stream?.handler === undefined && this.#context.acceptStream(this.#session, low, high)
    ) stream = this.#byId.get(low, high);
    if (!this.#isRead(stream) && (stream?.receive?.isReliable ?? isReliable)) {
      // Acknowledging it would promise a delivery; unacknowledged it comes again, and a reader that
      // opens the stream meanwhile, perhaps because its session was replaced, misses nothing.
      counters.drop_no_reader_total += 1;
      return;
    }
    stream ??= this.touch(low, high);
    stream.lastActiveAt = now;
    stream.originLow = originLow;
    stream.originHigh = originHigh;
    const state = stream.receive ??= new ReceiveState({ isReliable });
    // Whoever waits for a stream cannot know its mode; the first packet says it.
    if (state.packets + state.refused === 0) {
      state.isReliable = isReliable && !stream.isFlagIgnored;
    }
    // A gap that nobody will fill is not waited for.
    const reorder = state.isReliable ? stream.reorder : undefined;
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
      if (handler !== undefined) {
        counters.events_delivered_total += 1;
        stream.eventsReceived += 1;
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
      const sending = stream.send === undefined
        ? "idle"
        : this.sender.tick(stream, stream.send, now);
      if (sending === "given_up") {
        this.#context.counters.streams_given_up_total += 1;
        this.reset(stream);
        continue;
      }
      if (sending === "busy") isBusy = true;
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

  /** Forgets streams that are idle or were closed a while ago. */
  sweep(now: number): void {
    if (this.#ended?.sweep(now) === 0) this.#ended = undefined;
    this.#repeatResets(now);
    for (const stream of this.#byId.values()) {
      const { isClosed, lastActiveAt } = stream;
      this.#repeatCredit(stream, now);
      if (isKept(stream)) continue;
      if (now - lastActiveAt <= (isClosed ? STREAM_LINGER_MS : STREAM_IDLE_MS)) continue;
      // Whoever still holds a half of it has to know that nothing will come or leave there any more.
      this.drop(stream, isClosed ? "closed" : "idle");
    }
  }

  // --- Endings ---------------------------------------------------------------------------------

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
      at = encodeResetInto(view, at + FRAME_PREFIX_BYTES, low, high);
    }
    session.finish(SUBPROTOCOL_RESET, length, streams.length);
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
      (this.#ended ??= new EndedStreams()).add(stream.low, stream.high, now);
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
    this.sender.end();
    this.#grants.clear();
    for (const stream of this.#byId.values()) this.drop(stream, reason);
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
      if (oldest !== undefined && isKept(stream) && !isKept(oldest)) continue;
      const isBetter = oldest === undefined || (isKept(oldest) && !isKept(stream)) ||
        stream.lastActiveAt < oldest.lastActiveAt;
      if (isBetter) oldest = stream;
    }
    if (oldest === undefined) return;
    this.#context.counters.streams_evicted_total += 1;
    this.drop(oldest, "peer_lost");
  }
}

/** True for streams that silence does not end; of those that have to make room they come last. */
function isKept({ isSendKept, isReceiveKept }: Stream): boolean {
  return isSendKept || isReceiveKept;
}
