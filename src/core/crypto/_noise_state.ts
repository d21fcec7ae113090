/**
 * The symmetric half of Noise: chaining key, transcript hash, cipher key and nonce (Noise
 * specification 5.1 and 5.2, with ChaChaPoly and BLAKE2s).
 *
 * `clone` gives an independent state, so that a message can be tried without spoiling the original.
 */
import { concatBytes, utf8 } from "../../base/mod.ts";
import { openAead, sealAead } from "./aead.ts";
import { blake2s256, hmacBlake2s } from "./hashes.ts";

/** Bytes a sealed payload is longer than its plaintext. */
export const NOISE_TAG_BYTES = 16;

/** 37 bytes, so longer than a digest: the first transcript hash is the digest of the name. */
const PROTOCOL_NAME = utf8("Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s");

/** What Split() gives: one key per direction. */
export interface SplitKeys {
  readonly initiatorToResponder: Uint8Array;
  readonly responderToInitiator: Uint8Array;
}

/** One party's symmetric state. */
export class NoiseState {
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  #key: Uint8Array | undefined;
  /** Counts messages under one key: at most one per key in this pattern, so a number is plenty. */
  #nonce = 0;

  private constructor(chainingKey: Uint8Array, hash: Uint8Array) {
    this.#chainingKey = chainingKey;
    this.#hash = hash;
  }

  /** A state that has taken in the prologue and the responder's static key. */
  static start(prologue: Uint8Array, responderStatic: Uint8Array): NoiseState {
    const hash = blake2s256(PROTOCOL_NAME);
    const state = new NoiseState(hash, hash);
    state.mixHash(prologue);
    state.mixHash(responderStatic);
    return state;
  }

  /** An independent copy. */
  clone(): NoiseState {
    // Fields are replaced, never written into, so sharing the arrays is safe.
    const copy = new NoiseState(this.#chainingKey, this.#hash);
    copy.#key = this.#key;
    copy.#nonce = this.#nonce;
    return copy;
  }

  /** The transcript hash so far. */
  get hash(): Uint8Array {
    return this.#hash.slice();
  }

  mixHash(data: Uint8Array): void {
    this.#hash = blake2s256(concatBytes(this.#hash, data));
  }

  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = this.#derive(input);
    this.#chainingKey = chainingKey;
    this.#useKey(key);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hashInput, key] = this.#derive(input);
    this.#chainingKey = chainingKey;
    this.mixHash(hashInput);
    this.#useKey(key);
  }

  /** The token `e` of a PSK pattern: into the transcript and into the key. */
  mixEphemeral(publicKey: Uint8Array): void {
    this.mixHash(publicKey);
    this.mixKey(publicKey);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const sealed = sealAead(this.#requireKey(), this.#nextNonce(), this.#hash, plaintext);
    this.mixHash(sealed);
    return sealed;
  }

  /** The plaintext, or `undefined` when the tag is wrong; the state is useless then. */
  decryptAndHash(sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = openAead(this.#requireKey(), this.#nextNonce(), this.#hash, sealed);
    this.mixHash(sealed);
    return plaintext;
  }

  split(): SplitKeys {
    const [initiatorToResponder, responderToInitiator] = this.#derive(new Uint8Array(0));
    return { initiatorToResponder, responderToInitiator };
  }

  /** Noise HKDF with three outputs; the third costs one more hash and is ignored where two are meant. */
  #derive(input: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] {
    const extracted = hmacBlake2s(this.#chainingKey, input);
    const first = hmacBlake2s(extracted, Uint8Array.of(1));
    const second = hmacBlake2s(extracted, concatBytes(first, Uint8Array.of(2)));
    const third = hmacBlake2s(extracted, concatBytes(second, Uint8Array.of(3)));
    return [first, second, third];
  }

  #useKey(key: Uint8Array): void {
    this.#key = key;
    this.#nonce = 0;
  }

  #requireKey(): Uint8Array {
    if (this.#key === undefined) throw new TypeError("Cannot use Noise cipher: no key was mixed");
    return this.#key;
  }

  #nextNonce(): Uint8Array {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(4, this.#nonce, true);
    this.#nonce += 1;
    return nonce;
  }
}
