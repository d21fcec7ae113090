/**
 * Writes back what a read had to restore (`dataforts.md` 6): at most once a minute for a stripe, and never so
 * that the read waits for it.
 */
import { type Clock, toHex } from "../../base/mod.ts";
import { blake3, createBlake3 } from "../../core/crypto/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { Stripe } from "../tree/tree_node.ts";

/** How long a stripe that was repaired is left alone. */
const REST_MS = 60_000;

/** Stripes whose last repair is known; the oldest are forgotten. */
const STRIPES_MAX = 4_096;

/** Writes at once; a stripe that finds more of them waits for its next read. */
const WRITES_MAX = 8;

/** What {@linkcode RepairOnRead} needs. */
export interface RepairOnReadDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly addChunk: (
    hash: Uint8Array,
    bytes: Uint8Array,
    options: { readonly isDurable: boolean },
  ) => Promise<unknown>;
}

/** What was repaired. */
export interface RepairOnReadCounters {
  blob_read_repaired_chunks_total: number;
  blob_read_repairs_failed_total: number;
}

/** Repairs while others read. */
export class RepairOnRead {
  readonly counters: RepairOnReadCounters = {
    blob_read_repaired_chunks_total: 0,
    blob_read_repairs_failed_total: 0,
  };
  readonly #deps: RepairOnReadDeps;
  readonly #repairedAtMs = new Map<string, number>();
  readonly #writes = new Set<Promise<void>>();

  constructor(deps: RepairOnReadDeps) {
    this.#deps = deps;
  }

  /** Takes chunks that were restored, by their places in the stripe. */
  note(stripe: Stripe, restored: ReadonlyMap<number, Uint8Array>): void {
    const now = this.#deps.clock.now();
    const key = stripeKey(stripe);
    const last = this.#repairedAtMs.get(key);
    if (last !== undefined && now - last < REST_MS) return;
    if (this.#writes.size + restored.size > WRITES_MAX) return;
    this.#repairedAtMs.delete(key);
    this.#repairedAtMs.set(key, now);
    const [oldest] = this.#repairedAtMs.keys();
    if (this.#repairedAtMs.size > STRIPES_MAX && oldest !== undefined) {
      this.#repairedAtMs.delete(oldest);
    }
    for (const [place, bytes] of restored) {
      const hash = stripe.chunks[place]?.hash ?? blake3(bytes);
      const write = this.#write(hash, bytes).finally(() => this.#writes.delete(write));
      this.#writes.add(write);
    }
  }

  /** Waits until everything is written. */
  async settle(): Promise<void> {
    await Promise.all(this.#writes);
  }

  async #write(hash: Uint8Array, bytes: Uint8Array): Promise<void> {
    try {
      await this.#deps.addChunk(hash, bytes, { isDurable: true });
      this.counters.blob_read_repaired_chunks_total += 1;
    } catch (error) {
      this.counters.blob_read_repairs_failed_total += 1;
      this.#deps.log.warn("chunk_not_repaired", {
        hash: toHex(hash),
        reason: error instanceof Error ? error.message : String(error),
        hint: "the read went on; see net blob repair",
      });
    }
  }
}

/** BLAKE3 of the hashes of its members. */
function stripeKey(stripe: Stripe): string {
  const hash = createBlake3();
  for (const chunk of stripe.chunks) hash.update(chunk.hash);
  return toHex(hash.digest());
}
