/**
 * The adapter that keeps events in channels of the log, `bus/<name>/<shard>`: a bus whose events outlive the
 * process without any engine beside it.
 *
 * A record is the event in the envelope that Redis and JetStream get too, so that a reader of the channel sees
 * JSON; ids are the records' numbers. A batch is appended whole or not at all. Acknowledged means written to the
 * file; it is on the device when the channel's fsync policy says, and after a flush always.
 */
import { BusError } from "../error.ts";
import { eventIdKind } from "../event_id.ts";
import { EVENT_ID_MAX, SHARDS_MAX } from "../limits.ts";
import { refuseUnknown } from "../option_checks.ts";
import type { Batch, BusAdapter, FedMark, ShardPoll } from "../types.ts";
import {
  type Redex,
  type RedexConfig,
  RedexError,
  type RedexEvent,
  type RedexFile,
} from "../../redex/mod.ts";
import { recordsOf } from "./_batch_records.ts";
import { encodeNote, lastNotes, markOf, noteOf, NOTES_MAX } from "./_feed_notes.ts";
import { decodeEnvelope } from "./engine/envelope.ts";
import { pollPage } from "./engine/poll_page.ts";

/** Options of {@linkcode createLogAdapter}. */
export interface LogAdapterOptions {
  /** Name of the bus, a part of the channels' names. */
  readonly name?: string;
  /** How the channels are kept; on disk unless it says otherwise. */
  readonly channels?: RedexConfig;
}

/** What a page holds, in bytes; it ends with the read that gets there. */
const PAGE_BYTES = 16 * 1024 * 1024;
/** Records of the first read of a page; doubled with each, as long as records are small. */
const FIRST_READ = 16;
/** Records looked at from the end for a time that can be read. */
const LAST_LOOKED_AT = 64n;

/**
 * Creates an adapter over a log. The log stays open when the adapter is stopped: others read the channels too.
 *
 * @throws BusError `config`. What the channels' configuration has wrong shows when the first one is opened.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../../base/mod.ts";
 * import { openRedex } from "../../redex/mod.ts";
 * import { createLogAdapter } from "./log.ts";
 * await using redex = openRedex({ clock: systemClock });
 * const adapter = createLogAdapter(redex, { channels: { isPersistent: false } });
 * await adapter.start();
 * console.assert((await adapter.poll(0, undefined, 10, AbortSignal.timeout(1_000))).events.length === 0);
 * await adapter.stop();
 * ```
 */
export function createLogAdapter(redex: Redex, options: LogAdapterOptions = {}): BusAdapter {
  refuseUnknown("option of the log adapter", options, ["name", "channels"]);
  return new LogAdapter(redex, options);
}

class LogAdapter implements BusAdapter {
  readonly name = "log";
  readonly #redex: Redex;
  readonly #prefix: string;
  readonly #config: RedexConfig;
  readonly #files = new Map<number, RedexFile>();
  /** Shards there is a channel of. */
  readonly #kept = new Set<number>();
  /** Where it is noted what came from other nodes. */
  #notes: RedexFile | undefined;
  #isRunning = false;

  constructor(redex: Redex, { name = "default", channels = {} }: LogAdapterOptions) {
    this.#redex = redex;
    this.#prefix = `bus/${name}/`;
    this.#config = { isPersistent: true, ...channels };
  }

