/**
 * Puts of a node that survive an interruption (`dataforts.md` 11, `promises.md` D6 and 49): files, which are found
 * again by what they were, and streams, which are found again by a token.
 */
import { type Clock, NetError, type RandomBytes, toHex } from "../../base/mod.ts";
import {
  type BlobStore,
  type ByteSource,
  type ChunkRef,
  chunksThen,
  countStagings,
  deleteStaging,
  findStaging,
  insertStaging,
  listOldStagings,
  listStagings,
  type OnBlobProgress,
  PLAIN_FORM,
  type PutForm,
  readStaging,
  readStagingChunks,
  renewHolds,
  StagedPut,
  type StagingCounters,
  stagingOwner,
  type StagingRecord,
  type StoredBlob,
  touchStaging,
  truncateStaging,
} from "../../blob/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { PieceSource } from "./piece_source.ts";

/** Streams open at once; each holds a few chunk buffers of 4 MiB. */
export const STREAMS_OPEN_MAX = 8;
/** A stream without a new piece for this long is put aside; it can be resumed. */
export const STREAM_IDLE_MS = 60_000;
/** Interrupted puts that are kept: each up to 4,096 rows of a plain blob. */
export const STAGINGS_MAX = 256;
const TOKEN_BYTES = 16;
/** How often those that nobody came back for are looked for. */
const SWEEP_MS = 600_000;

/** What {@linkcode Stagings} needs. */
export interface StagingsDeps {
  readonly blobs: BlobStore;
  readonly ledger: Ledger;
  /** Puts stored chunks on the disk. */
  readonly flush: () => Promise<void>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly settings: () => { readonly checkpointBytes: number; readonly ttlMs: number };
}

/** Options of {@linkcode Stagings.putFile}. */
export interface PutStagedFileOptions {
  /** What the file is: another text for another content. */
  readonly sourceKey: string;
  readonly label?: string;
  readonly form?: PutForm;
  readonly totalBytes?: number;
  readonly onProgress?: OnBlobProgress;
  /** Told at once how many bytes need not be stored again. */
  readonly onResume?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A stream that takes pieces. */
interface OpenStream {
  readonly source: PieceSource;
  readonly abort: AbortController;
  readonly stored: Promise<StoredBlob>;
  readonly put: StagedPut;
  /** Bytes taken, with those of the checkpoint it began from. */
  offset: number;
  cancelTimer: () => void;
}

/** One interrupted or open put. */
export interface StagingStatus extends StagingRecord {
  /** True while it takes pieces, or a file is read. */
  readonly isOpen: boolean;
  readonly expiresAtMs: number;
}

/** The stagings of a node. */
export class Stagings {
  readonly counters: StagingCounters = {
    blob_staging_begun_total: 0,
    blob_staging_checkpoints_total: 0,
    blob_staging_resumed_total: 0,
    blob_staging_resumed_bytes_total: 0,
    blob_staging_finalized_total: 0,
    blob_staging_aborted_total: 0,
    blob_staging_expired_total: 0,
  };
  readonly #deps: StagingsDeps;
  readonly #streams = new Map<string, OpenStream>();
  /** Tokens of streams that are being opened and of files that are read. */
  readonly #busy = new Set<string>();
  #stopSweep = () => {};

  constructor(deps: StagingsDeps) {
    this.#deps = deps;
  }

  /** Looks for abandoned ones from now on. */
  start(): void {
    const sweep = () => {
      this.sweep().catch((error) => {
        this.#deps.log.warn("staging_sweep_failed", { reason: String(error) });
      });
      this.#stopSweep = this.#deps.clock.after(SWEEP_MS, sweep);
    };
    this.#stopSweep = this.#deps.clock.after(SWEEP_MS, sweep);
  }

