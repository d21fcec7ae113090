/**
 * One channel that programs of this machine want: who reads it, at which publishers it is, and who gets the
 * next event.
 */
import { NetError } from "../../base/mod.ts";
import {
  type Attachment,
  type ChannelEvent,
  type ChannelId,
  offerHashesOf,
  PATIENCE_MS,
  type SubscriberLink,
} from "../../channel/mod.ts";
import type { Clock } from "../../base/mod.ts";
import type { ChannelReceiver } from "./receiver.ts";
import type { ChannelSubscription } from "./subscription.ts";

/** The channel at one publisher. */
export interface AttachedChannel {
  readonly wanted: WantedChannel;
  readonly peer: bigint;
  readonly attachment: Attachment;
  readonly receiver: ChannelReceiver;
}

/** What readers got. */
export interface ReadCounters {
  events_received_total: number;
  bytes_received_total: number;
  /** Events for whom every reader was gone. */
  drop_no_reader_total: number;
  /** Events of unreliable channels that slow readers missed, of subscriptions that ended. */
  drop_reader_slow_total: number;
}

/** One channel. */
export class WantedChannel {
  readonly id: ChannelId;
  /** Hashes by which it may be offered. */
  readonly offerHashes: readonly bigint[];
  readonly queueGroup: string | undefined;
  /** What publishers are shown. */
  chain: Uint8Array | undefined;
  readonly readers: ChannelSubscription[] = [];
  readonly attached = new Map<bigint, AttachedChannel>();
  readonly #counters: ReadCounters;
  /** The reader whose turn was last in a queue group. */
  #turn = 0;

  constructor(id: ChannelId, queueGroup: string | undefined, counters: ReadCounters) {
    this.id = id;
    this.offerHashes = offerHashesOf(id);
    this.queueGroup = queueGroup;
    this.#counters = counters;
  }

  /** True when at least one reader wants events of the publisher. */
  isWantedOf(publisher: bigint): boolean {
    return this.readers.some((reader) => reader.wants(publisher));
  }

  /** Takes a reader out; false when it was not there. */
  remove(subscription: ChannelSubscription): boolean {
    const at = this.readers.indexOf(subscription);
    if (at < 0) return false;
    this.readers.splice(at, 1);
    this.#counters.drop_reader_slow_total += subscription.queue.dropped;
    return true;
  }

  /**
   * Hands an event to its readers.
   *
   * @param onTaken Called when the last of them has taken it; given, the event is never dropped.
   */
  take(event: ChannelEvent, onTaken: (() => void) | undefined): void {
    const counters = this.#counters;
    counters.events_received_total += 1;
    counters.bytes_received_total += event.bytes.length;
    const readers = this.#readersOf(event.publisher);
    if (readers.length === 0) {
      counters.drop_no_reader_total += 1;
      onTaken?.();
      return;
    }
    let left = readers.length;
    const onOneTaken = onTaken && (() => {
      left -= 1;
      if (left === 0) onTaken();
    });
    for (const { queue } of readers) queue.push(event, onOneTaken);
  }

  /** Tells readers how it goes at a publisher. */
  tell({ peer, attachment }: AttachedChannel, isLost: boolean): void {
    const { state, reason, refusals } = attachment;
    for (const reader of this.readers) {
      if (!reader.wants(peer)) continue;
      reader.onStatus.emit({ publisher: peer, state: isLost ? "lost" : state, reason, refusals });
    }
  }

  /** The way of this node's own events to its readers. */
  localLink(clock: Clock, nodeId: bigint, isPatient: boolean): SubscriberLink {
    let sequence = 0;
    const trySend = (events: readonly Uint8Array[], start: number): number => {
      let taken = 0;
      for (const bytes of events.slice(start)) {
        const readers = this.#readersOf(nodeId, false);
        if (isPatient && !readers.every(({ queue }) => queue.hasRoom(bytes.length))) break;
        const channel = this.id.name;
        const event = { channel, publisher: nodeId, sequence, index: 0, bytes: bytes.slice() };
        sequence += 1;
        taken += 1;
        this.take(event, undefined);
      }
      return taken;
    };
    const send = async (
      events: readonly Uint8Array[],
      start: number,
      signal: AbortSignal | undefined,
    ): Promise<void> => {
      const late = Promise.withResolvers<never>();
      late.promise.catch(() => {});
      const give = (error: unknown) => late.reject(error);
      const cancel = clock.after(PATIENCE_MS, () => {
        give(new NetError("backpressure", "Cannot hand event to readers: they take none"));
      });
      const onAbort = () => give(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        for (let at = start + trySend(events, start); at < events.length;) {
          const waits = this.readers.map(({ queue }) => queue.untilTaken());
          await Promise.race([late.promise, ...waits]);
          at += trySend(events, at);
        }
      } finally {
        cancel();
        signal?.removeEventListener("abort", onAbort);
      }
    };
    return { isPatient, trySend, send };
  }

  /** Those that get the next event of a publisher: all of them, or in a queue group the next one. */
  #readersOf(publisher: bigint, isTaking = true): readonly ChannelSubscription[] {
    const readers = this.readers.filter((reader) => reader.wants(publisher));
    if (this.queueGroup === undefined || readers.length < 2) return readers;
    const turn = (this.#turn + 1) % readers.length;
    if (isTaking) this.#turn = turn;
    return readers.slice(turn, turn + 1);
  }
}
