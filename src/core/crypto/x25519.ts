/**
 * X25519 for the Noise handshake (`wire.md` 1 and 4.1, RFC 7748).
 *
 * Runs synchronously on `node:crypto`. A result of 32 zero bytes, which is what every low-order public
 * key gives, is refused: it would take the peer's secret out of the key. Not for signatures.
 */
import { diffieHellman, type KeyObject } from "node:crypto";
import { systemRandom } from "../../base/mod.ts";
import { exportPublicKey, importPrivateKey, importPublicKey, KEY_BYTES } from "./_okp_keys.ts";

/** An X25519 key pair; static or ephemeral. */
export interface NoiseKeyPair {
  /** 32 bytes, may be shown to anyone. */
  readonly publicKey: Uint8Array;
  /** 32 bytes; secret. */
  readonly privateKey: Uint8Array;
  /**
   * The shared secret with the owner of `publicKey`: 32 bytes, or `undefined` when the key is not 32
   * bytes or of low order.
   */
  agree(publicKey: Uint8Array): Uint8Array | undefined;
}

/**
 * Makes a key pair from a private key, or a fresh one.
 *
 * @param privateKey 32 bytes, copied; random when left out.
 * @throws RangeError when it is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { createNoiseKeyPair } from "./x25519.ts";
 * const [left, right] = [createNoiseKeyPair(), createNoiseKeyPair()];
 * console.assert(left.agree(right.publicKey)?.toHex() === right.agree(left.publicKey)?.toHex());
 * ```
 */
export function createNoiseKeyPair(privateKey?: Uint8Array): NoiseKeyPair {
  const ownKey = privateKey === undefined ? systemRandom(KEY_BYTES) : privateKey.slice();
  const handle = importOwnKey(ownKey);
  return {
    publicKey: exportPublicKey("x25519", handle),
    privateKey: ownKey,
    agree: (publicKey) => agree(handle, publicKey),
  };
}

/**
 * The shared secret of a private and a public key: 32 bytes, or `undefined` when the public key is not
 * 32 bytes or of low order.
 *
 * @throws RangeError when the private key is not 32 bytes long.
 */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  return agree(importOwnKey(privateKey), publicKey);
}

/** True when a Noise public key has 32 bytes and is not of low order. */
export function isUsableNoiseKey(publicKey: Uint8Array): boolean {
  // Every clamped scalar is a multiple of 8, so any one of them sends exactly the low-order keys to zero.
  return x25519(new Uint8Array(KEY_BYTES).fill(1), publicKey) !== undefined;
}

function importOwnKey(privateKey: Uint8Array): KeyObject {
  if (privateKey.length !== KEY_BYTES) {
    throw new RangeError(
      `Cannot use private key: length is ${privateKey.length}, must be ${KEY_BYTES}`,
    );
  }
  return importPrivateKey("x25519", privateKey);
}

function agree(privateKey: KeyObject, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== KEY_BYTES) return undefined;
  let secret: Uint8Array;
  try {
    const shared = diffieHellman({ privateKey, publicKey: importPublicKey("x25519", publicKey) });
    secret = new Uint8Array(shared);
  } catch {
    // Some engines throw on a low-order key instead of returning zeros; nothing else is left to fail.
    return undefined;
  }
  let seen = 0;
  for (const byte of secret) seen |= byte;
  return seen === 0 ? undefined : secret;
}
