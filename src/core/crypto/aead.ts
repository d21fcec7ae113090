/**
 * ChaCha20-Poly1305 (RFC 8439) for handshakes and storage: whole messages in, whole messages out.
 *
 * Short messages go through a small WebAssembly scratch, which is wiped after each call; larger ones
 * through the engine's `node:crypto`, which costs more to call and is twice as fast then. Packets have
 * their own door in `packet_cipher.ts`.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { CHACHA_SCRATCH_BYTES, instantiateChacha } from "./wasm/chacha.ts";
import type { ChachaExports } from "./wasm/chacha.ts";
import { createFixedMemory } from "./wasm/instantiate.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LARGE_CIPHER = "chacha20-poly1305";
/** The largest message of one packet is 8 KiB, a log record or a sealed chunk up to 64 KiB. */
const SCRATCH_BYTES = 128 * 1024;
const KEY_AT = CHACHA_SCRATCH_BYTES;
const NONCE_AT = KEY_AT + KEY_BYTES;
const AAD_AT = NONCE_AT + 16;

/**
 * Encrypts `plaintext` and authenticates it together with `aad`.
 *
 * @param key 32 bytes.
 * @param nonce 12 bytes, never used twice with one key.
 * @returns The ciphertext with its 16-byte tag.
 * @throws RangeError when key or nonce have another length.
 *
 * @example
 * ```ts
 * import { openAead, sealAead } from "./aead.ts";
 * const key = new Uint8Array(32);
 * const nonce = new Uint8Array(12);
 * const sealed = sealAead(key, nonce, new Uint8Array(), new Uint8Array([1, 2]));
 * console.assert(openAead(key, nonce, new Uint8Array(), sealed)?.length === 2);
 * ```
 */
export function sealAead(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  checkLengths(key, nonce);
  const at = dataOffset(aad.length, plaintext.length);
  if (at === undefined) return sealLarge(key, nonce, aad, plaintext);
  const { wasm, bytes } = load(key, nonce, aad);
  bytes.set(plaintext, at);
  wasm.seal(KEY_AT, NONCE_AT, AAD_AT, aad.length, at, plaintext.length);
  const end = at + plaintext.length + TAG_BYTES;
  const sealed = bytes.slice(at, end);
  bytes.fill(0, KEY_AT, end);
  return sealed;
}

/**
 * Verifies and decrypts what {@linkcode sealAead} made.
 *
 * @param key 32 bytes.
 * @param nonce 12 bytes.
 * @param sealed Ciphertext with its 16-byte tag; any bytes are safe.
 * @returns The plaintext, or `undefined` when it is not authentic or shorter than a tag.
 * @throws RangeError when key or nonce have another length.
 */
export function openAead(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  checkLengths(key, nonce);
  const length = sealed.length - TAG_BYTES;
  if (length < 0) return undefined;
  const at = dataOffset(aad.length, length);
  if (at === undefined) return openLarge(key, nonce, aad, sealed);
  const { wasm, bytes } = load(key, nonce, aad);
  bytes.set(sealed, at);
  const isAuthentic = wasm.open(KEY_AT, NONCE_AT, AAD_AT, aad.length, at, length) === 1;
  const plaintext = isAuthentic ? bytes.slice(at, at + length) : undefined;
  bytes.fill(0, KEY_AT, at + sealed.length);
  return plaintext;
}

function sealLarge(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv(LARGE_CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
  sealed.set(cipher.update(plaintext));
  cipher.final(); // A stream cipher holds nothing back.
  sealed.set(cipher.getAuthTag(), plaintext.length);
  return sealed;
}

function openLarge(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  const length = sealed.length - TAG_BYTES;
  const cipher = createDecipheriv(LARGE_CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad, { plaintextLength: length });
  cipher.setAuthTag(sealed.subarray(length));
  const plaintext = new Uint8Array(cipher.update(sealed.subarray(0, length)));
  try {
    cipher.final();
  } catch {
    // All lengths were checked: what is left is a wrong tag.
    plaintext.fill(0);
    return undefined;
  }
  return plaintext;
}

function checkLengths(key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== KEY_BYTES) {
    throw new RangeError(`Cannot use key: length is ${key.length}, must be ${KEY_BYTES}`);
  }
  if (nonce.length !== NONCE_BYTES) {
    throw new RangeError(`Cannot use nonce: length is ${nonce.length}, must be ${NONCE_BYTES}`);
  }
}

/** Where the message goes in the scratch, or `undefined` when it does not fit. */
function dataOffset(aadLength: number, length: number): number | undefined {
  // The module reads whole blocks of 16 bytes, up to 15 bytes behind the additional data.
  const at = AAD_AT + Math.ceil(aadLength / 16) * 16;
  return at + length + TAG_BYTES <= SCRATCH_BYTES ? at : undefined;
}

interface Scratch {
  readonly wasm: ChachaExports;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

let shared: Scratch | undefined;

/** The one scratch, made on first use, with the inputs every call has; calls never overlap. */
function load(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array): Scratch {
  if (shared === undefined) {
    const { memory, bytes } = createFixedMemory(SCRATCH_BYTES);
    shared = { wasm: instantiateChacha(memory), bytes };
  }
  shared.bytes.set(key, KEY_AT);
  shared.bytes.set(nonce, NONCE_AT);
  shared.bytes.set(aad, AAD_AT);
  return shared;
}