  async start(): Promise<void> {
    const names = await attempt("list the channels of the bus", () => this.#redex.names());
    for (const name of names) {
      const shard = this.#shardOf(name);
      if (shard !== undefined) this.#kept.add(shard);
    }
    this.#isRunning = true;
  }

  async write(batch: Batch): Promise<void> {
    const file = await this.#open(batch.shard);
    await attempt(`append to ${file.name}`, () => file.appendBatch(recordsOf(batch)));
  }

  writeNow(batch: Batch): boolean {
    this.#requireRunning();
    const file = this.#files.get(batch.shard);
    if (file === undefined || this.#redex.get(file.name) !== file) return false;
    file.appendBatch(recordsOf(batch));
    return true;
  }

  async writeFed(batch: Batch, source: bigint): Promise<void> {
    const file = await this.#open(batch.shard);
    const notes = await this.#openNotes();
    await attempt(`append to ${file.name}`, () => {
      const records = recordsOf(batch);
      // Nothing comes between the two: the note says which number the batch begins with.
      notes.append(encodeNote(noteOf(batch, source, file, records)));
      file.appendBatch(records);
    });
  }

  async fedMarks(): Promise<readonly FedMark[]> {
    const names = await attempt("list the channels of the bus", () => this.#redex.names());
    if (!names.includes(this.#notesName)) return [];
    const file = await this.#openNotes();
    const notes = await attempt(`read ${file.name}`, () => lastNotes(file));
    const marks: FedMark[] = [];
    for (const note of notes) marks.push(markOf(note, await this.#open(note.shard)));
    return marks;
  }

  async poll(shard: number, fromId: string | undefined, limit: number): Promise<ShardPoll> {
    const last = fromId === undefined ? undefined : seqOf(fromId);
    if (!this.#kept.has(shard)) {
      this.#requireRunning();
      return { events: [], nextId: fromId, hasMore: false };
    }
    const file = await this.#open(shard);
    return await attempt(`read ${file.name}`, () => pageOf(file, last, limit));
  }

  async flush(): Promise<void> {
    this.#requireRunning();
    const files = [...this.#files.values(), ...this.#notes === undefined ? [] : [this.#notes]];
    await Promise.all(files.map((file) => attempt(`sync ${file.name}`, () => file.sync())));
  }

  stop(): Promise<void> {
    this.#isRunning = false;
    this.#files.clear();
    this.#notes = undefined;
    return Promise.resolve();
  }

  isHealthy(): Promise<boolean> {
    const failures = [...this.#files.values()].filter((file) => file.stat().failure !== undefined);
    return Promise.resolve(this.#isRunning && failures.length === 0);
  }

  shards(): Promise<readonly number[]> {
    return Promise.resolve([...this.#kept].sort((a, b) => a - b));
  }

  async lastInsertionTs(shard: number): Promise<bigint | undefined> {
    if (!this.#kept.has(shard)) return undefined;
    const file = await this.#open(shard);
    return await attempt(`read ${file.name}`, () => {
      const from = file.nextSeq - LAST_LOOKED_AT;
      const events = file.readRange(from > file.firstSeq ? from : file.firstSeq, file.nextSeq);
      const times = events.map(({ payload }) => decodeEnvelope(payload)?.insertionTs ?? 0n);
      return times.reduce((greatest, time) => time > greatest ? time : greatest, 0n);
    });
  }

  async #open(shard: number): Promise<RedexFile> {
    this.#requireRunning();
    const open = this.#files.get(shard);
    // Whoever removed the channel closed it; the next use makes it anew.
    if (open !== undefined && this.#redex.get(open.name) === open) return open;
    const name = this.#prefix + shard;
    const file = await attempt(`open ${name}`, () => this.#redex.open(name, this.#config));
    this.#files.set(shard, file);
    this.#kept.add(shard);
    return file;
  }

  get #notesName(): string {
    return `${this.#prefix}feeds`;
  }

  async #openNotes(): Promise<RedexFile> {
    this.#requireRunning();
    const name = this.#notesName;
    if (this.#notes !== undefined && this.#redex.get(name) === this.#notes) return this.#notes;
    const config = { ...this.#config, retention: { eventsMax: NOTES_MAX } };
    return this.#notes = await attempt(`open ${name}`, () => this.#redex.open(name, config));
  }

  #shardOf(name: string): number | undefined {
    if (!name.startsWith(this.#prefix)) return undefined;
    const text = name.slice(this.#prefix.length);
    const shard = /^[0-9]{1,5}$/.test(text) ? Number(text) : -1;
    return String(shard) === text && shard <= SHARDS_MAX ? shard : undefined;
  }

  #requireRunning(): void {
    if (!this.#isRunning) throw new BusError("fatal", "Cannot use adapter: it was stopped");
  }
}

/**
 * Records behind number `last`. What is gone by now, or damaged, is missed in front of the first event: a page ends
 * where numbers are missing, and the next one begins with them.
 */
function pageOf(file: RedexFile, last: bigint | undefined, limit: number): ShardPoll {
  const wanted = last === undefined ? file.firstSeq : last + 1n;
  const start = wanted > file.firstSeq ? wanted : file.firstSeq;
  if (limit <= 0) return { events: [], nextId: textOf(last), hasMore: start < file.nextSeq };
  if (start >= file.nextSeq) return { events: [], nextId: textOf(last), hasMore: false };
  const events = readSome(file, start, limit);
  const first = events[0]?.seq;
  if (first === undefined) {
    return {
      events: [],
      nextId: textOf(file.nextSeq - 1n),
      hasMore: false,
      missed: file.nextSeq - wanted,
    };
  }
  const hole = events.findIndex(({ seq }, index) => seq !== first + BigInt(index));
  const run = hole < 0 ? events : events.slice(0, hole);
  const records = run.map(({ seq, payload }) => ({
    id: String(seq),
    data: payload,
    dedupId: undefined,
  }));
  const isMore = first + BigInt(run.length) < file.nextSeq;
  return { ...pollPage(records, limit, `channel "${file.name}"`, isMore), missed: first - wanted };
}

/** Events from a number on, until they are enough or many bytes. */
function readSome(file: RedexFile, start: bigint, limit: number): RedexEvent[] {
  const events: RedexEvent[] = [];
  let bytes = 0;
  let count = FIRST_READ;
  let from = start;
  while (events.length < limit && bytes < PAGE_BYTES && from < file.nextSeq) {
    const wanted = Math.min(count, limit - events.length);
    const some = file.readRange(from, file.nextSeq, wanted);
    for (const event of some) bytes += event.payload.length;
    events.push(...some);
    const last = some[some.length - 1];
    if (last === undefined || some.length < wanted) break;
    from = last.seq + 1n;
    count *= 2;
  }
  return events;
}

function textOf(seq: bigint | undefined): string | undefined {
  return seq === undefined ? undefined : String(seq);
}

function seqOf(id: string): bigint {
  if (eventIdKind(id) === "numeric" && id.length <= EVENT_ID_MAX) return BigInt(id);
  throw new BusError("cursor", "Cannot poll shard: its ids are decimal numbers", {
    next: "the bus has another engine than when the cursor was made: start without it",
  });
}

/** @throws BusError `transient` for what may pass: a full disk, a device that fails; else `fatal`. */
async function attempt<Value>(what: string, call: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof BusError) throw cause;
    const isPassing = cause instanceof RedexError &&
      (cause.kind === "no_space" || cause.kind === "io" || cause.kind === "limit");
    const why = cause instanceof Error ? cause.message : String(cause);
    const next = cause instanceof RedexError ? cause.next : undefined;
    throw new BusError(isPassing ? "transient" : "fatal", `Cannot ${what}: ${why}`, {
      cause,
      next,
    });
  }
}
