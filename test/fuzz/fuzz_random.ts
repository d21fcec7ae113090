/** Seeded randomness for fuzzing: one generator per input, so that any input replays alone. */

/** A small, fast generator (mulberry32) that can be set to any input. */
export class FuzzRandom {
  #state = 0;

  constructor(seed = 0, index = 0) {
    this.reset(seed, index);
  }

  /** Starts the sequence of input `index`. */
  reset(seed: number, index: number): void {
    // The multiplier is odd, so different inputs start in different states.
    this.#state = (Math.imul(index, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b)) >>> 0;
    this.u32();
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** An integer from 0 to `end`, exclusive. */
  below(end: number): number {
    return this.u32() % Math.max(end, 1);
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.u32();
    return bytes;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}
