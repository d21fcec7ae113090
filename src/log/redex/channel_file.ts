/**
 * An open channel file (`storage.md` 4): numbers, checks, tails and timers around a store of records.
 *
 * Appends go to the store synchronously, all of a call or none of it. What takes time (sync, retention,
 * compaction, close) runs one after the other beside them.
 */
import type { Clock } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { LogCounters } from "./counters.ts";
import { RedexError, toRedexError } from "./error.ts";
import { FsyncSchedule } from "./fsync_schedule.ts";
import { INLINE_BYTES, RANGE_READ_BYTES, RECORD_BYTES, SEQ_MAX } from "./limits.ts";
import type { RecordStore, StoredRecord } from "./record_store.ts";
import { fillRedexConfig, type FullRedexConfig } from "./redex_config.ts";
import { RetentionSweeper } from "./retention_sweeper.ts";
import { TailGroup } from "./tail_group.ts";
import type {
  RedexConfig,
  RedexEvent,
  RedexFile,
  RedexStat,
  RedexTail,
  TailOptions,
} from "./types.ts";

/** What a {@linkcode ChannelFile} stands on. */
export interface ChannelFileDeps {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: LogCounters;
  /** Called once when the file is closed. */
  readonly onClosed: () => void;
}

/** One channel, open. */
export class ChannelFile implements RedexFile {
  readonly name: string;
  #config: FullRedexConfig;
  readonly #deps: ChannelFileDeps;
  readonly #store: RecordStore;
  readonly #counters: LogCounters;
  readonly #fsync: FsyncSchedule;
  readonly #sweeper: RetentionSweeper;
  readonly #tails: TailGroup;
  /** The number behind the last event when it was closed. */
  #closedAt: number | undefined;
  #closing: Promise<void> | undefined;
  /** A sync that failed in the background, until one succeeds. */
  #syncFailure: RedexError | undefined;
  #damagedCounted: number;
  #timeMs = -1;
  #timeNs = 0n;

