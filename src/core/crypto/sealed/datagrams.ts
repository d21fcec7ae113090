/**
 * Datagrams of the class `4E 53`: RETRY, a retried handshake, RESET (`sealed.md` 5).
 *
 * They come from anybody: nothing in them is authenticated here. No length can be 14 or 72, which
 * other classes are recognised by (`wire.md` 2).
 */
import { concatBytes } from "../../../base/mod.ts";
import { RESET_TAG_BYTES } from "./reset_tag.ts";

/** First two bytes of the class as a little-endian number. */
export const SEALED_DATAGRAM_MAGIC = 0x534e;
/** Bytes of a retry token. */
export const RETRY_TOKEN_BYTES = 32;
/** Bytes of the ephemeral key that a RETRY repeats. */
export const RETRY_EPHEMERAL_BYTES = 8;
/** Exact length of a RETRY. */
export const RETRY_BYTES = 3 + RETRY_EPHEMERAL_BYTES + RETRY_TOKEN_BYTES;
/** Exact length of a RESET. */
export const RESET_BYTES = 3 + 8 + RESET_TAG_BYTES;
/** Bytes in front of a retried handshake. */
export const RETRIED_PREFIX_BYTES = 3 + RETRY_TOKEN_BYTES;

const MAGIC = Uint8Array.of(0x4e, 0x53);
const KIND_RETRY = 1;
const KIND_RETRIED = 2;
const KIND_RESET = 3;
/** Shortest handshake packet: header and a message without payload, 68 + 48. */
const HANDSHAKE_BYTES_MIN = 116;
/** Largest datagram of the mesh, behind a routing header. */
const HANDSHAKE_BYTES_MAX = 18 + 8_192;

/** A datagram of the class. */
export type SealedDatagram =
  /** Repeat your message 1 behind this token. */
  | {
    readonly kind: "retry";
    /** First 8 bytes of the ephemeral key of the message 1 it answers; a copy. */
    readonly ephemeral: Uint8Array;
    /** A copy. */
    readonly token: Uint8Array;
  }
  /** The repeated message 1; `datagram` is a view of what it would have been without a token. */
  | { readonly kind: "retried"; readonly token: Uint8Array; readonly datagram: Uint8Array }
  /** I don't know this session. */
  | {
    readonly kind: "reset";
    readonly sessionIdLow: number;
    readonly sessionIdHigh: number;
    /** A copy; to be compared in constant time. */
    readonly resetTag: Uint8Array;
  }
  /** To be dropped and counted. */
  | { readonly kind: "malformed"; readonly fault: "magic" | "kind" | "length" };

/**
 * Encodes a RETRY, 43 bytes.
 *
 * @param ephemeral Ephemeral key of message 1; its first 8 bytes are sent.
 * @param token From {@linkcode RetryTokens.issue}.
 * @throws RangeError when one of them has a wrong length.
 *
 * @example
 * ```ts
 * import { decodeSealedDatagram, encodeRetry } from "./datagrams.ts";
 * const retry = encodeRetry(new Uint8Array(32), new Uint8Array(32));
 * console.assert(decodeSealedDatagram(retry).kind === "retry");
 * ```
 */
export function encodeRetry(ephemeral: Uint8Array, token: Uint8Array): Uint8Array<ArrayBuffer> {
  requireLength("ephemeral key", ephemeral, RETRY_EPHEMERAL_BYTES, 32);
  requireLength("token", token, RETRY_TOKEN_BYTES, RETRY_TOKEN_BYTES);
  return encode(KIND_RETRY, ephemeral.subarray(0, RETRY_EPHEMERAL_BYTES), token);
}

/**
 * Encodes a repeated message 1: the token, then the whole datagram as it was sent before.
 *
 * @throws RangeError when the token has a wrong length, or the datagram can't be a handshake.
 */
export function encodeRetried(
  token: Uint8Array,
  datagram: Uint8Array,
): Uint8Array<ArrayBuffer> {
  requireLength("token", token, RETRY_TOKEN_BYTES, RETRY_TOKEN_BYTES);
  requireLength("handshake", datagram, HANDSHAKE_BYTES_MIN, HANDSHAKE_BYTES_MAX);
  return encode(KIND_RETRIED, token, datagram);
}

/**
 * Encodes a RESET, 27 bytes.
 *
 * @param resetTag 16 bytes, from a {@linkcode ResetTagger}.
 * @throws RangeError when the tag has a wrong length.
 */
export function encodeReset(
  sessionIdLow: number,
  sessionIdHigh: number,
  resetTag: Uint8Array,
): Uint8Array<ArrayBuffer> {
  requireLength("reset tag", resetTag, RESET_TAG_BYTES, RESET_TAG_BYTES);
  const id = new Uint8Array(8);
  const view = new DataView(id.buffer);
  view.setUint32(0, sessionIdLow, true);
  view.setUint32(4, sessionIdHigh, true);
  return encode(KIND_RESET, id, resetTag);
}

/** True when a datagram of the class is, or pretends to be, a repeated message 1. */
export function isRetried(bytes: Uint8Array): boolean {
  return bytes[2] === KIND_RETRIED;
}

/** Reads a datagram of the class; never throws. */
export function decodeSealedDatagram(bytes: Uint8Array): SealedDatagram {
  if (bytes.length < 3) return { kind: "malformed", fault: "length" };
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1]) return { kind: "malformed", fault: "magic" };
  switch (bytes[2]) {
    case KIND_RETRY: {
      if (bytes.length !== RETRY_BYTES) break;
      const tokenAt = 3 + RETRY_EPHEMERAL_BYTES;
      return { kind: "retry", ephemeral: bytes.slice(3, tokenAt), token: bytes.slice(tokenAt) };
    }
    case KIND_RETRIED: {
      const datagram = bytes.subarray(RETRIED_PREFIX_BYTES);
      if (datagram.length < HANDSHAKE_BYTES_MIN || datagram.length > HANDSHAKE_BYTES_MAX) break;
      return { kind: "retried", token: bytes.slice(3, RETRIED_PREFIX_BYTES), datagram };
    }
    case KIND_RESET: {
      if (bytes.length !== RESET_BYTES) break;
      const view = new DataView(bytes.buffer, bytes.byteOffset, RESET_BYTES);
      return {
        kind: "reset",
        sessionIdLow: view.getUint32(3, true),
        sessionIdHigh: view.getUint32(7, true),
        resetTag: bytes.slice(11),
      };
    }
    default:
      return { kind: "malformed", fault: "kind" };
  }
  return { kind: "malformed", fault: "length" };
}

function encode(kind: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatBytes(MAGIC, Uint8Array.of(kind), ...parts);
}

function requireLength(what: string, bytes: Uint8Array, min: number, max: number): void {
  if (bytes.length >= min && bytes.length <= max) return;
  throw new RangeError(
    `Cannot encode datagram: ${what} has ${bytes.length} bytes, must be ` +
      (min === max ? `${min}` : `${min} to ${max}`),
  );
}
