/**
 * Messages of subprotocol 0x1100: transfers of chunks (`dataforts.md` 12) and, between nodes of ours,
 * the question for a reference (`decisions.md` 15).
 *
 * The question is `10 ‖ hash`. The answer is `11 ‖ hash ‖ encoded reference`, or, when the reference
 * does not fit one packet, `12 ‖ hash ‖ BLAKE3 of the encoded reference`: the asker then fetches the
 * reference as it fetches a chunk. Decoders return `undefined` for anything else.
 */
import { concatBytes, PostcardReader, PostcardWriter } from "../base/mod.ts";
import { HASH_BYTES, RESOLVE_MESSAGE_BYTES_MAX } from "./limits.ts";

/** Subprotocol of transfers. */
export const TRANSFER_SUBPROTOCOL = 0x1100;

/** Stream id of the resolve extension; not one of a transfer. */
export const RESOLVE_STREAM_ID = 0x1100n;

const BIT_61 = 1n << 61n;
const BIT_48 = 1n << 48n;
const NONCE_MASK = BIT_48 - 1n;

const REQUEST = 0x00;
const FOUND = 0x00;
const NOT_FOUND = 0x01;
const RESOLVE_QUESTION = 0x10;
const RESOLVE_ANSWER = 0x11;
const RESOLVE_POINTER = 0x12;

/** First event of a reply. */
export type TransferHeader =
  | { readonly isFound: true; readonly totalBytes: bigint }
  | { readonly isFound: false };

/** A message of the resolve extension; `ref` is a view. */
export type ResolveMessage =
  | { readonly kind: "question"; readonly hash: Uint8Array }
  | { readonly kind: "answer"; readonly hash: Uint8Array; readonly ref: Uint8Array }
  | { readonly kind: "pointer"; readonly hash: Uint8Array; readonly refHash: Uint8Array };

/** Stream id of a transfer: bit 61 and the low 48 bits of the nonce. */
export function transferStreamId(nonce: bigint): bigint {
  return BIT_61 | (nonce & NONCE_MASK);
}

/** True for ids of transfers: bit 61 set, bit 48 clear, whatever the others. */
export function isTransferStreamId(streamId: bigint): boolean {
  return (streamId & BIT_61) !== 0n && (streamId & BIT_48) === 0n;
}

/** Request for one chunk. */
export function encodeTransferRequest(hash: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(Uint8Array.of(REQUEST), hash);
}

/** Hash of a request, copied. */
export function decodeTransferRequest(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== REQUEST || bytes.length < 1 + HASH_BYTES) return undefined;
  return bytes.slice(1, 1 + HASH_BYTES);
}

/** First event of a reply. */
export function encodeTransferHeader(header: TransferHeader): Uint8Array<ArrayBuffer> {
  if (!header.isFound) return Uint8Array.of(NOT_FOUND);
  return new PostcardWriter(11).u8(FOUND).varint(header.totalBytes).finish();
}

/** Header of a reply. */
export function decodeTransferHeader(bytes: Uint8Array): TransferHeader | undefined {
  const reader = new PostcardReader(bytes);
  const kind = reader.u8();
  if (reader.failure === undefined && kind === NOT_FOUND) return { isFound: false };
  const totalBytes = reader.u64();
  if (reader.failure !== undefined || kind !== FOUND) return undefined;
  return { isFound: true, totalBytes };
}

/** Encodes a message of the resolve extension. */
export function encodeResolveMessage(message: ResolveMessage): Uint8Array<ArrayBuffer> {
  const { kind, hash } = message;
  if (kind === "question") return concatBytes(Uint8Array.of(RESOLVE_QUESTION), hash);
  if (kind === "answer") return concatBytes(Uint8Array.of(RESOLVE_ANSWER), hash, message.ref);
  return concatBytes(Uint8Array.of(RESOLVE_POINTER), hash, message.refHash);
}

/** Message of the resolve extension; hashes are copied, `ref` is a view of `bytes`. */
export function decodeResolveMessage(bytes: Uint8Array): ResolveMessage | undefined {
  const rest = bytes.length - 1 - HASH_BYTES;
  if (rest < 0 || bytes.length > RESOLVE_MESSAGE_BYTES_MAX) return undefined;
  const hash = bytes.slice(1, 1 + HASH_BYTES);
  const tail = bytes.subarray(1 + HASH_BYTES);
  if (bytes[0] === RESOLVE_QUESTION && rest === 0) return { kind: "question", hash };
  if (bytes[0] === RESOLVE_ANSWER && rest > 0) return { kind: "answer", hash, ref: tail };
  if (bytes[0] === RESOLVE_POINTER && rest === HASH_BYTES) {
    return { kind: "pointer", hash, refHash: tail.slice() };
  }
  return undefined;
}

/** True when the reference fits an answer. */
export function fitsResolveAnswer(ref: Uint8Array): boolean {
  return 1 + HASH_BYTES + ref.length <= RESOLVE_MESSAGE_BYTES_MAX;
}
