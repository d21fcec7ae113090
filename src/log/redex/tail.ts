/**
 * Tails of a channel's file (`storage.md` 4, promise 73): a position in the log, and whoever waits there.
 *
 * Nothing is queued for a reader. What it has not taken yet stays in the log, history and new events alike,
 * so there is no seam between them and a slow reader costs no memory. What is not in the log any more when
 * its turn comes is said by a lag item: below the first event kept it was retention, a hole above is damage, or
 * numbers that were skipped.
 */
import { RedexError, tooMany } from "./error.ts";
import type { LogCounters } from "./counters.ts";
import { TAIL_ITERATOR_ITEMS, TAIL_READ_BYTES, WAITING_MAX } from "./limits.ts";
import type { RecordRun, RecordStore } from "./record_store.ts";
import type { TailGroup } from "./tail_group.ts";
import type { RedexEvent, RedexLag, RedexTail, TailItem } from "./types.ts";

/** A call of `take` that has not been answered. */
interface Waiting {
  readonly itemsMax: number;
  readonly resolve: (items: readonly TailItem[] | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** What a tail reads. */
export interface TailSource {
  readonly name: string;
  readonly store: RecordStore;
  readonly counters: LogCounters;
  /** Called after a read that met damage. */
  readonly onDamage: () => void;
  /** Set when the file was closed: the number behind its last event. */
  readonly closedAt: number | undefined;
}

/** One reader's position. */
export class Tail implements RedexTail {
  readonly #source: TailSource;
  readonly #group: TailGroup;
  readonly #signal: AbortSignal | undefined;
  readonly #waiting: Waiting[] = [];
  /** Taken from the log by an iterator and not given out yet. */
  #held: readonly TailItem[] = [];
  #heldAt = 0;
  /** Next number to read. */
  #next: number;
  #isClosed = false;

  constructor(source: TailSource, group: TailGroup, from: number, signal?: AbortSignal) {
    this.#source = source;
    this.#group = group;
    this.#next = from;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  get position(): bigint {
    const held = this.#held[this.#heldAt];
    if (held === undefined) return BigInt(this.#next);
    return held.kind === "event" ? held.seq : held.from;
  }

  take(itemsMax: number): Promise<readonly TailItem[] | undefined> {
    requireItems(itemsMax);
    return new Promise((resolve, reject) => this.#wait({ itemsMax, resolve, reject }));
  }

  takeNow(itemsMax: number): readonly TailItem[] {
    requireItems(itemsMax);
    if (this.#isClosed) return [];
    const held = this.#takeHeld(itemsMax);
    if (held.length > 0) return held;
    if (this.#source.closedAt === undefined) return this.#read(itemsMax);
    this.#requireAllRead(this.#source.closedAt);
    return [];
  }

  takeRun(eventsMax: number): RecordRun | undefined {
    requireItems(eventsMax);
    const { store, closedAt } = this.#source;
    const isPlain = !this.#isClosed && closedAt === undefined &&
      this.#heldAt >= this.#held.length && this.#next >= store.firstSeq;
    const run = isPlain ? store.readRun?.(this.#next, eventsMax) : undefined;
    if (run !== undefined) this.#next += run.count;
    return run;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = [];
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#group.remove(this);
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<TailItem, undefined> {
    return {
      next: () => {
        const held = this.#waiting.length === 0 ? this.#held[this.#heldAt] : undefined;
        if (held !== undefined) {
          this.#heldAt += 1;
          return Promise.resolve({ done: false, value: held });
        }
        return new Promise((resolve, reject) =>
          this.#wait({
            itemsMax: TAIL_ITERATOR_ITEMS,
            reject,
            resolve: (items) => {
              const [value] = items ?? [];
              if (items === undefined || value === undefined) {
                return resolve({ done: true, value: undefined });
              }
              this.#held = items;
              this.#heldAt = 1;
              resolve({ done: false, value });
            },
          })
        );
      },
      return: () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** The file is closed, and with it all that a tail can do but to give out what it holds. */
  detach(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.serve();
  }

  /** Answers those that wait, as far as there is something to say; true when none waits any more. */
  serve(): boolean {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      try {
        const items = this.#takeShared(first.itemsMax) ?? this.takeNow(first.itemsMax);
        const isEnd = this.#isClosed || this.#source.closedAt !== undefined;
        if (items.length === 0 && !isEnd) return false;
        this.#waiting.shift();
        first.resolve(items.length > 0 ? items : undefined);
      } catch (error) {
        this.#waiting.shift();
        first.reject(error);
      }
    }
    return true;
  }

  #wait(waiting: Waiting): void {
    if (this.#waiting.length >= WAITING_MAX) {
      return waiting.reject(tooMany("take from", this.#source.name));
    }
    this.#waiting.push(waiting);
    // Those that came first are served first.
    if (this.#waiting.length === 1 && !this.serve()) this.#group.wait(this);
  }

  #takeHeld(itemsMax: number): readonly TailItem[] {
    if (this.#heldAt >= this.#held.length) return [];
    const items = this.#held.slice(this.#heldAt, this.#heldAt + itemsMax);
    this.#heldAt += items.length;
    return items;
  }

  /** What another tail has just read, or what may be of use for others; `undefined` when neither is known. */
  #takeShared(itemsMax: number): readonly TailItem[] | undefined {
    const isPlain = !this.#isClosed && this.#source.closedAt === undefined &&
      this.#heldAt >= this.#held.length;
    if (!isPlain || !this.#group.isServing) return undefined;
    const { shared } = this.#group;
    const from = this.#next;
    if (shared !== undefined && shared.from === from && shared.itemsMax === itemsMax) {
      this.#next = shared.next;
      return shared.items;
    }
    const items = this.#read(itemsMax);
    // A lag is counted for each tail it is given to.
    if (items.length > 0 && items.every(({ kind }) => kind === "event")) {
      this.#group.shared = { from, itemsMax, items, next: this.#next };
    }
    return items;
  }

  #read(itemsMax: number): TailItem[] {
    const { store } = this.#source;
    const items: TailItem[] = [];
    if (this.#next < store.firstSeq) this.#skip(items, store.firstSeq, "retention");
    if (this.#next >= store.nextSeq || items.length >= itemsMax) return items;
    const wanted = itemsMax - items.length;
    const read = store.read(this.#next, store.nextSeq, wanted, TAIL_READ_BYTES);
    if (read.damaged.length > 0) this.#source.onDamage();
    for (const { seq, payload, timeNs } of read.records) {
      if (this.#next < seq) this.#skipHole(items, itemsMax, seq, read.damaged);
      // What lag items have displaced is read again.
      if (this.#next < seq || items.length >= itemsMax) return items;
      items.push({ kind: "event", seq: BigInt(seq), payload, timeNs } satisfies RedexEvent);
      this.#next = seq + 1;
    }
    if (this.#next < read.next) this.#skipHole(items, itemsMax, read.next, read.damaged);
    return items;
  }

  /** Goes on at `to`, with an item for each run of damaged records and of skipped numbers; at most `itemsMax`. */
  #skipHole(items: TailItem[], itemsMax: number, to: number, damaged: readonly number[]): void {
    const bad = new Set(damaged);
    while (this.#next < to && items.length < itemsMax) {
      if (bad.size === 0) return this.#skip(items, to, "skipped");
      let end = this.#next;
      const isDamaged = bad.has(end);
      if (isDamaged) { while (end < to && bad.has(end)) end += 1; }
      else end = Math.min(to, damaged.find((seq) => seq > this.#next) ?? to);
      this.#skip(items, end, isDamaged ? "damage" : "skipped");
    }
  }

  /** Goes on at `to`, and says so. */
  #skip(items: TailItem[], to: number, reason: RedexLag["reason"]): void {
    const { counters } = this.#source;
    counters.lags_total += 1;
    counters.lag_events_total += to - this.#next;
    items.push({ kind: "lag", from: BigInt(this.#next), to: BigInt(to - 1), reason });
    this.#next = to;
  }

  #requireAllRead(closedAt: number): void {
    if (this.#next >= closedAt) return;
    throw new RedexError(
      "closed",
      `Cannot read channel "${this.#source.name}": it was closed, and ${closedAt - this.#next} ` +
        "events were not read",
      { next: `open it again and go on from ${this.#next}`, data: { position: this.#next } },
    );
  }

  readonly #onAbort = () => this.close();
}

function requireItems(itemsMax: number): void {
  if (itemsMax >= 1) return;
  throw new RangeError(`Cannot take ${itemsMax} items: it must be at least 1`);
}