  constructor(name: string, config: FullRedexConfig, deps: ChannelFileDeps) {
    this.name = name;
    this.#config = config;
    this.#deps = deps;
    this.#store = deps.store;
    this.#counters = deps.counters;
    this.#damagedCounted = 0;
    const { clock, store, counters, log } = deps;
    this.#fsync = new FsyncSchedule(clock, config.fsync, () => this.#syncInBackground());
    this.#sweeper = new RetentionSweeper({ name, store, clock, counters, log }, config);
    const closedAt = () => this.#closedAt;
    this.#tails = new TailGroup({
      name,
      store,
      counters,
      onDamage: () => this.#countDamaged(),
      get closedAt() {
        return closedAt();
      },
    });
    this.#countDamaged();
  }

  get isPersistent(): boolean {
    return this.#config.isPersistent;
  }

  /** While it closes, and after; never rejects. */
  get closing(): Promise<void> | undefined {
    return this.#closing?.catch(() => {});
  }

  get firstSeq(): bigint {
    return BigInt(this.#closedAt ?? this.#store.firstSeq);
  }

  get nextSeq(): bigint {
    return BigInt(this.#closedAt ?? this.#store.nextSeq);
  }

  get persistedSeq(): bigint {
    return BigInt(this.#store.persistedSeq);
  }

  stat(): RedexStat {
    const { isPersistent, fsync, retention } = this.#config;
    const { count, bytes, generation, damaged, failure } = this.#store;
    const { firstSeq, nextSeq, persistedSeq } = this;
    return {
      name: this.name,
      isPersistent,
      events: count,
      firstSeq,
      nextSeq,
      persistedSeq,
      bytes,
      generation,
      damaged,
      fsync,
      retention,
      failure: failure ?? this.#syncFailure?.message,
    };
  }

  configure(config: Omit<RedexConfig, "isPersistent">): void {
    this.#requireOpen("configure");
    const { isPersistent, fsync, retention, sweepMsAsked: sweepMs } = this.#config;
    const defaults = { fsync, retention, sweepMs };
    this.#config = fillRedexConfig({ ...config, isPersistent }, defaults);
    this.#fsync.setPolicy(this.#config.fsync);
    this.#sweeper.setConfig(this.#config);
  }

  append(payload: Uint8Array): bigint {
    return BigInt(this.#append([payload], false));
  }

  appendBatch(payloads: readonly Uint8Array[]): bigint | undefined {
    this.#requireOpen("append to");
    return payloads.length === 0 ? undefined : BigInt(this.#append(payloads, false));
  }

  appendBatchIfNext(expected: bigint, payloads: readonly Uint8Array[]): bigint | undefined {
    this.#requireOpen("append to");
    const actual = this.nextSeq;
    if (expected !== actual) {
      throw new RedexError(
        "seq_mismatch",
        `Cannot append to channel "${this.name}": the next number is ${actual}, must be ${expected}`,
        {
          next: "read what was appended meanwhile, and try again",
          data: { expected: String(expected), actual: String(actual) },
        },
      );
    }
    return this.appendBatch(payloads);
  }

  appendInline(payload: Uint8Array): bigint {
    if (payload.length !== INLINE_BYTES) {
      throw new RedexError(
        "encode",
        `Cannot append inline: length is ${payload.length}, must be ${INLINE_BYTES}`,
        { next: "append it as any other event" },
      );
    }
    return BigInt(this.#append([payload], true));
  }

  async appendDurable(payloads: readonly Uint8Array[]): Promise<bigint> {
    const first = payloads.length === 0 ? this.#store.nextSeq : this.#append(payloads, false);
    await this.sync();
    return BigInt(first);
  }

  read(seq: bigint): RedexEvent | undefined {
    return this.readRange(seq, seq + 1n, 1)[0];
  }

  readRange(from: bigint, to: bigint, eventsMax = Infinity): RedexEvent[] {
    this.#requireOpen("read");
    const events: RedexEvent[] = [];
    const end = Math.min(numberOf(to), this.#store.nextSeq);
    try {
      for (let seq = numberOf(from); seq < end && events.length < eventsMax;) {
        const wanted = eventsMax - events.length;
        const { records, next } = this.#store.read(seq, end, wanted, RANGE_READ_BYTES);
        for (const record of records) events.push(eventOf(record));
        // A store that comes no further must not hold the program.
        if (next <= seq) break;
        seq = next;
      }
    } catch (error) {
      throw toRedexError(error, `Cannot read channel "${this.name}"`);
    } finally {
      this.#countDamaged();
    }
    return events;
  }

  tail({ from = this.nextSeq, signal }: TailOptions = {}): RedexTail {
    this.#requireOpen("tail");
    if (from < 0n || from > SEQ_MAX) {
      throw new RedexError(
        "seq_out_of_range",
        `Cannot tail channel "${this.name}": it begins at ${from}, must be 0 to ${SEQ_MAX}`,
      );
    }
    return this.#tails.open(Number(from), signal);
  }

  skipTo(seq: bigint): void {
    this.#requireOpen("skip in");
    const { nextSeq } = this.#store;
    if (seq < nextSeq || seq > SEQ_MAX) {
      throw new RedexError(
        "seq_out_of_range",
        `Cannot skip to ${seq} in channel "${this.name}": it must be ${nextSeq} to ${SEQ_MAX}`,
      );
    }
    this.#store.skipTo(Number(seq));
    this.#tails.wake();
  }

  async sync(): Promise<void> {
    this.#requireOpen("sync");
    await this.#syncStore();
  }

  async sweep(): Promise<number> {
    this.#requireOpen("sweep");
    return await this.#sweeper.sweep();
  }

  async compact(): Promise<void> {
    this.#requireOpen("compact");
    await this.#sweeper.compact();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #append(payloads: readonly Uint8Array[], isInline: boolean): number {
    if (this.#closing !== undefined) this.#requireOpen("append to");
    const store = this.#store;
    const bytesBefore = store.bytes;
    let first: number;
    try {
      first = store.append(payloads, this.#now(), isInline);
    } catch (error) {
      this.#counters.append_failures_total += 1;
      throw toRedexError(error, `Cannot append to channel "${this.name}"`);
    }
    const records = payloads.length;
    const payloadBytes = store.bytes - bytesBefore - records * RECORD_BYTES;
    this.#counters.appends_total += 1;
    this.#counters.events_total += records;
    this.#counters.bytes_total += payloadBytes;
    this.#fsync.noteAppend(records, payloadBytes);
    this.#tails.wake();
    return first;
  }

  /** Unix nanoseconds; a bigint is made once for all appends of a millisecond. */
  #now(): bigint {
    const ms = this.#deps.clock.wallMs();
    if (ms !== this.#timeMs) {
      this.#timeMs = ms;
      this.#timeNs = BigInt(Math.floor(ms)) * 1_000_000n;
    }
    return this.#timeNs;
  }

  async #syncStore(): Promise<void> {
    this.#counters.syncs_total += 1;
    try {
      await this.#store.sync();
      this.#syncFailure = undefined;
    } catch (error) {
      this.#counters.sync_failures_total += 1;
      throw toRedexError(error, `Cannot sync channel "${this.name}"`);
    }
  }

  /** False when it failed; then it was logged. */
  async #syncInBackground(): Promise<boolean> {
    if (this.#store.persistedSeq === this.#store.nextSeq) return true;
    try {
      await this.#syncStore();
      return true;
    } catch (error) {
      const failure = toRedexError(error, `Cannot sync channel "${this.name}"`);
      this.#syncFailure = failure;
      this.#deps.log.error("log_sync_failed", { channel: this.name, error: failure.message });
      return false;
    }
  }

  async #close(): Promise<void> {
    const { store, onClosed, counters } = { ...this.#deps, store: this.#store };
    this.#fsync.stop();
    // What was appended and not given out yet goes to those that wait.
    this.#tails.serve();
    this.#closedAt = store.nextSeq;
    this.#tails.end();
    try {
      await this.#sweeper.stop();
      if (store.persistedSeq < store.nextSeq) counters.syncs_total += 1;
      await store.close();
    } catch (error) {
      counters.sync_failures_total += 1;
      throw toRedexError(error, `Cannot close channel "${this.name}"`);
    } finally {
      onClosed();
    }
  }

  #countDamaged(): void {
    this.#counters.damaged_total += this.#store.damaged - this.#damagedCounted;
    this.#damagedCounted = this.#store.damaged;
  }

  #requireOpen(action: string): void {
    if (this.#closing === undefined) return;
    throw new RedexError("closed", `Cannot ${action} channel "${this.name}": it was closed`, {
      next: "open the channel again",
    });
  }
}

function eventOf({ seq, payload, timeNs }: StoredRecord): RedexEvent {
  return { kind: "event", seq: BigInt(seq), payload, timeNs };
}

/** A number of a range: what is beyond all events is beyond them as a plain number too. */
function numberOf(seq: bigint): number {
  if (seq <= 0n) return 0;
  return seq > SEQ_MAX ? SEQ_MAX : Number(seq);
}
