/**
 * Looks through all chunks: reads each one, and finds what is damaged, missing, misnamed, or none of ours.
 *
 * Goes by ascending hash, so that one hash says how far it is, and reads no faster than it may. What is damaged is
 * removed by the read, and got again where somebody has it.
 */
import { type Clock, equalBytes, toHex, toNetError } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { ChunkStore } from "../chunk_store.ts";
import type { FileChunkStore } from "../file_chunk_store.ts";
import { CHUNK_BYTES } from "../limits.ts";

/** Findings that are named; the others are only counted. */
const NAMED_MAX = 1_000;

/** Chunks between two reports at most; each report may be written down. */
const REPORT_CHUNKS = 256;
const REPORT_BYTES = 64 * 1024 * 1024;

/** What a scrub counts; plain JSON. */
export interface ScrubCounts {
  /** Chunks read, and their bytes. */
  chunks: number;
  bytes: number;
  /** Chunks that were not what their name says. */
  corrupt: number;
  /** Chunks that a blob needs and that are not here. */
  missing: number;
  /** Chunks that the device did not give; they are left alone. */
  unreadable: number;
  /** Corrupt or missing chunks that are here again. */
  repaired: number;
  /** Chunks sealed or opened, as the store does it now. */
  converted: number;
  /** Files that are no chunk's. */
  strangers: number;
  /** Strangers that were chunks under a wrong name, and have the right one now. */
  renamed: number;
}

/** One thing that a scrub found. */
export interface ScrubFinding {
  readonly kind: "corrupt" | "missing" | "unreadable" | "stranger";
  /** Hash in hex, or the name of a file below the folder of chunks. */
  readonly name: string;
  readonly isRepaired: boolean;
}

/** How far a scrub is. */
export interface ScrubProgress {
  readonly counts: Readonly<ScrubCounts>;
  /** The last hash that was looked at. */
  readonly after: Uint8Array | undefined;
}

/** How a scrub ended. */
export interface ScrubReport extends ScrubProgress {
  /** At most a thousand of them. */
  readonly findings: readonly ScrubFinding[];
}

/** What {@linkcode scrubChunks} works on. */
export interface ScrubDeps {
  readonly chunks:
    & Pick<ChunkStore, "list" | "has" | "counters">
    & Partial<Pick<FileChunkStore, "strangers" | "adopt" | "convert">>;
  /** Reads a chunk, verified; a corrupt one is removed. */
  readonly read: ChunkStore["read"];
  /** Stores a chunk that was got again, for good. */
  readonly write: (hash: Uint8Array, bytes: Uint8Array) => Promise<unknown>;
  /** Some hashes above `after` that a blob here needs, in ascending order; none at the end. */
  readonly needed: (after: Uint8Array | undefined) => Promise<readonly Uint8Array[]>;
  readonly clock: Clock;
}

/** Options of {@linkcode scrubChunks}. */
export interface ScrubOptions {
  /** Goes on behind this hash, and with these counts. */
  readonly from?: ScrubProgress;
  readonly bytesPerSecond: number;
  /** Gets a chunk that is damaged or missing, from wherever; `undefined` when nobody has it. */
  readonly repair?: (hash: Uint8Array, signal: AbortSignal) => Promise<Uint8Array | undefined>;
  /** Seals or opens chunks as the store does it now. */
  readonly isConverting?: boolean;
  /** Told from time to time; waited for. */
  readonly onProgress?: (progress: ScrubProgress) => void | Promise<void>;
  readonly signal: AbortSignal;
}

/** Counts of a scrub that has not begun. */
export function emptyScrubCounts(): ScrubCounts {
  return {
    chunks: 0,
    bytes: 0,
    corrupt: 0,
    missing: 0,
    unreadable: 0,
    repaired: 0,
    converted: 0,
    strangers: 0,
    renamed: 0,
  };
}

/**
 * Scrubs a store.
 *
 * @throws the reason of `signal`; what was reported before holds.
 */
export async function scrubChunks(deps: ScrubDeps, options: ScrubOptions): Promise<ScrubReport> {
  return await new Scrub(deps, options).run();
}

class Scrub {
  readonly #deps: ScrubDeps;
  readonly #options: ScrubOptions;
  readonly #counts: ScrubCounts;
  readonly #findings: ScrubFinding[] = [];
  readonly #startedAt: number;
  #bytesHere = 0;
  #after: Uint8Array | undefined;
  #reported = { chunks: 0, bytes: 0 };
  /** Room for chunks of the usual size, so that a terabyte of them is not a terabyte of garbage. */
  readonly #buffer = new Uint8Array(CHUNK_BYTES);

  constructor(deps: ScrubDeps, options: ScrubOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#counts = { ...emptyScrubCounts(), ...options.from?.counts };
    this.#after = options.from?.after;
    this.#startedAt = deps.clock.now();
  }

