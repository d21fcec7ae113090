/**
 * The call by which a node offers a chunk to a peer (`dataforts.md` 18): service
 * `dataforts.blob.overflow_push`. The bytes are fetched by who accepts.
 */
import { PostcardReader, PostcardWriter } from "../../base/mod.ts";
import { HASH_BYTES } from "../limits.ts";
import { OVERFLOW_REFUSALS, type OverflowRefusal } from "./verdicts.ts";

/** Name of the service. */
export const OVERFLOW_SERVICE = "dataforts.blob.overflow_push";

/** An offer. */
export interface OverflowOffer {
  readonly hash: Uint8Array;
  readonly sizeBytes: bigint;
  readonly senderId: bigint;
}

/** The answer to it. */
export type OverflowReply =
  | { readonly kind: "accepted" }
  | { readonly kind: "rejected"; readonly reason: OverflowRefusal }
  | { readonly kind: "open_chunk_failed" };

const REPLIES = 3;

/** @throws RangeError when the hash has not 32 bytes or a number is outside 64 bits. */
export function encodeOverflowOffer(offer: OverflowOffer): Uint8Array<ArrayBuffer> {
  const { hash, sizeBytes, senderId } = offer;
  if (hash.length !== HASH_BYTES) {
    throw new RangeError(
      `Cannot offer chunk: hash has ${hash.length} bytes, must have ${HASH_BYTES}`,
    );
  }
  return new PostcardWriter().bytes(hash).varint(sizeBytes).varint(senderId).finish();
}

/** `undefined` for what is no offer; the hash is copied. */
export function decodeOverflowOffer(bytes: Uint8Array): OverflowOffer | undefined {
  const reader = new PostcardReader(bytes);
  const hash = reader.bytes(HASH_BYTES).slice();
  const offer = { hash, sizeBytes: reader.u64(), senderId: reader.u64() };
  return reader.failure === undefined ? offer : undefined;
}

export function encodeOverflowReply(reply: OverflowReply): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(2);
  switch (reply.kind) {
    case "accepted":
      return writer.varint(0).finish();
    case "rejected":
      return writer.varint(1).varint(OVERFLOW_REFUSALS.indexOf(reply.reason)).finish();
    case "open_chunk_failed":
      return writer.varint(2).finish();
  }
}

/** `undefined` for what is no reply. */
export function decodeOverflowReply(bytes: Uint8Array): OverflowReply | undefined {
  const reader = new PostcardReader(bytes);
  const variant = reader.variant(REPLIES);
  if (reader.failure !== undefined) return undefined;
  if (variant === 0) return { kind: "accepted" };
  if (variant === 2) return { kind: "open_chunk_failed" };
  const reason = OVERFLOW_REFUSALS[reader.variant(OVERFLOW_REFUSALS.length)];
  return reader.failure === undefined && reason !== undefined
    ? { kind: "rejected", reason }
    : undefined;
}
