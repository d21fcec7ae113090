/**
 * Events that came for one subscription and wait for its reader (`identity-and-channels.md` 13).
 *
 * Of an unreliable channel no more are kept than fit, the oldest or the newest make room, and what is lost
 * is counted. Events of a reliable channel are never dropped: who put them in is told when they are taken,
 * and lets no more come than may be held.
 */
import { QUEUED_BYTES_MAX, QUEUED_EVENTS_MAX } from "../limits.ts";

/** One event of a channel. */
export interface ChannelEvent {
  readonly channel: string;
  /** The node that published it. */
  readonly publisher: bigint;
  /** Number of its packet in the publisher's stream, and its place in the packet. */
  readonly sequence: number;
  readonly index: number;
  /** Its own copy. */
  readonly bytes: Uint8Array;
}

/** What a full queue does with unreliable events. */
export type Overflow = "drop_oldest" | "drop_newest";

/** Options of {@linkcode EventQueue}. */
export interface EventQueueOptions {
  /** `drop_oldest` when left out. */
  readonly overflow?: Overflow;
  readonly eventsMax?: number;
  readonly bytesMax?: number;
}

interface Entry {
  readonly event: ChannelEvent;
  /** Set for events that must not be dropped. */
  readonly onTaken: (() => void) | undefined;
}

/** A bounded queue with one reader. */
export class EventQueue {
  readonly #overflow: Overflow;
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  /** In the order they came; those before `#next` were taken. */
  #entries: Entry[] = [];
  #next = 0;
  #bytes = 0;
  #dropped = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;
  /** Those that wait for room. */
  #roomWaiters: (() => void)[] = [];

  constructor(options: EventQueueOptions = {}) {
    this.#overflow = options.overflow ?? "drop_oldest";
    this.#eventsMax = options.eventsMax ?? QUEUED_EVENTS_MAX;
    this.#bytesMax = options.bytesMax ?? QUEUED_BYTES_MAX;
  }

  /** Events that wait. */
  get size(): number {
    return this.#entries.length - this.#next;
  }

  /** Events lost because the reader was too slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** True once closed; what was there is gone. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Puts an event in.
   *
   * @param onTaken Called once the event was taken or the queue closed; given, the event is never dropped.
   */
  push(event: ChannelEvent, onTaken?: () => void): void {
    if (this.#isClosed) {
      onTaken?.();
      return;
    }
    if (onTaken === undefined && !this.#makeRoom(event.bytes.length)) {
      this.#dropped += 1;
      return;
    }
    this.#entries.push({ event, onTaken });
    this.#bytes += event.bytes.length;
    this.wake();
  }

  /** Lets the reader look up, whether there is an event or not. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** True when one more event would push none out. */
  hasRoom(bytes: number): boolean {
    return this.size < this.#eventsMax && this.#bytes + bytes <= this.#bytesMax;
  }

  /** Resolves when an event was taken, or the queue is closed. */
  untilTaken(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => void this.#roomWaiters.push(resolve));
  }

  /** The next event; `undefined` when there is none now. */
  take(): ChannelEvent | undefined {
    const entry = this.#shift();
    entry?.onTaken?.();
    this.#tellRoom();
    return entry?.event;
  }

  /**
   * Resolves when there is an event, the queue is closed, or the reader is woken.
   *
   * @throws the signal's reason when that comes first.
   */
  async ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.size > 0 || this.#isClosed) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#wake = resolve;
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Lets go of everything; readers find the end. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (let entry = this.#shift(); entry !== undefined; entry = this.#shift()) entry.onTaken?.();
    this.wake();
    this.#tellRoom();
  }

  #tellRoom(): void {
    if (this.#roomWaiters.length === 0) return;
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }

  /** False when the new event is the one to be dropped. */
  #makeRoom(bytes: number): boolean {
    while (this.size >= this.#eventsMax || this.#bytes + bytes > this.#bytesMax) {
      const oldest = this.#entries[this.#next];
      // What must not be dropped makes no room; then the new one goes.
      if (
        this.#overflow === "drop_newest" || oldest === undefined || oldest.onTaken !== undefined
      ) {
        return false;
      }
      this.#shift();
      this.#dropped += 1;
    }
    return true;
  }

  #shift(): Entry | undefined {
    const entry = this.#entries[this.#next];
    if (entry === undefined) return undefined;
    this.#next += 1;
    this.#bytes -= entry.event.bytes.length;
    // Moved together now and then, so that taking costs the same however many wait.
    if (this.#next * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#next);
      this.#next = 0;
    }
    return entry;
  }
}
