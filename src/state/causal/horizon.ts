/**
 * What an entity has seen of others (`storage.md` 7): exactly, as the highest number of each origin, and in the
 * 64 bits of a Bloom filter that travel in its links.
 *
 * The bits never miss an origin that was seen, and name more and more that weren't: with 8 origins one in eight
 * of the others, with 16 almost every second. Whoever needs to be sure hands over the exact map.
 */
import { xxh3Joined } from "../../core/crypto/mod.ts";
import { CAUSES_MAX, HORIZON_ORIGINS_MAX, SEQUENCE_MAX } from "./limits.ts";

const ENTRY_BYTES = 16;
const NOTHING = new Uint8Array();

/** The three bits of an origin. */
export function horizonBits(origin: bigint): bigint {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, origin, true);
  const hash = xxh3Joined(bytes, NOTHING);
  // Positions modulo 64 come of the low six bits alone, so the sums may wrap at any higher power of two.
  const first = Number(hash & 0x3fn);
  const step = Number((hash >> 32n) & 0x3fn) | 1;
  const bit = (position: number) => 1n << BigInt(position & 63);
  return bit(first) | bit(first + step) | bit(first + 2 * step);
}

/** False when an origin was surely not seen by who has these bits. */
export function mayHaveSeen(horizon: bigint, origin: bigint): boolean {
  const bits = horizonBits(origin);
  return (horizon & bits) === bits;
}

/** Highest number seen of each origin. */
export class ObservedHorizon {
  /** In the order of their last advance, the longest ago first. */
  readonly #entries = new Map<bigint, bigint>();
  readonly #originsMax: number;
  #bits = 0n;
  #time = 0n;
  #forgotten = 0;

  /** @param originsMax Origins remembered exactly; the one that advanced longest ago makes room. */
  constructor(originsMax = HORIZON_ORIGINS_MAX) {
    this.#originsMax = originsMax;
  }

  /** Bloom bits of everything ever observed; what is forgotten exactly stays in here. */
  get bits(): bigint {
    return this.#bits;
  }

  /** One more with each advance and each merge. */
  get logicalTime(): bigint {
    return this.#time;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Origins that made room for others. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** Takes note of an event; numbers below the highest change nothing. */
  observe(origin: bigint, sequence: bigint): void {
    const known = this.#entries.get(origin);
    this.#raise(origin, sequence, known);
    if (sequence > (known ?? 0n)) this.#advanceTime();
  }

  /** Takes over all that another has seen. */
  merge(other: ObservedHorizon): void {
    for (const [origin, sequence] of other.#entries) {
      this.#raise(origin, sequence, this.#entries.get(origin));
    }
    this.#bits |= other.#bits;
    if (other.#time > this.#time) this.#time = other.#time;
    this.#advanceTime();
  }

  /** Highest number seen; `undefined` for none. */
  get(origin: bigint): bigint | undefined {
    return this.#entries.get(origin);
  }

  /** True when this event, or a later one of its origin, was observed. */
  hasObserved(origin: bigint, sequence: bigint): boolean {
    const seen = this.#entries.get(origin);
    return seen !== undefined && seen >= sequence;
  }

  hasOrigin(origin: bigint): boolean {
    return this.#entries.has(origin);
  }

  /** Origins with their highest numbers. */
  entries(): IterableIterator<[bigint, bigint]> {
    return this.#entries.entries();
  }

  copy(): ObservedHorizon {
    const copy = new ObservedHorizon(this.#originsMax);
    for (const [origin, sequence] of this.#entries) copy.#entries.set(origin, sequence);
    copy.#bits = this.#bits;
    copy.#time = this.#time;
    copy.#forgotten = this.#forgotten;
    return copy;
  }

  #raise(origin: bigint, sequence: bigint, known: bigint | undefined): void {
    if (known !== undefined && sequence <= known) return;
    if (known === undefined) {
      this.#bits |= horizonBits(origin);
      if (this.#entries.size >= this.#originsMax) this.#forgetOldest();
    } else this.#entries.delete(origin);
    this.#entries.set(origin, sequence);
  }

  #forgetOldest(): void {
    const [oldest] = this.#entries.keys();
    if (oldest === undefined) return;
    this.#entries.delete(oldest);
    this.#forgotten += 1;
  }

  #advanceTime(): void {
    if (this.#time < SEQUENCE_MAX) this.#time += 1n;
  }
}

/**
 * Causes of an event, exactly: origins with the highest number seen, as `u32 count` and 16 bytes each,
 * ascending by origin. A format of ours; the Rust core has none.
 *
 * @throws RangeError for more than 4,096 of them.
 */
export function encodeCauses(causes: ReadonlyMap<bigint, bigint>): Uint8Array<ArrayBuffer> {
  if (causes.size > CAUSES_MAX) {
    throw new RangeError(
      `Cannot encode causes: there are ${causes.size}, must be at most ${CAUSES_MAX}`,
    );
  }
  const sorted = [...causes].sort(([left], [right]) => (left < right ? -1 : 1));
  const bytes = new Uint8Array(4 + sorted.length * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, sorted.length, true);
  for (const [index, [origin, sequence]] of sorted.entries()) {
    view.setBigUint64(4 + index * ENTRY_BYTES, origin, true);
    view.setBigUint64(12 + index * ENTRY_BYTES, sequence, true);
  }
  return bytes;
}

/** Reads causes; `undefined` for anything that {@linkcode encodeCauses} does not write. */
export function decodeCauses(bytes: Uint8Array): Map<bigint, bigint> | undefined {
  if (bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count > CAUSES_MAX || bytes.length !== 4 + count * ENTRY_BYTES) return undefined;
  const causes = new Map<bigint, bigint>();
  let last = -1n;
  for (let offset = 4; offset < bytes.length; offset += ENTRY_BYTES) {
    const origin = view.getBigUint64(offset, true);
    if (origin <= last) return undefined;
    causes.set(origin, view.getBigUint64(offset + 8, true));
    last = origin;
  }
  return causes;
}
