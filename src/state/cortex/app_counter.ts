/**
 * The count that a writer puts into its events: one above the largest that the log has of it
 * (`storage.md` 9). The largest number there is counts for nothing, so that one event cannot use up the count.
 */
import { finishEvent, putU32, startEvent, u32At } from "./event_meta.ts";

const U32_MAX = 0xffff_ffff;

/** Kept as two halves: it is compared with every event that is folded. */
export class AppCounter {
  readonly #originLow: number;
  readonly #originHigh: number;
  #low: number;
  #high: number;

  /** @param next First number to give. */
  constructor(origin: bigint, next = 0n) {
    this.#originLow = Number(origin & 0xffff_ffffn);
    this.#originHigh = Number(origin >> 32n);
    this.#low = Number(next & 0xffff_ffffn);
    this.#high = Number(next >> 32n);
  }

  /** Number of the next event of ours. */
  get next(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  /** An event of ours with the next number, which {@linkcode AppCounter.note} takes once it is in the log. */
  encode(dispatch: number, tail: Uint8Array): Uint8Array<ArrayBuffer> {
    const payload = startEvent(dispatch, 0, tail);
    putU32(payload, 4, this.#originLow);
    putU32(payload, 8, this.#originHigh);
    putU32(payload, 12, this.#low);
    putU32(payload, 16, this.#high);
    return finishEvent(payload);
  }

  /** Looks at an event that has a meta, whether or not the rest of it can be read. */
  note(bytes: Uint8Array, start = 0): void {
    if (u32At(bytes, start + 4) !== this.#originLow) return;
    if (u32At(bytes, start + 8) !== this.#originHigh) return;
    const [low, high] = [u32At(bytes, start + 12), u32At(bytes, start + 16)];
    if (high < this.#high || (high === this.#high && low < this.#low)) return;
    if (low === U32_MAX && high === U32_MAX) return;
    this.#low = low === U32_MAX ? 0 : low + 1;
    this.#high = low === U32_MAX ? high + 1 : high;
  }
}
