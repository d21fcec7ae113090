/**
 * RedEX as its users see it: append-only channels of numbered events, on disk or in memory
 * (`storage.md` 3 to 5).
 *
 * Sequence numbers are `bigint` here; the engine keeps numbers below 2^53 and refuses a file that goes
 * beyond.
 */
import type { RecordRun } from "./record_store.ts";

/** When what was appended is put on the device (`storage.md` 3.4). `never` still does so on sync and close. */
export type FsyncPolicy =
  | { readonly kind: "never" }
  /** After so many records, in the background; at least 1. */
  | { readonly kind: "every-n"; readonly records: number }
  /** So many milliseconds after the first record that is not on the device. */
  | { readonly kind: "interval"; readonly ms: number }
  /** Whichever comes first; either may be 0 for "not by this". */
  | { readonly kind: "interval-or-bytes"; readonly ms: number; readonly bytes: number };

/** What may be forgotten, oldest first (`storage.md` 3.5). A part left out is no limit; 0 is refused. */
export interface Retention {
  readonly eventsMax?: number;
  /** 20 per record and its payload. */
  readonly bytesMax?: number;
  readonly ageMaxMs?: number;
}

/** Options of one channel's file. */
export interface RedexConfig {
  /** On disk; in memory when left out. */
  readonly isPersistent?: boolean;
  /** `never` when left out; means nothing in memory. */
  readonly fsync?: FsyncPolicy;
  readonly retention?: Retention;
  /** How often retention runs by itself; 0 for only when asked to. */
  readonly sweepMs?: number;
}

/** An event of a channel. */
export interface RedexEvent {
  readonly kind: "event";
  readonly seq: bigint;
  /** Never changes; do not write to it. */
  readonly payload: Uint8Array;
  /** Unix nanoseconds of the append, shared by a batch. */
  readonly timeNs: bigint;
}

/**
 * Numbers that a tail has no event for. `retention` took them away before the tail came, `damage` are records
 * that fail their checksum, and `skipped` is a hole between records: numbers that {@linkcode RedexFile.skipTo}
 * left out, or damaged ones that are gone since the file was written anew.
 */
export interface RedexLag {
  readonly kind: "lag";
  /** First and last sequence number that is missing. */
  readonly from: bigint;
  readonly to: bigint;
  readonly reason: "retention" | "damage" | "skipped";
}

/** What a tail gives, in order. */
export type TailItem = RedexEvent | RedexLag;

/** Options of {@linkcode RedexFile.tail}. */
export interface TailOptions {
  /** First sequence number wanted; the next one to be appended when left out. */
  readonly from?: bigint;
  /** Ends the tail. */
  readonly signal?: AbortSignal;
}

/**
 * A reader that goes on. History and what is appended meanwhile follow each other without a gap; a
 * reader that is slow reads from the file, so nothing is queued for it and it loses nothing but what
 * retention takes, of which it is told by a lag item.
 */
export interface RedexTail extends Disposable, AsyncIterable<TailItem> {
  /** Sequence number of the next item. */
  readonly position: bigint;
  /**
   * The next items, at least one, at most `itemsMax`; waits for them. `undefined` when the tail was closed, or the
   * file was and all was read.
   *
   * @throws RedexError `closed` when the file was closed before all was read: it goes on from `position` in the
   * reopened file; `io` when reading failed: the tail stays where it is.
   */
  take(itemsMax: number): Promise<readonly TailItem[] | undefined>;
  /** What is there without waiting. */
  takeNow(itemsMax: number): readonly TailItem[];
  /**
   * What is there, as one piece without an object for each event; `undefined` when it has to be asked for item by item,
   * as there may be nothing, a lag, or payloads that do not lie together. Only logs on a disk have it.
   */
  takeRun?(eventsMax: number): RecordRun | undefined;
  close(): void;
}

