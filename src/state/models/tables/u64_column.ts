/**
 * A column of 64-bit numbers: 8 bytes a row, compared half by half, so that a scan over it makes no bigint.
 *
 * The halves are read through a view of the same memory, which needs a little-endian machine; Deno runs on no other.
 */
import type { PostcardWriter } from "../../../base/mod.ts";
import type { U64Bounds } from "./u64_range.ts";

/** Column of unsigned 64-bit numbers. */
export class U64Column {
  /** Low and high half of each row, interleaved. */
  words: Uint32Array;
  #values: BigUint64Array;

  /** @param capacity Rows there is room for. */
  constructor(capacity: number) {
    this.#values = new BigUint64Array(capacity);
    this.words = new Uint32Array(this.#values.buffer);
  }

  /** Makes room for so many rows. */
  grow(capacity: number): void {
    const values = new BigUint64Array(capacity);
    values.set(this.#values);
    this.#values = values;
    this.words = new Uint32Array(values.buffer);
  }

  get(slot: number): bigint {
    return this.#values[slot] ?? 0n;
  }

  /** Writes a row as a varint. */
  write(writer: PostcardWriter, slot: number): void {
    writer.halves(this.words[2 * slot] as number, this.words[2 * slot + 1] as number);
  }

  set(slot: number, low: number, high: number): void {
    this.words[2 * slot] = low;
    this.words[2 * slot + 1] = high;
  }

  /** Copies one row over another. */
  copy(from: number, to: number): void {
    this.words[2 * to] = this.words[2 * from] as number;
    this.words[2 * to + 1] = this.words[2 * from + 1] as number;
  }

  /** Keeps of the first `count` slots, in their order, those whose number is within bounds; how many. */
  keepWithin(slots: Uint32Array, count: number, bounds: U64Bounds): number {
    const { words } = this;
    const { lowMin, highMin, lowMax, highMax } = bounds;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number;
      const high = words[2 * slot + 1] as number;
      if (high < highMin || high > highMax) continue;
      if (high === highMin && (words[2 * slot] as number) < lowMin) continue;
      if (high === highMax && (words[2 * slot] as number) > lowMax) continue;
      slots[kept++] = slot;
    }
    return kept;
  }
}