  async run(): Promise<ScrubReport> {
    const { chunks } = this.#deps;
    const needed = this.#needed(this.#after);
    let next = await needed.next();
    for await (const hash of chunks.list({ after: this.#after })) {
      this.#options.signal.throwIfAborted();
      // What is needed and below the next that is here, is not here.
      for (; !next.done && toHex(next.value) < toHex(hash); next = await needed.next()) {
        await this.#lookForMissing(next.value);
      }
      if (!next.done && equalBytes(next.value, hash)) next = await needed.next();
      await this.#check(hash);
      this.#after = hash;
      await this.#pace();
    }
    for (; !next.done; next = await needed.next()) {
      await this.#lookForMissing(next.value);
      this.#after = next.value;
    }
    await this.#lookForStrangers();
    await this.#report();
    return { counts: this.#counts, after: this.#after, findings: this.#findings };
  }

  async #check(hash: Uint8Array): Promise<void> {
    const { chunks, read } = this.#deps;
    const corruptBefore = chunks.counters.corrupt;
    let bytes: Uint8Array | undefined;
    try {
      if (await chunks.has(hash) !== undefined) bytes = await read(hash, this.#buffer);
    } catch {
      // The device's own words are in the log of whoever reads it for use.
      this.#counts.unreadable += 1;
      return this.#find("unreadable", toHex(hash), false);
    }
    if (bytes !== undefined) {
      this.#counts.chunks += 1;
      this.#counts.bytes += bytes.length;
      this.#bytesHere += bytes.length;
      if (this.#options.isConverting && await chunks.convert?.(hash)) this.#counts.converted += 1;
      return;
    }
    // Otherwise it was removed meanwhile, by somebody who wanted that.
    if (chunks.counters.corrupt === corruptBefore) return;
    this.#counts.corrupt += 1;
    this.#find("corrupt", toHex(hash), await this.#repair(hash));
  }

  async #lookForMissing(hash: Uint8Array): Promise<void> {
    this.#options.signal.throwIfAborted();
    if (await this.#deps.chunks.has(hash) !== undefined) return;
    this.#counts.missing += 1;
    this.#find("missing", toHex(hash), await this.#repair(hash));
  }

  async #repair(hash: Uint8Array): Promise<boolean> {
    const { repair, signal } = this.#options;
    if (repair === undefined) return false;
    let bytes: Uint8Array | undefined;
    try {
      bytes = await repair(hash, signal);
    } catch {
      signal.throwIfAborted();
    }
    if (bytes === undefined || !equalBytes(blake3(bytes), hash)) return false;
    await this.#deps.write(hash, bytes);
    this.#counts.repaired += 1;
    return true;
  }

  async #lookForStrangers(): Promise<void> {
    const { chunks } = this.#deps;
    if (chunks.strangers === undefined) return;
    const names: string[] = [];
    for await (const name of chunks.strangers()) {
      this.#counts.strangers += 1;
      if (names.length < NAMED_MAX) names.push(name);
    }
    for (const name of names) {
      const isTried = this.#options.repair !== undefined && chunks.adopt !== undefined;
      const isRenamed = isTried && await chunks.adopt?.(name) !== undefined;
      if (isRenamed) this.#counts.renamed += 1;
      this.#find("stranger", name, isRenamed);
    }
  }

  #find(kind: ScrubFinding["kind"], name: string, isRepaired: boolean): void {
    if (this.#findings.length < NAMED_MAX) this.#findings.push({ kind, name, isRepaired });
  }

  /** Waits until what was read is no more than the rate allows, and reports. */
  async #pace(): Promise<void> {
    const { bytesPerSecond, signal } = this.#options;
    const { chunks, bytes } = this.#counts;
    const isDue = chunks - this.#reported.chunks >= REPORT_CHUNKS ||
      bytes - this.#reported.bytes >= REPORT_BYTES;
    if (isDue) await this.#report();
    const dueMs = 1_000 * this.#bytesHere / bytesPerSecond;
    const waitMs = dueMs - (this.#deps.clock.now() - this.#startedAt);
    if (waitMs > 1) await this.#wait(waitMs, signal);
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#deps.clock.after(ms, () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = () => {
        cancel();
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  async #report(): Promise<void> {
    this.#reported = { chunks: this.#counts.chunks, bytes: this.#counts.bytes };
    await this.#options.onProgress?.({ counts: { ...this.#counts }, after: this.#after });
  }

  async *#needed(after: Uint8Array | undefined): AsyncGenerator<Uint8Array, undefined> {
    try {
      let last = after;
      for (;;) {
        const page = await this.#deps.needed(last);
        if (page.length === 0) return;
        yield* page;
        last = page.at(-1);
      }
    } catch (error) {
      throw toNetError(error, "Cannot scrub chunks");
    }
  }
}
