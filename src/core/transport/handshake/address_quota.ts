/**
 * So much per address and second, without memory per address (`sealed.md` 5).
 *
 * Each address counts in two of many shared counters, chosen by a hash with a secret seed, and what is less
 * holds: only who meets others in both is counted with them, not for longer than a second, and nobody can
 * aim.
 */
import { hashAddress } from "../address.ts";
import { ADDRESS_QUOTA_SLOTS } from "../limits.ts";
import type { SocketAddress } from "../types.ts";

const SECOND_MS = 1_000;
/** Any odd number: each second has a seed of its own. */
const SECOND_FACTOR = 0x01000193;

/** Counts what each address did in the present second. */
export class AddressQuota {
  readonly #perSecond: number;
  readonly #seed: number;
  readonly #counts = new Uint16Array(ADDRESS_QUOTA_SLOTS);
  #second = -1;

  /**
   * @param perSecond What one address may do in a second, below 65,536.
   * @param seed Any 32-bit number nobody else knows.
   */
  constructor(perSecond: number, seed: number) {
    this.#perSecond = perSecond;
    this.#seed = seed;
  }

  /** Counts one act of the address; false when it was one too many. */
  take(address: SocketAddress, now: number): boolean {
    const second = Math.floor(now / SECOND_MS);
    if (second !== this.#second) {
      this.#second = second;
      this.#counts.fill(0);
    }
    const counts = this.#counts;
    const hash = hashAddress(address, this.#seed ^ Math.imul(second, SECOND_FACTOR)) >>> 0;
    const [one, other] = [hash % ADDRESS_QUOTA_SLOTS, (hash >>> 16) % ADDRESS_QUOTA_SLOTS];
    const [ofOne, ofOther] = [counts[one] ?? 0, counts[other] ?? 0];
    if (Math.min(ofOne, ofOther) >= this.#perSecond) return false;
    counts[one] = ofOne + 1;
    if (other !== one) counts[other] = ofOther + 1;
    return true;
  }
}
