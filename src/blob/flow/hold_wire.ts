/**
 * The call by which a node asks a peer to prove that it holds a chunk, and to promise that it keeps it: service
 * `net.blob.hold`, ours; the reference has nothing like it (promise D1). The answer is made of the bytes and of
 * a number that nobody knew before, so that it can't be given without them.
 */
import { PostcardReader, PostcardWriter } from "../../base/mod.ts";
import { createBlake3 } from "../../core/crypto/mod.ts";
import { HASH_BYTES } from "../limits.ts";

/** Name of the service. */
export const HOLD_SERVICE = "net.blob.hold";

/** Length of the number, in bytes. */
export const HOLD_NONCE_BYTES = 32;

/** What a peer is asked to do about its promise. */
export const HOLD_KINDS = ["prove", "promise", "release"] as const;

/** One of them: proof alone; proof and promise; the promise is given back. */
export type HoldKind = typeof HOLD_KINDS[number];

/** A question. */
export interface HoldRequest {
  readonly kind: HoldKind;
  readonly hash: Uint8Array;
  readonly nonce: Uint8Array;
}

/** The answer to it. */
export type HoldReply =
  /** It is here, synced, and kept where that was asked for. */
  | { readonly kind: "proven"; readonly proof: Uint8Array }
  | { readonly kind: "absent" }
  /** It is here and will not be kept. */
  | { readonly kind: "refused" };

const REPLIES = ["proven", "absent", "refused"] as const;

/**
 * What proves possession.
 *
 * @example
 * ```ts
 * import { proofOf } from "./hold_wire.ts";
 * const chunk = new Uint8Array(9);
 * console.assert(proofOf(new Uint8Array(32), chunk).length === 32);
 * ```
 */
export function proofOf(nonce: Uint8Array, chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  return createBlake3().update(nonce).update(chunk).digest();
}

/** @throws RangeError when hash or nonce have not 32 bytes. */
export function encodeHoldRequest({ kind, hash, nonce }: HoldRequest): Uint8Array<ArrayBuffer> {
  if (hash.length !== HASH_BYTES || nonce.length !== HOLD_NONCE_BYTES) {
    throw new RangeError(
      `Cannot ask for chunk: hash has ${hash.length} and nonce ${nonce.length} bytes, must have 32`,
    );
  }
  return new PostcardWriter().varint(HOLD_KINDS.indexOf(kind)).bytes(hash).bytes(nonce).finish();
}

/** `undefined` for what is no question; hash and nonce are copied. */
export function decodeHoldRequest(bytes: Uint8Array): HoldRequest | undefined {
  const reader = new PostcardReader(bytes);
  const kind = HOLD_KINDS[reader.variant(HOLD_KINDS.length)];
  const hash = reader.bytes(HASH_BYTES).slice();
  const nonce = reader.bytes(HOLD_NONCE_BYTES).slice();
  return reader.failure === undefined && kind !== undefined ? { kind, hash, nonce } : undefined;
}

export function encodeHoldReply(reply: HoldReply): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter().varint(REPLIES.indexOf(reply.kind));
  return (reply.kind === "proven" ? writer.bytes(reply.proof) : writer).finish();
}

/** `undefined` for what is no answer; the proof is copied. */
export function decodeHoldReply(bytes: Uint8Array): HoldReply | undefined {
  const reader = new PostcardReader(bytes);
  const kind = REPLIES[reader.variant(REPLIES.length)];
  const proof = kind === "proven" ? reader.bytes(HASH_BYTES).slice() : undefined;
  if (reader.failure !== undefined || kind === undefined) return undefined;
  return kind === "proven" ? { kind, proof: proof ?? new Uint8Array(HASH_BYTES) } : { kind };
}
