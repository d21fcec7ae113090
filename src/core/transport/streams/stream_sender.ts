/** Packets of the streams of one session on their way out (`wire.md` 7.1, 7.2). */
import { NetError } from "../../../base/mod.ts";
import { writeEventFrames } from "../wire/event_frame.ts";
import { NO_QUEUE } from "../routing/fair_scheduler.ts";
import { Flight } from "./flight.ts";
import { FLAG_RELIABLE } from "../wire/header.ts";
import { PACKET_OVERHEAD_BYTES, ROOM_RETRY_MS } from "../limits.ts";
import { NO_ROOM } from "./packet_store.ts";
import type { ScheduledPacket } from "./scheduled_packets.ts";
import { SendState } from "./send_state.ts";
import type { Session } from "../session/session.ts";
import type { SessionContext } from "../session/session_context.ts";
import type { Stream } from "./stream.ts";
import { toStreamLabel } from "./stream_label.ts";
import type { OpenSendStreamOptions } from "../types.ts";

/** Resends without an answer, about 0.35 s, after which an idle sender asks with an empty packet. */
const EMPTY_PROBE_RESENDS = 3;
const NO_EVENTS: readonly Uint8Array[] = [];

/** Sends events, once and again. */
export class StreamSender {
  readonly #context: SessionContext;
  readonly #session: Session;
  readonly #flight = new Flight();
  /** Streams for whose packet there was no room, until the timer wakes them. */
  readonly #roomless = new Set<Stream>();
  #cancelWaking: (() => void) | undefined;
  /** Place in the line of the scheduled packet that is being written. */
  #queued: ScheduledPacket | undefined;

  constructor(context: SessionContext, session: Session) {
    this.#context = context;
    this.#session = session;
  }

  /** The session has ended: nobody is woken for room any more. */
  end(): void {
    this.#cancelWaking?.();
    this.#cancelWaking = undefined;
    this.#roomless.clear();
  }

  /** Largest plaintext of a packet to the peer. */
  get payloadMax(): number {
    return this.#session.payloadMax;
  }

  /** True when a reliable packet leaves room in flight for those of others; else the stream is woken for it. */
  canSendBulk(stream: Stream, length: number): boolean {
    if (this.#flight.hasBulkRoom(PACKET_OVERHEAD_BYTES + length)) return true;
    this.#flight.wait(stream);
    return false;
  }

  /** Gives the stream a sending half. */
  open(stream: Stream, options: OpenSendStreamOptions): SendState {
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
    if (options.label !== undefined) stream.label = toStreamLabel(options.label);
    stream.isSendKept = options.isKept ?? false;
    if (options.onEnd !== undefined) stream.onSendEnd = options.onEnd;
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
    const at = this.#place(stream, state, length);
    if (at === NO_ROOM) return false;
    writeEventFrames(this.#context.store.memory, this.#session.view, at, events, start, end);
    this.#leave(stream, state, at, length, end - start);
    return true;
  }

  /**
   * Sends events that are framed already as one packet of the stream.
   *
   * @param bytes `length` bytes from `start` on are the frames of `count` events.
   * @returns As {@linkcode StreamSender.send}.
   */
  sendFramed(
    stream: Stream,
    state: SendState,
    bytes: Uint8Array,
    start: number,
    length: number,
    count: number,
  ): boolean {
    const at = this.#place(stream, state, length);
    if (at === NO_ROOM) return false;
    this.#context.store.memory.set(bytes.subarray(start, start + length), at);
    this.#leave(stream, state, at, length, count);
    return true;
  }

  /** Where the plaintext of a packet is to be written; {@linkcode NO_ROOM} when there is none now. */
  #place(stream: Stream, state: SendState, length: number): number {
    // A probe goes out whatever else is in flight: nothing may ever come back for that.
    if (
      state.isReliable && !state.isProbing &&
      !this.#flight.hasRoom(PACKET_OVERHEAD_BYTES + length)
    ) {
      this.#flight.wait(stream);
      return NO_ROOM;
    }
    if (stream.queue !== NO_QUEUE) return this.#placeScheduled(stream, length);
    const { store, counters } = this.#context;
    const slotAt = this.#session.begin(length);
    const at = slotAt === NO_ROOM || !state.isReliable ? slotAt : store.take(length);
    if (at === NO_ROOM) {
      if (slotAt !== NO_ROOM) counters.tx_store_full_total += 1;
      this.#wakeSoon(stream);
    }
    return at;
  }

  /** Has a stream look for room again, together with others that wait for some. */
  #wakeSoon(stream: Stream): void {
    if (this.#session.isEnded) return;
    this.#roomless.add(stream);
    this.#cancelWaking ??= this.#context.clock.after(ROOM_RETRY_MS, () => {
      this.#cancelWaking = undefined;
      const streams = [...this.#roomless];
      this.#roomless.clear();
      for (const waiting of streams) waiting.wake();
    });
  }

