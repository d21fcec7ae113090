/** Key slots that a test can look into. */
import { NetError } from "../../../../src/base/mod.ts";
import type { KeySlots } from "../../../../src/core/crypto/mod.ts";

/** Slots in a map; slot numbers are never used twice. */
export class FakeSlots implements KeySlots {
  readonly keys = new Map<number, string>();
  readonly #max: number;
  #made = 0;

  constructor(max = Infinity) {
    this.#max = max;
  }

  createKey(key: Uint8Array): number {
    if (this.keys.size >= this.#max) throw new NetError("limit", "Cannot create key: none is free");
    this.keys.set(this.#made, key.toHex());
    return this.#made++;
  }

  readKey(slot: number): Uint8Array {
    const key = this.keys.get(slot);
    if (key === undefined) throw new RangeError(`Cannot read key: slot ${slot} holds none`);
    return Uint8Array.fromHex(key);
  }

  destroyKey(slot: number): void {
    if (!this.keys.delete(slot)) {
      throw new RangeError(`Cannot destroy key: slot ${slot} holds none`);
    }
  }
}
