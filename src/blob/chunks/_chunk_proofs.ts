/**
 * Which chunk files were written or verified by this process lately, and when they changed last: as long as that is
 * so, a reader that verifies what it gets needs no second look at them. Memory that goes bad without a trace is found
 * by that reader, and by scrubs.
 */

/** Proofs kept, about 150 B each. */
const PROOFS_MAX = 16_384;

/** A proof is worth so much time. */
const PROOF_MS = 3_600_000;

/** What is seen of a file without reading it. */
export interface FileStamp {
  /** Unix milliseconds; without them there is no proof. */
  readonly writtenAtMs: number | undefined;
  readonly size: number;
}

interface Proof extends FileStamp {
  readonly provenAtMs: number;
}

/** Proofs by hash. */
export class ChunkProofs {
  /** Oldest first. */
  readonly #proofs = new Map<string, Proof>();

  /**
   * Notes that a chunk is what its hash says.
   *
   * @param stamp Looked up before it was read.
   */
  note(key: string, stamp: FileStamp, nowMs: number): void {
    this.#proofs.delete(key);
    if (stamp.writtenAtMs === undefined) return;
    this.#proofs.set(key, { ...stamp, provenAtMs: nowMs });
    if (this.#proofs.size <= PROOFS_MAX) return;
    const [oldest] = this.#proofs.keys();
    if (oldest !== undefined) this.#proofs.delete(oldest);
  }

  /** True for a chunk that was proven within the hour, and whose file is the one of that time. */
  holds(key: string, { writtenAtMs, size }: FileStamp, nowMs: number): boolean {
    const proof = this.#proofs.get(key);
    return proof !== undefined && proof.writtenAtMs === writtenAtMs && proof.size === size &&
      nowMs - proof.provenAtMs < PROOF_MS;
  }

  /** Forgets a chunk. */
  remove(key: string): void {
    this.#proofs.delete(key);
  }
}
