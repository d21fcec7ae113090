/**
 * Where the records of one channel are kept: the ground that `RedexFile` stands on, in memory or on disk.
 *
 * A store knows numbers, bytes and files; it knows no tails, policies, retention rules or timers. One
 * user at a time. Numbers of events are plain numbers below 2^53.
 */

/** A record as a store gives it. */
export interface StoredRecord {
  readonly seq: number;
  readonly payload: Uint8Array;
  readonly timeNs: bigint;
}

/** Outcome of reading records. */
export interface RecordRead {
  readonly records: readonly StoredRecord[];
  /**
   * Number to go on from: all below was looked at, so what is not among `records` is damaged or was never there.
   * At least `from`; `to` (or `nextSeq`, when that is less) when no bound stopped the read.
   */
  readonly next: number;
  /** Numbers whose record failed its checksum, in order. */
  readonly damaged: readonly number[];
}

/** Sound records with numbers one behind the other, and so their payloads: for those who read a whole log. */
export interface RecordRun {
  readonly firstSeq: number;
  /** At least 1. */
  readonly count: number;
  /** The payloads, which nobody writes to. */
  readonly bytes: Uint8Array;
  /** Where each payload begins in `bytes`, and behind them where the last one ends. */
  readonly starts: Uint32Array;
}

/** Records of one channel. */
export interface RecordStore {
  readonly firstSeq: number;
  readonly nextSeq: number;
  /** Records kept. */
  readonly count: number;
  /** 20 per record, and the payloads. */
  readonly bytes: number;
  readonly generation: number;
  readonly damaged: number;
  /** All below is on the device. */
  readonly persistedSeq: number;
  /** Why nothing can be appended until the file is opened again. */
  readonly failure: string | undefined;
  /**
   * Appends all or none, synchronously; the first number. What a write left behind is cut off again.
   *
   * @param isInline Each payload is 8 bytes and goes into its index record.
   * @throws RedexError `payload_too_large`, `segment_offset_overflow`, `io`, `no_space`.
   */
  append(payloads: readonly Uint8Array[], timeNs: bigint, isInline?: boolean): number;
  /** Records from the first number that is at least `from` and below `to`. */
  read(from: number, to: number, recordsMax: number, bytesMax: number): RecordRead;
  /**
   * The same records as {@linkcode RecordStore.read} would give from this number on, without an object for each;
   * `undefined` when that has to be asked. Fewer than there are when something is in the way.
   */
  readRun?(from: number, recordsMax: number): RecordRun | undefined;
  /**
   * The next record gets this number, which is not below `nextSeq`. Nothing is written, so an append makes it last;
   * of an empty store `firstSeq` is this number too.
   */
  skipTo(seq: number): void;
  /**
   * Resolves when all that was appended before the call is on the device, with what an earlier sync that failed was
   * to put there. Calls while one runs share the next.
   */
  sync(): Promise<void>;
  /** Number of the first record to keep by each rule of retention (the largest counts). */
  firstToKeep(rule: {
    readonly eventsMax?: number;
    readonly bytesMax?: number;
    /** Records older than this go; equal stays. */
    readonly notBeforeNs?: bigint;
  }): number;
  /**
   * Forgets records below `firstSeq`: whole segments are removed, and the live one is written anew as the next
   * generation, without damaged records. Crash-safe.
   *
   * @param isThorough Leaves out what is damaged everywhere, and takes the bytes of all that is forgotten off the
   *   disk; the default. Retention passes false: then the live segment is written anew only when that pays.
   */
  compact(firstSeq: number, isThorough?: boolean): Promise<void>;
  /** Puts all on the device and closes the files. */
  close(): Promise<void>;
}
