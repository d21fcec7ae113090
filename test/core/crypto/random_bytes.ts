/** Seeded bytes and numbers for tests, so that a failure repeats; not random in any other sense. */

/** A deterministic source: the same seed gives the same values. */
export interface SeededSource {
  /** The next number, 0 <= n < `limit`. */
  below(limit: number): number;
  /** The next `length` bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** Creates a source from a seed of 32 bits (xorshift). */
export function createSeededSource(seed: number): SeededSource {
  let state = seed | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return {
    below: (limit) => next() % limit,
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 11),
  };
}
