/**
 * Raw 32-byte Curve25519 keys in and out of the engine's synchronous `node:crypto` (RFC 8410).
 *
 * The engine takes keys as DER only; for these curves that is a constant prefix before the 32 bytes.
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

/** Bytes of every raw key and of an X25519 result. */
export const KEY_BYTES = 32;

/** The two curves, by their names in RFC 8410. */
export type OkpCurve = "ed25519" | "x25519";

/** PKCS #8 without optional parts: version, algorithm, then the key as a nested octet string. */
const PRIVATE_PREFIX = {
  ed25519: Uint8Array.fromHex("302e020100300506032b657004220420"),
  x25519: Uint8Array.fromHex("302e020100300506032b656e04220420"),
} as const;

/** SubjectPublicKeyInfo: algorithm, then the key as a bit string. */
const PUBLIC_PREFIX = {
  ed25519: Uint8Array.fromHex("302a300506032b6570032100"),
  x25519: Uint8Array.fromHex("302a300506032b656e032100"),
} as const;

/** Key object of a raw private key. The intermediate copy is overwritten. */
export function importPrivateKey(curve: OkpCurve, privateKey: Uint8Array): KeyObject {
  const der = withPrefix(PRIVATE_PREFIX[curve], privateKey);
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}

/** Key object of a raw public key; throws when the engine refuses it. */
export function importPublicKey(curve: OkpCurve, publicKey: Uint8Array): KeyObject {
  const der = withPrefix(PUBLIC_PREFIX[curve], publicKey);
  return createPublicKey({ key: der, format: "der", type: "spki" });
}

/** Raw public key that belongs to a private key object. */
export function exportPublicKey(curve: OkpCurve, privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(PUBLIC_PREFIX[curve].length));
}

function withPrefix(prefix: Uint8Array, key: Uint8Array): Buffer {
  const der = Buffer.alloc(prefix.length + key.length);
  der.set(prefix);
  der.set(key, prefix.length);
  return der;
}