  /** Puts every open stream aside. */
  async stop(): Promise<void> {
    this.#stopSweep();
    await Promise.all([...this.#streams.keys()].map((token) => this.#suspend(token)));
  }

  /**
   * Stores a file. One that was interrupted behind a checkpoint goes on from there, when the same file is put again.
   *
   * @throws As `BlobStore.put`.
   */
  async putFile(
    source: ByteSource,
    options: PutStagedFileOptions,
  ): Promise<{ readonly stored: StoredBlob; readonly resumedBytes: number }> {
    const { ledger } = this.#deps;
    const { sourceKey, label = "", form, onResume } = options;
    const formText = formatForm(form);
    const found = await findStaging(ledger.db, sourceKey, formText);
    // The same file put twice at once: the second one starts on its own.
    const record = found === undefined || this.#busy.has(found.token) ? undefined : found;
    const chunks = record && await this.#usableChunks(record.token);
    const put = new StagedPut(
      { ...this.#deps, counters: this.counters },
      record ?? this.#newRecord(sourceKey, label, formText),
      chunks,
    );
    const { token } = put.record;
    this.#busy.add(token);
    try {
      const resumedBytes = put.savedBytes;
      if (resumedBytes > 0) {
        await this.#noteResumed(token, resumedBytes);
        onResume?.(resumedBytes);
      }
      // The file is read from its start: only so it is sure that the whole is this file.
      return { stored: await put.run(source, options), resumedBytes };
    } finally {
      this.#busy.delete(token);
    }
  }

  /**
   * Begins a stream that can be resumed.
   *
   * @returns Its token.
   * @throws NetError `limit` when too many are open or kept.
   */
  async begin(
    options: { readonly label?: string; readonly form?: PutForm } = {},
  ): Promise<string> {
    const { ledger } = this.#deps;
    this.#requireRoom("begin");
    if (await countStagings(ledger.db) >= STAGINGS_MAX) {
      throw new NetError("limit", `Cannot begin upload: ${STAGINGS_MAX} are kept already`, {
        next: "finish or abort some of them; see net blob put --staged",
      });
    }
    const record = this.#newRecord("", options.label ?? "", formatForm(options.form));
    await insertStaging(ledger.db, record);
    this.counters.blob_staging_begun_total += 1;
    this.#open(record, []);
    return record.token;
  }

  /**
   * Goes on with a stream.
   *
   * @returns Where the next piece has to begin.
   * @throws NetError `not_found`; `limit` when too many are open.
   */
  async resume(token: string): Promise<number> {
    const open = this.#streams.get(token);
    if (open !== undefined) return open.offset;
    this.#requireRoom("resume");
    const record = await readStaging(this.#deps.ledger.db, token);
    if (record === undefined || record.sourceKey !== "" || this.#busy.has(token)) {
      throw notFound(token);
    }
    this.#busy.add(token);
    try {
      const chunks = await this.#usableChunks(token);
      const { offset } = this.#open(record, chunks);
      if (offset > 0) await this.#noteResumed(token, offset);
      return offset;
    } finally {
      this.#busy.delete(token);
    }
  }

  /**
   * Adds a piece; resolves when the next may come.
   *
   * @param offset Where the piece begins; `undefined` for behind what came.
   * @throws NetError `not_found` for a stream that is not open, `conflict` when the piece begins elsewhere. Fails as
   * the store fails.
   */
  async append(token: string, piece: Uint8Array, offset?: number): Promise<number> {
    const stream = this.#get(token);
    if (offset !== undefined && offset !== stream.offset) {
      throw new NetError(
        "conflict",
        `Cannot go on with upload: the piece begins at ${offset}, must begin at ${stream.offset}`,
        { next: `send from byte ${stream.offset}`, data: { offset: stream.offset } },
      );
    }
    stream.cancelTimer();
    try {
      await stream.source.push(piece);
      stream.offset += piece.length;
      return stream.offset;
    } finally {
      stream.cancelTimer();
      if (this.#streams.get(token) === stream) stream.cancelTimer = this.#idleTimer(token);
    }
  }

  /** Ends the stream: the blob is stored when this resolves. */
  async finalize(token: string): Promise<StoredBlob> {
    const stream = this.#get(token);
    this.#forget(token);
    stream.source.end();
    return await stream.stored;
  }

  /** Drops a put and what was stored of it; false when there is none. */
  async abort(token: string): Promise<boolean> {
    const { ledger, blobs } = this.#deps;
    if (this.#busy.has(token)) {
      throw new NetError("conflict", "Cannot abort put: it is under way", {
        next: "interrupt the command that runs it, then repeat this one",
      });
    }
    const stream = this.#streams.get(token);
    if (stream !== undefined) {
      this.#forget(token);
      stream.abort.abort(new NetError("failed", "Cannot finish upload: it was aborted"));
      stream.source.fail(stream.abort.signal.reason);
      await stream.stored.catch(() => {});
    }
    const chunks = await readStagingChunks(ledger.db, token);
    const isThere = await deleteStaging(ledger.db, token);
    await blobs.release(stagingOwner(token));
    for (const { hash } of chunks) await blobs.removeChunk(hash);
    if (!isThere) return false;
    this.counters.blob_staging_aborted_total += 1;
    return true;
  }

  /** Puts that can be gone on with, the last used first. */
  async list(): Promise<StagingStatus[]> {
    const { ttlMs } = this.#deps.settings();
    const records = await listStagings(this.#deps.ledger.db, STAGINGS_MAX);
    return records.map((record) => ({
      ...record,
      isOpen: this.#streams.has(record.token) || this.#busy.has(record.token),
      expiresAtMs: record.updatedAtMs + ttlMs,
    }));
  }

  /** Forgets those nobody came back for; how many. */
  async sweep(): Promise<number> {
    const { ledger, blobs, clock, log, settings } = this.#deps;
    let swept = 0;
    // The oldest, not those that a list shows: files that were interrupted may be more than that.
    const untilMs = clock.wallMs() - settings().ttlMs;
    for (const { token } of await listOldStagings(ledger.db, untilMs, STAGINGS_MAX)) {
      if (this.#streams.has(token) || this.#busy.has(token)) continue;
      await deleteStaging(ledger.db, token);
      await blobs.release(stagingOwner(token));
      swept += 1;
    }
    this.counters.blob_staging_expired_total += swept;
    if (swept > 0) log.info("stagings_expired", { count: swept });
    return swept;
  }

  #open(record: StagingRecord, chunks: readonly ChunkRef[]): OpenStream {
    const { token, label } = record;
    const source = new PieceSource();
    const abort = new AbortController();
    const put = new StagedPut({ ...this.#deps, counters: this.counters }, record, chunks);
    const { signal } = abort;
    const form = parseForm(record.form);
    const stored = put.run(chunksThen(this.#deps.blobs, chunks, source), { label, form, signal });
    stored.catch((error) => source.fail(error));
    const cancelTimer = this.#idleTimer(token);
    const stream = { source, abort, stored, put, offset: put.savedBytes, cancelTimer };
    this.#streams.set(token, stream);
    return stream;
  }

  /** Chunks of the last checkpoint, up to the first that is gone. */
  async #usableChunks(token: string): Promise<readonly ChunkRef[]> {
    const { ledger, blobs } = this.#deps;
    const chunks = await readStagingChunks(ledger.db, token);
    let count = 0;
    for (const { hash, size } of chunks) {
      if (await blobs.hasChunk(hash) !== size) break;
      count += 1;
    }
    if (count === chunks.length) return chunks;
    const usable = chunks.slice(0, count);
    const bytes = usable.reduce((sum, { size }) => sum + size, 0);
    await ledger.transaction((transaction) =>
      truncateStaging(transaction, token, { position: count, bytes })
    );
    return usable;
  }

  async #noteResumed(token: string, bytes: number): Promise<void> {
    const { ledger, clock } = this.#deps;
    this.counters.blob_staging_resumed_total += 1;
    this.counters.blob_staging_resumed_bytes_total += bytes;
    const nowMs = clock.wallMs();
    await touchStaging(ledger.db, token, nowMs);
    await renewHolds(ledger.db, stagingOwner(token), nowMs + this.#deps.settings().ttlMs);
  }

  /** Ends the taking of pieces; what came is kept. */
  async #suspend(token: string): Promise<void> {
    const stream = this.#streams.get(token);
    if (stream === undefined) return;
    this.#forget(token);
    const why = new NetError("failed", "Cannot go on with upload: it was put aside", {
      next: "resume it with its token",
    });
    stream.abort.abort(why);
    stream.source.fail(why);
    await stream.stored.catch(() => {}); // It is the reason above.
  }

  #newRecord(sourceKey: string, label: string, form: string): StagingRecord {
    const nowMs = this.#deps.clock.wallMs();
    const token = toHex(this.#deps.random(TOKEN_BYTES));
    const times = { createdAtMs: nowMs, updatedAtMs: nowMs };
    return { token, sourceKey, form, label, bytes: 0, ...times };
  }

  #get(token: string): OpenStream {
    const stream = this.#streams.get(token);
    if (stream !== undefined) return stream;
    throw notFound(token);
  }

  #forget(token: string): void {
    this.#streams.get(token)?.cancelTimer();
    this.#streams.delete(token);
  }

  #idleTimer(token: string): () => void {
    return this.#deps.clock.after(STREAM_IDLE_MS, () => void this.#suspend(token));
  }

  #requireRoom(what: string): void {
    if (this.#streams.size < STREAMS_OPEN_MAX) return;
    throw new NetError("limit", `Cannot ${what} upload: ${STREAMS_OPEN_MAX} are open already`, {
      next: "finish or abort one of them first",
    });
  }
}

/** A form as the ledger keeps it. */
function formatForm({ chunking, encoding, isTree = false }: PutForm = PLAIN_FORM): string {
  const cut = chunking.kind === "fixed"
    ? ["fixed", chunking.chunkBytes]
    : ["cdc", chunking.minBytes, chunking.averageBytes, chunking.maxBytes];
  const code = encoding.kind === "replicated" ? [] : [encoding.data, encoding.parity];
  return [...cut, "ec", ...code, isTree ? "tree" : "list"].join(" ");
}

/** @throws NetError `integrity` for a text that this program did not write. */
function parseForm(text: string): PutForm {
  const match = /^(?:fixed (\d+)|cdc (\d+) (\d+) (\d+)) ec(?: (\d+) (\d+))? (tree|list)$/.exec(
    text,
  );
  if (match === null) {
    throw new NetError("integrity", "Cannot go on with upload: its form cannot be read", {
      next: "repeat the whole command",
    });
  }
  const [, fixed, min, average, max, data, parity, shape] = match;
  return {
    chunking: fixed !== undefined ? { kind: "fixed", chunkBytes: Number(fixed) } : {
      kind: "content_defined",
      minBytes: Number(min),
      averageBytes: Number(average),
      maxBytes: Number(max),
    },
    encoding: data === undefined
      ? { kind: "replicated" }
      : { kind: "reed_solomon", data: Number(data), parity: Number(parity) },
    isTree: shape === "tree",
  };
}

function notFound(token: string): NetError {
  return new NetError(
    "not_found",
    `Cannot go on with upload ${token.slice(0, 8)}…: it is not open`,
    {
      next: "resume it with its token; if that fails repeat the whole command",
    },
  );
}
