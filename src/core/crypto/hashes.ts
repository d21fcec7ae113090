/**
 * BLAKE2s in the three ways the wire uses it: plain, keyed, and as HMAC inside Noise (`wire.md`
 * conventions and 4.1).
 *
 * Keyed means the BLAKE2 keyed mode, which is not HMAC. XXH3 lives in `xxh3.ts`, BLAKE3 in `blake3.ts`.
 */
import { blake2s } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { utf8 } from "../../base/mod.ts";

/** Bytes of every BLAKE2s digest here. */
export const BLAKE2S_BYTES = 32;

/** Unkeyed BLAKE2s-256 of `message`; 32 bytes. */
export function blake2s256(message: Uint8Array): Uint8Array {
  return blake2s(message);
}

/**
 * Keyed BLAKE2s-256 of `message`; 32 bytes.
 *
 * @param key 1 to 32 bytes, or an ASCII label of that length.
 * @throws RangeError when the key is empty or longer than 32 bytes.
 *
 * @example
 * ```ts
 * import { blake2sKeyed } from "./hashes.ts";
 * console.assert(blake2sKeyed("net-node-id-v1", new Uint8Array(32)).length === 32);
 * ```
 */
export function blake2sKeyed(key: Uint8Array | string, message: Uint8Array): Uint8Array {
  const keyBytes = typeof key === "string" ? utf8(key) : key;
  if (keyBytes.length < 1 || keyBytes.length > 32) {
    throw new RangeError(`Cannot hash: key length is ${keyBytes.length}, must be 1 to 32`);
  }
  return blake2s(message, { key: keyBytes });
}

/** HMAC over BLAKE2s-256 (RFC 2104, block of 64 bytes); 32 bytes. */
export function hmacBlake2s(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(blake2s, key, message);
}