/** What a file says of itself. */
export interface RedexStat {
  readonly name: string;
  readonly isPersistent: boolean;
  readonly events: number;
  /** First sequence number kept; the next one when there is none. */
  readonly firstSeq: bigint;
  readonly nextSeq: bigint;
  /** All below is on the device. */
  readonly persistedSeq: bigint;
  /** 20 per record and its payload. */
  readonly bytes: number;
  readonly generation: number;
  /** Records that failed their checksum since the file was opened. */
  readonly damaged: number;
  readonly fsync: FsyncPolicy;
  readonly retention: Retention;
  /** Why nothing can be appended, or how the last sync failed; `undefined` when all is well. */
  readonly failure: string | undefined;
}

/** An open channel file. Calls that append either append all of it or throw and leave nothing behind. */
export interface RedexFile extends AsyncDisposable {
  readonly name: string;
  readonly firstSeq: bigint;
  readonly nextSeq: bigint;
  /** All below was put on the device; equals `nextSeq` in memory. After a crash a reader starts here again. */
  readonly persistedSeq: bigint;
  stat(): RedexStat;
  /**
   * Changes how it is kept from now on; a part that is left out stays, and tails go on.
   *
   * @throws RedexError `config`, `closed`.
   */
  configure(config: Omit<RedexConfig, "isPersistent">): void;

  /**
   * Appends an event; its sequence number. It is written to the file when this returns, and on the device when
   * the policy says or {@linkcode RedexFile.sync} resolves.
   *
   * @throws RedexError
   */
  append(payload: Uint8Array): bigint;
  /** Appends all or none; the first sequence number, or `undefined` for an empty batch. */
  appendBatch(payloads: readonly Uint8Array[]): bigint | undefined;
  /** As {@linkcode RedexFile.appendBatch}, unless `expected` is not the next number: then `seq_mismatch`. */
  appendBatchIfNext(expected: bigint, payloads: readonly Uint8Array[]): bigint | undefined;
  /** Appends exactly 8 bytes that are kept in the index record. */
  appendInline(payload: Uint8Array): bigint;
  /** Appends, and resolves with the first number when all is on the device; waiting writers share one sync. */
  appendDurable(payloads: readonly Uint8Array[]): Promise<bigint>;

  /** The event of this number; `undefined` when there is none, or it is damaged. */
  read(seq: bigint): RedexEvent | undefined;
  /** Events `from` ≤ seq < `to`, at most `eventsMax`; damaged ones are left out and counted. */
  readRange(from: bigint, to: bigint, eventsMax?: number): RedexEvent[];
  tail(options?: TailOptions): RedexTail;

  /**
   * The next event gets this number. Nothing is written for the numbers that are left out: readers go on with the
   * first one that is there, tails after a lag item (gaps are fine for the core, `storage.md` 3.2). A state
   * that was restored from further on than the log goes keeps its numbers this way.
   *
   * @throws RedexError `seq_out_of_range` when it is below {@linkcode RedexFile.nextSeq}.
   */
  skipTo(seq: bigint): void;
  /** Resolves when all that was appended before is on the device. */
  sync(): Promise<void>;
  /** Runs retention now; the number of events that went. */
  sweep(): Promise<number>;
  /** Writes the file anew without what is gone or damaged. */
  compact(): Promise<void>;
  /** Puts all on the device and closes; idempotent. Tails end. */
  close(): Promise<void>;
}

/** The channels of one folder, or of memory. */
export interface Redex extends AsyncDisposable {
  /**
   * Opens a channel, or gives the open file (then `config` is checked and not looked at, but for one thing: who
   * wants the channel on disk is not given one in memory).
   *
   * @param name A channel name (`storage.md` 1).
   * @throws RedexError `unauthorized` by the guard, `config`, `io`, `locked`.
   */
  open(name: string, config?: RedexConfig): Promise<RedexFile>;
  /**
   * As {@linkcode Redex.open} for a channel that is there; `undefined` when it is neither open nor kept, or is being
   * removed.
   */
  openExisting(name: string, config?: RedexConfig): Promise<RedexFile | undefined>;
  /** The file, if it is open. */
  get(name: string): RedexFile | undefined;
  /** Channels that are open, or kept in the folder, by name. */
  names(): Promise<string[]>;
  /** Closes a channel and removes all of it; false when there was none. */
  remove(name: string): Promise<boolean>;
  close(): Promise<void>;
}
