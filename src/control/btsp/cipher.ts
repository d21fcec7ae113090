/**
 * How a frame's payload is protected (`validation.md` 8): sealed, signed, or as it is.
 *
 * All members of one family may choose freely, down to no protection at all. What they chose is part of the
 * handshake; a frame that does not fit it ends the session.
 */
import { concatBytes, equalBytesConstantTime, NetError } from "../../base/mod.ts";
import { openAead, sealAead } from "../../core/crypto/mod.ts";
import { hmacSha256 } from "./keys.ts";
import { NonceGuard } from "./nonce_guard.ts";

/** How frames are protected. */
export type BtspCipher = "chacha20" | "hmac" | "null";

/** Names of the ciphers on the wire, ours first. */
const NAMES: Readonly<Record<BtspCipher, readonly string[]>> = {
  chacha20: ["chacha20", "chacha20_poly1305", "chacha20-poly1305"],
  hmac: ["hmac", "hmac_plain"],
  null: ["null"],
};

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAC_BYTES = 32;

/** What a cipher adds to a message at most. */
export const CIPHER_BYTES_MAX = MAC_BYTES;

/** The cipher of a name in any spelling. */
export function readCipher(name: unknown): BtspCipher | undefined {
  for (const cipher of ["chacha20", "hmac", "null"] as const) {
    if (NAMES[cipher].some((spelling) => spelling === name)) return cipher;
  }
  return undefined;
}

/** Protects the frames of one direction. */
export class FrameSealer {
  readonly #cipher: BtspCipher;
  readonly #key: Uint8Array;
  #counter = 0;

  constructor(cipher: BtspCipher, key: Uint8Array) {
    this.#cipher = cipher;
    this.#key = key;
  }

  /** One frame with its length in front. */
  seal(message: Uint8Array): Uint8Array<ArrayBuffer> {
    const overhead = { chacha20: NONCE_BYTES + TAG_BYTES, hmac: MAC_BYTES, null: 0 }[this.#cipher];
    const length = frameLength(message.length + overhead);
    switch (this.#cipher) {
      case "chacha20": {
        const nonce = this.#nextNonce();
        return concatBytes(length, nonce, sealAead(this.#key, nonce, length, message));
      }
      case "hmac":
        return concatBytes(length, message, hmacSha256(this.#key, message));
      case "null":
        return concatBytes(length, message);
    }
  }

  #nextNonce(): Uint8Array {
    const nonce = new Uint8Array(NONCE_BYTES);
    new DataView(nonce.buffer).setBigUint64(4, BigInt(this.#counter++));
    return nonce;
  }
}

/** Opens the frames of the other direction. */
export class FrameOpener {
  readonly #cipher: BtspCipher;
  readonly #key: Uint8Array;
  readonly #nonces = new NonceGuard();

  constructor(cipher: BtspCipher, key: Uint8Array) {
    this.#cipher = cipher;
    this.#key = key;
  }

  /**
   * The message of a frame's payload.
   *
   * @throws NetError `integrity` when it is not what the other side sent, or was sent before.
   */
  open(payload: Uint8Array): Uint8Array {
    const message = this.#open(payload);
    if (message !== undefined) return message;
    throw new NetError("integrity", "Cannot open BTSP frame: it is not authentic", {
      next: "connect again; the two sides must agree on seed and cipher",
    });
  }

  #open(payload: Uint8Array): Uint8Array | undefined {
    switch (this.#cipher) {
      case "chacha20": {
        if (payload.length < NONCE_BYTES + TAG_BYTES) return undefined;
        const nonce = payload.subarray(0, NONCE_BYTES);
        const sealed = payload.subarray(NONCE_BYTES);
        const message = openAead(this.#key, nonce, frameLength(payload.length), sealed);
        // Only what is authentic may use a nonce up.
        return message !== undefined && this.#nonces.accept(nonce) ? message : undefined;
      }
      case "hmac": {
        const end = payload.length - MAC_BYTES;
        if (end < 0) return undefined;
        const message = payload.subarray(0, end);
        const isAuthentic = equalBytesConstantTime(
          hmacSha256(this.#key, message),
          payload.subarray(end),
        );
        return isAuthentic ? message : undefined;
      }
      case "null":
        return payload;
    }
  }
}

/** The four bytes in front of a frame. */
export function frameLength(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}
