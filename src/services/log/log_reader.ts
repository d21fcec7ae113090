/**
 * Reads a log from a place on, to its end or as it grows, over everything that may happen to its file
 * meanwhile: retention, compaction, repair, new rules. What is gone is told of, never skipped in silence.
 */
import { type Clock, NetError } from "../../base/mod.ts";
import { RedexError, type RedexFile, type RedexTail, type TailItem } from "../../log/mod.ts";
import { READ_EVENTS, REOPEN_MS, SLICE_MS } from "./limits.ts";

/** Where reading begins. */
export type LogStart =
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "seq"; readonly seq: bigint }
  /** So many events before the end. */
  | { readonly kind: "last"; readonly events: number }
  /** The first event that is as new as this, in Unix nanoseconds. */
  | { readonly kind: "since"; readonly timeNs: bigint };

/** Options of reading. */
export interface LogReadOptions {
  readonly from: LogStart;
  /** First number that is not wanted. */
  readonly to?: bigint;
  /** Goes on when the end is reached. */
  readonly isFollowing?: boolean;
  /** Aborted when whoever reads has left. */
  readonly signal: AbortSignal;
}

/** What {@linkcode LogReader} needs. */
export interface LogReaderDeps {
  readonly channel: string;
  readonly open: () => Promise<RedexFile>;
  readonly isThere: () => Promise<boolean>;
  readonly clock: Clock;
  readonly stopSignal: AbortSignal;
  readonly onEnd: () => void;
  readonly counters: { reader_events_total: number; reader_gone_events_total: number };
}

/** A place in a log. */
export class LogReader implements Disposable {
  readonly #deps: LogReaderDeps;
  readonly #options: LogReadOptions;
  readonly #signal: AbortSignal;
  #file: RedexFile | undefined;
  #tail: RedexTail | undefined;
  #position = 0n;
  /** When others had their turn last. */
  #sliceAt: number;
  /** Where a reader that does not go on ends. */
  #end = 0n;
  #isClosed = false;

  constructor(deps: LogReaderDeps, options: LogReadOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, deps.stopSignal]);
    this.#sliceAt = deps.clock.now();
  }

  /** Number of the next event. */
  get position(): bigint {
    return this.#position;
  }

  /** All below is on the device. */
  get persistedSeq(): bigint {
    return this.#file?.persistedSeq ?? 0n;
  }

  /** First number kept. */
  get firstSeq(): bigint {
    return this.#file?.firstSeq ?? 0n;
  }

  /** Finds the place. */
  async start(): Promise<void> {
    const file = this.#file = await this.#deps.open();
    this.#position = placeOf(file, this.#options.from);
    const { to } = this.#options;
    this.#end = to === undefined || (!this.#options.isFollowing && to > file.nextSeq)
      ? file.nextSeq
      : to;
    this.#tail = file.tail({ from: this.#position, signal: this.#signal });
  }

  /**
   * The next items, at least one; `undefined` at the end, and when the log was removed.
   *
   * @throws The reason of whoever ended it.
   */
  async next(itemsMax = READ_EVENTS): Promise<readonly TailItem[] | undefined> {
    const isEndless = this.#options.isFollowing === true && this.#options.to === undefined;
    await this.#letOthers();
    for (;;) {
      this.#signal.throwIfAborted();
      if (!isEndless && this.#position >= this.#end) return undefined;
      const tail = this.#tail ?? await this.#reopen();
      if (tail === undefined) return undefined;
      const items = await this.#take(tail, itemsMax);
      this.#signal.throwIfAborted();
      if (items === undefined) this.#letGo();
      else if (items.length > 0) return this.#note(items, isEndless);
    }
  }

  /** A long log is read in slices, between which others have their turn. */
  async #letOthers(): Promise<void> {
    const { clock } = this.#deps;
    if (clock.now() - this.#sliceAt < SLICE_MS) return;
    await new Promise<void>((resolve) => clock.soon(resolve));
    this.#sliceAt = clock.now();
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#letGo();
    this.#deps.onEnd();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The next items; `undefined` when the file was closed under the reader. */
  async #take(tail: RedexTail, itemsMax: number): Promise<readonly TailItem[] | undefined> {
    try {
      if (this.#options.isFollowing) return await tail.take(itemsMax);
      const items = tail.takeNow(itemsMax);
      return items.length === 0 ? undefined : items;
    } catch (error) {
      // It still has events that were not read: they are there when it is open again.
      if (error instanceof RedexError && error.kind === "closed") return undefined;
      throw error;
    }
  }

  #note(items: readonly TailItem[], isEndless: boolean): readonly TailItem[] | undefined {
    const { counters } = this.#deps;
    const taken = isEndless ? items : items.filter((item) => firstOf(item) < this.#end);
    for (const item of taken) {
      if (item.kind === "event") counters.reader_events_total += 1;
      else counters.reader_gone_events_total += Number(item.to - item.from) + 1;
    }
    const last = items.at(-1);
    if (last !== undefined) this.#position = lastOf(last) + 1n;
    return taken.length === 0 ? undefined : taken;
  }

  async #reopen(): Promise<RedexTail | undefined> {
    // Removed, or closed for a moment: rules have changed, or too many files were open.
    if (!await this.#deps.isThere()) return undefined;
    await new Promise<void>((resolve) => void this.#deps.clock.after(REOPEN_MS, resolve));
    this.#signal.throwIfAborted();
    const file = this.#file = await this.#deps.open();
    if (file.nextSeq < this.#position) {
      throw new NetError(
        "conflict",
        `Cannot go on reading "${this.#deps.channel}": it was removed and begun anew`,
        { next: "read it again from the start" },
      );
    }
    return this.#tail = file.tail({ from: this.#position, signal: this.#signal });
  }

  #letGo(): void {
    this.#tail?.close();
    this.#tail = undefined;
  }
}

/** Number that a place means now. */
function placeOf(file: RedexFile, from: LogStart): bigint {
  const { firstSeq, nextSeq } = file;
  switch (from.kind) {
    case "start":
      return firstSeq;
    case "end":
      return nextSeq;
    case "seq":
      return from.seq;
    case "last": {
      const wanted = nextSeq - BigInt(from.events);
      return wanted > firstSeq ? wanted : firstSeq;
    }
    case "since":
      return firstSince(file, from.timeNs);
  }
}

/** First event that is not older; times do not fall as numbers rise, unless the machine's clock was set back. */
function firstSince(file: RedexFile, timeNs: bigint): bigint {
  let low = file.firstSeq;
  let high = file.nextSeq;
  while (low < high) {
    const middle = (low + high) / 2n;
    // Where numbers are missing the next event that is there answers.
    const [event] = file.readRange(middle, high, 1);
    if (event === undefined) high = middle;
    else if (event.timeNs < timeNs) low = event.seq + 1n;
    else high = middle;
  }
  return low;
}

function firstOf(item: TailItem): bigint {
  return item.kind === "event" ? item.seq : item.from;
}

function lastOf(item: TailItem): bigint {
  return item.kind === "event" ? item.seq : item.to;
}