  /** Books a packet whose plaintext has been written, and sends it or has its turn come. */
  #leave(stream: Stream, state: SendState, at: number, length: number, count: number): void {
    const { clock } = this.#context;
    if (state.isReliable) this.#flight.add(PACKET_OVERHEAD_BYTES + length);
    state.eventsSent += count;
    const now = clock.now();
    stream.lastActiveAt = now;
    if (stream.queue !== NO_QUEUE) return this.#queue(stream, state, at, length, count);
    const sequence = state.record(at, length, count, now);
    const flags = state.isReliable ? FLAG_RELIABLE : 0;
    this.#seal(flags, stream, sequence, length, count, now, at);
    if (state.isReliable) this.#context.onBusy(this.#session);
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
    this.#seal(flags, stream, sequence, length, count, now, at);
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
      this.#seal(
        FLAG_RELIABLE,
        stream,
        sequence,
        unacked.length(sequence),
        unacked.count(sequence),
        clock.now(),
        unacked.at(sequence),
      );
    }
  }

  /**
   * Resends what is overdue, and helps a sender that nothing else will wake.
   *
   * @returns `busy` while another tick is needed, `given_up` when the peer does not answer any more.
   */
  tick(stream: Stream, state: SendState, now: number): "idle" | "busy" | "given_up" {
    if (state.unackedCount > 0) {
      const plan = state.onTick(now);
      if (plan.isGivenUp) return "given_up";
      this.resend(stream, state, plan.due);
      if (plan.due[0] === state.unacked.base) this.#probe(stream, state);
      return "busy";
    }
    if (!state.isRefusing) return "idle";
    if (!state.onStarved(now)) return "busy";
    stream.wake();
    return "idle";
  }

  /** Seals and sends the packet begun. */
  #seal(
    flags: number,
    { low, high, label }: Stream,
    sequence: number,
    length: number,
    count: number,
    now: number,
    at: number,
  ): void {
    const session = this.#session;
    const route = session.peer;
    session.send(flags, 0, low, high, sequence, length, count, now, at, route, label);
  }

  /** Room for a packet that leaves when it is the stream's turn; its place in the line is taken as well. */
  #placeScheduled(stream: Stream, length: number): number {
    const session = this.#session;
    const { store, counters, egress, scheduled } = this.#context;
    const isOpen = session.isOpen && !session.isEnded;
    const at = isOpen ? store.take(length) : NO_ROOM;
    const item = scheduled.take();
    if (at === NO_ROOM || !egress.push(stream.queue, item)) {
      if (at !== NO_ROOM) store.release(at);
      else if (isOpen) counters.tx_store_full_total += 1;
      scheduled.release(item);
      this.#wakeSoon(stream);
      return NO_ROOM;
    }
    this.#queued = item;
    return at;
  }

  /** Says what the packet is whose place in the line was just taken. */
  #queue(stream: Stream, state: SendState, at: number, length: number, count: number): void {
    const item = this.#queued;
    this.#queued = undefined;
    if (item === undefined) return;
    // It cannot be overdue before it has left.
    item.sequence = state.record(at, length, count, Infinity);
    item.sender = this;
    item.stream = stream;
    item.state = state;
    item.at = state.isReliable ? NO_ROOM : at;
    item.length = length;
    item.count = count;
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
      state.allowProbe();
      this.send(stream, state, NO_EVENTS, 0, 0, 0);
    }
  }
}
