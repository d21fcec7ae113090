/** Seeded hostile inputs: random bytes, and real datagrams that were cut or had bits flipped. */

/** Random numbers that depend on the seed alone. */
export interface Random {
  /** An integer from 0 to `below` − 1. */
  integer(below: number): number;
  fill(bytes: Uint8Array): void;
}

/** What is made of the input. */
export type HostileKind = "random" | "truncated" | "bit-flipped";
/** All kinds, in the order in which they are thrown. */
export const HOSTILE_KINDS: readonly HostileKind[] = ["random", "truncated", "bit-flipped"];

/** Most random bytes are small: each size of a header boundary then comes up often. */
const RANDOM_BYTES_MAX = 400;

/** Creates a generator (xorshift32). */
export function createRandom(seed: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return {
    integer: (below) => next() % below,
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = next();
    },
  };
}

/**
 * Makes one hostile datagram.
 *
 * @param real Captured datagrams to spoil; not changed.
 */
export function makeHostile(
  kind: HostileKind,
  real: readonly Uint8Array[],
  random: Random,
): Uint8Array<ArrayBuffer> {
  if (kind === "random") {
    const bytes = new Uint8Array(1 + random.integer(RANDOM_BYTES_MAX));
    random.fill(bytes);
    // Every second one gets past the first look.
    const magic = [[0x45, 0x4e], [0x52, 0x54], [], []][random.integer(4)] ?? [];
    if (bytes.length >= magic.length) bytes.set(magic);
    return bytes;
  }
  const source = real[random.integer(real.length)] ?? new Uint8Array(1);
  if (kind === "truncated") return source.slice(0, random.integer(source.length));
  const bytes = source.slice();
  for (let flips = 1 + random.integer(8); flips > 0; flips--) {
    // Half of the flips hit the headers, where each bit means something.
    const span = random.integer(2) === 0 ? Math.min(bytes.length, 86) : bytes.length;
    const at = random.integer(span);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
  }
  return bytes;
}
