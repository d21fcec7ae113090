/**
 * Which references that peers told lead to the bytes of their address: that is known once the whole was hashed, and
 * then a part of it may be given out for a part of that address.
 */
import { equalBytes, toHex } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import { type BlobRef, encodeBlobRef } from "../blob_ref.ts";

/** Addresses that are known, about 300 B each. */
const PROVEN_MAX = 4_096;

/** Remembers them. */
export class ProvenRefs {
  /** Hash of the reference by address, both in hex; oldest first. */
  readonly #refs = new Map<string, string>();

  /** Notes that a reference led to the bytes of an address. */
  add(address: Uint8Array, ref: BlobRef): void {
    const key = toHex(address);
    this.#refs.delete(key);
    this.#refs.set(key, hashOf(ref));
    const [oldest] = this.#refs.keys();
    if (this.#refs.size > PROVEN_MAX && oldest !== undefined) this.#refs.delete(oldest);
  }

  /** True when it is known, or the address is the hash that the reference itself goes by. */
  has(address: Uint8Array, ref: BlobRef): boolean {
    if (ref.kind === "small" && equalBytes(ref.hash, address)) return true;
    if (ref.kind === "tree" && equalBytes(ref.rootHash, address)) return true;
    return this.#refs.get(toHex(address)) === hashOf(ref);
  }
}

function hashOf(ref: BlobRef): string {
  return toHex(blake3(encodeBlobRef(ref)));
}
