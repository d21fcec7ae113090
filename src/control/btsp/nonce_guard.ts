/**
 * Refuses frames that were sent before (`validation.md` 8).
 *
 * The standard says that nonces count; some members draw them instead, and it does not say in which byte
 * order they count. What the first two show is held to from then on: the next number, or one not seen yet.
 */

/** Drawn nonces remembered; a session that needs more has to be opened again. */
const DRAWN_MAX = 16_384;

/** Nonces of one direction of one session. */
export class NonceGuard {
  #first: Uint8Array | undefined;
  #mode: "unknown" | "big" | "little" | "drawn" = "unknown";
  #next = 0n;
  readonly #drawn = new Set<bigint>();

  /** True for a nonce that may come next; it is used up then. */
  accept(nonce: Uint8Array): boolean {
    if (this.#first === undefined) {
      this.#first = nonce.slice();
      return true;
    }
    if (this.#mode === "unknown") this.#mode = this.#guess(this.#first, nonce);
    if (this.#mode === "drawn") return this.#acceptDrawn(toNumber(nonce, "big"));
    const value = toNumber(nonce, this.#mode);
    if (value !== this.#next) return false;
    this.#next = value + 1n;
    return true;
  }

  #guess(first: Uint8Array, second: Uint8Array): "big" | "little" | "drawn" {
    for (const order of ["big", "little"] as const) {
      if (toNumber(second, order) !== toNumber(first, order) + 1n) continue;
      this.#next = toNumber(second, order);
      return order;
    }
    this.#drawn.add(toNumber(first, "big"));
    return "drawn";
  }

  #acceptDrawn(value: bigint): boolean {
    if (this.#drawn.has(value) || this.#drawn.size >= DRAWN_MAX) return false;
    this.#drawn.add(value);
    return true;
  }
}

function toNumber(nonce: Uint8Array, order: "big" | "little"): bigint {
  const bytes = order === "big" ? nonce : nonce.toReversed();
  return BigInt(`0x${bytes.toHex()}`);
}
