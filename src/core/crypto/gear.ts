/**
 * The rolling hash of content-defined chunking (`dataforts.md` 4): finds places that the content itself
 * marks, so that the same bytes are cut alike wherever they lie.
 *
 * The work is done by `wasm/assembly/gear.as` in one shared memory. Where to look and with which masks is
 * the matter of the chunker, `src/blob`.
 */
import {
  GEAR_INPUT_BYTES,
  GEAR_INPUT_OFFSET,
  type GearModule,
  instantiateGear,
} from "./wasm/gear.ts";

export { gearWords } from "./wasm/gear.ts";

/** Bits of the hash that must be zero where a chunk ends; two unsigned halves. */
export interface GearMask {
  readonly low: number;
  readonly high: number;
}

/** A hash that rolls along one chunk. */
export class GearHash {
  #low = 0;
  #high = 0;

  /** Begins a chunk. */
  reset(): void {
    this.#low = 0;
    this.#high = 0;
  }

  /**
   * Rolls over `bytes[from..to)`, two bytes a step; the first of each pair is tested with the mask shifted
   * left by one. Returns the index where the next chunk begins, or -1 when it is not among them.
   *
   * @param to `to - from` must be even.
   */
  roll(bytes: Uint8Array, from: number, to: number, mask: GearMask): number {
    const wasm = sharedModule();
    wasm.rolling[0] = this.#low;
    wasm.rolling[1] = this.#high;
    for (let at = from; at < to; at += GEAR_INPUT_BYTES) {
      const length = Math.min(GEAR_INPUT_BYTES, to - at);
      wasm.input.set(bytes.subarray(at, at + length));
      const found = wasm.scan(GEAR_INPUT_OFFSET, GEAR_INPUT_OFFSET + length, mask.low, mask.high);
      if (found !== 0) return at + found - GEAR_INPUT_OFFSET;
    }
    this.#low = wasm.rolling[0];
    this.#high = wasm.rolling[1];
    return -1;
  }
}

let shared: GearModule | undefined;

function sharedModule(): GearModule {
  return shared ??= instantiateGear();
}
