/**
 * Bytes that all connections of one kind may hold together, so that many small shares do not add up to the
 * machine's memory.
 */

/** A sum with a bound. */
export class ByteBudget {
  readonly bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True when no more should be taken on. */
  get isSpent(): boolean {
    return this.#bytes >= this.bytesMax;
  }

  /** Takes `bytes` if that many are left; false when they are not. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Takes `bytes` that are there already, whatever is left. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Gives `bytes` back. */
  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
