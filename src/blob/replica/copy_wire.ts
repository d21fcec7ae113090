/**
 * Two calls between nodes of ours. `net.blob.copy` asks a node to take a copy of a blob and to keep it: the
 * answers say how far it is, and the last one comes after every byte is fetched, verified and synced there.
 * `net.blob.holds` asks which blobs a node has completely.
 *
 * Everything is postcard, as the rest of blobs (`dataforts.md`, head of the page), with a version in front.
 * Decoders return `undefined` for anything else and keep no view of what they read.
 */
import { PostcardReader, PostcardWriter } from "../../base/mod.ts";
import { HASH_BYTES } from "../limits.ts";
import {
  COPIES_MAX,
  COPY_REF_BYTES_MAX,
  COPY_REQUEST_BYTES_MAX,
  COPY_SOURCES_MAX,
  HOLDINGS_HASHES_MAX,
} from "./limits.ts";

/** Service that takes copies. */
export const COPY_SERVICE = "net.blob.copy";

/** Service that says what is here. */
export const HOLDS_SERVICE = "net.blob.holds";

const VERSION = 1;

/** The wish for a copy. */
export interface CopyRequest {
  readonly address: Uint8Array;
  /** What a copy takes: all chunks, with nodes, parity, and for a folder its files. */
  readonly sizeBytes: bigint;
  /** Its bytes are the manifest of a folder, whose files belong to it. */
  readonly isDirectory: boolean;
  /** Copies that the blob shall have, all in all; who takes one sees to it as well. 0: nobody said. */
  readonly copies: number;
  /** The encoded reference; empty when it is to be asked for by the address. */
  readonly ref: Uint8Array;
  /** Nodes that have the bytes. */
  readonly sources: readonly bigint[];
}

/** Why a node takes no copy, in the order of their numbers on the wire. */
export const COPY_REFUSALS = [
  /** It takes none from others. */
  "not_accepting",
  "no_room",
  /** It takes as many as it can at once; later it may. */
  "busy",
  "unhealthy",
  /** The reference is none, or not the one of the address. */
  "bad_reference",
  /** The bytes were not to be had. */
  "not_fetched",
  /** It could not write them. */
  "not_stored",
  "stopping",
] as const;

/** One of them. */
export type CopyRefusal = typeof COPY_REFUSALS[number];

/** What a node says of a copy. */
export type CopyReply =
  /** Bytes that are there, of the blob and of all it needs. */
  | { readonly kind: "progress"; readonly doneBytes: bigint; readonly totalBytes: bigint }
  /** Everything is there, verified, synced and kept. */
  | { readonly kind: "held"; readonly chunks: bigint; readonly bytes: bigint }
  | { readonly kind: "refused"; readonly reason: CopyRefusal };

const REPLIES = 3;

/** What of a hash is on a node, in the order of the numbers on the wire. */
export const HOLDINGS = [
  "nothing",
  /** The blob with this address or root, completely. */
  "blob",
  /** The chunk, and perhaps no more of the blob it belongs to. */
  "chunk",
] as const;

/** One of them. */
export type Holding = typeof HOLDINGS[number];

/** @throws RangeError for a hash of another length, too many copies or sources, or a reference that is too long. */
export function encodeCopyRequest(request: CopyRequest): Uint8Array<ArrayBuffer> {
  const { address, sizeBytes, isDirectory, copies, ref, sources } = request;
  requireHash(address);
  requireAtMost("copies", copies, COPIES_MAX);
  requireAtMost("bytes of the reference", ref.length, COPY_REF_BYTES_MAX);
  requireAtMost("sources", sources.length, COPY_SOURCES_MAX);
  const writer = new PostcardWriter().u8(VERSION).bytes(address).varint(sizeBytes)
    .u8(isDirectory ? 1 : 0).u8(copies)
    .varint(ref.length).bytes(ref).varint(sources.length);
  for (const source of sources) writer.varint(source);
  return writer.finish();
}

/** `undefined` for what is no request. */
export function decodeCopyRequest(bytes: Uint8Array): CopyRequest | undefined {
  if (bytes.length > COPY_REQUEST_BYTES_MAX) return undefined;
  const reader = new PostcardReader(bytes);
  const version = reader.u8();
  const address = reader.bytes(HASH_BYTES).slice();
  const sizeBytes = reader.u64();
  const kind = reader.u8();
  const copies = reader.u8();
  const refBytes = reader.u32();
  if (reader.failure !== undefined || version !== VERSION || kind > 1) return undefined;
  if (refBytes > COPY_REF_BYTES_MAX || refBytes > reader.remaining) return undefined;
  const ref = reader.bytes(refBytes).slice();
  const count = reader.u32();
  if (count > COPY_SOURCES_MAX) return undefined;
  const sources: bigint[] = [];
  for (let i = 0; i < count; i++) sources.push(reader.u64());
  if (reader.failure !== undefined) return undefined;
  return { address, sizeBytes, isDirectory: kind === 1, copies, ref, sources };
}

export function encodeCopyReply(reply: CopyReply): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(21);
  switch (reply.kind) {
    case "progress":
      return writer.varint(0).varint(reply.doneBytes).varint(reply.totalBytes).finish();
    case "held":
      return writer.varint(1).varint(reply.chunks).varint(reply.bytes).finish();
    case "refused":
      return writer.varint(2).varint(COPY_REFUSALS.indexOf(reply.reason)).finish();
  }
}

/** `undefined` for what is no reply. */
export function decodeCopyReply(bytes: Uint8Array): CopyReply | undefined {
  const reader = new PostcardReader(bytes);
  const variant = reader.variant(REPLIES);
  if (reader.failure !== undefined) return undefined;
  if (variant === 2) {
    const reason = COPY_REFUSALS[reader.variant(COPY_REFUSALS.length)];
    return reader.failure === undefined && reason !== undefined
      ? { kind: "refused", reason }
      : undefined;
  }
  const [first, second] = [reader.u64(), reader.u64()];
  if (reader.failure !== undefined) return undefined;
  return variant === 0
    ? { kind: "progress", doneBytes: first, totalBytes: second }
    : { kind: "held", chunks: first, bytes: second };
}

/** @throws RangeError for a hash of another length, none or too many. */
export function encodeHoldsQuestion(hashes: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  requireAtMost("hashes", hashes.length, HOLDINGS_HASHES_MAX);
  const writer = new PostcardWriter().u8(VERSION).varint(hashes.length);
  for (const hash of hashes) writer.bytes(requireHash(hash));
  return writer.finish();
}

/** The hashes that are asked for; `undefined` for what is no question. */
export function decodeHoldsQuestion(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const reader = new PostcardReader(bytes);
  const version = reader.u8();
  const count = reader.u32();
  if (reader.failure !== undefined || version !== VERSION || count > HOLDINGS_HASHES_MAX) {
    return undefined;
  }
  if (count * HASH_BYTES > reader.remaining) return undefined;
  return Array.from({ length: count }, () => reader.bytes(HASH_BYTES).slice());
}

/** @param held What of each is here, in the order of the question. */
export function encodeHoldsAnswer(held: readonly Holding[]): Uint8Array<ArrayBuffer> {
  requireAtMost("hashes", held.length, HOLDINGS_HASHES_MAX);
  const writer = new PostcardWriter().u8(VERSION).varint(held.length);
  for (const holding of held) writer.u8(HOLDINGS.indexOf(holding));
  return writer.finish();
}

/** `undefined` for what is no answer to a question for `count` hashes. */
export function decodeHoldsAnswer(
  bytes: Uint8Array,
  count: number,
): readonly Holding[] | undefined {
  const reader = new PostcardReader(bytes);
  const version = reader.u8();
  const length = reader.u32();
  if (version !== VERSION || length !== count || length > reader.remaining) return undefined;
  const held: Holding[] = [];
  for (let i = 0; i < length; i++) {
    const holding = HOLDINGS[reader.u8()];
    if (holding === undefined) return undefined;
    held.push(holding);
  }
  return reader.failure === undefined ? held : undefined;
}

function requireHash(hash: Uint8Array): Uint8Array {
  if (hash.length === HASH_BYTES) return hash;
  throw new RangeError(
    `Cannot write message: hash has ${hash.length} bytes, must have ${HASH_BYTES}`,
  );
}

function requireAtMost(what: string, count: number, most: number): void {
  if (Number.isInteger(count) && count >= 0 && count <= most) return;
  throw new RangeError(`Cannot write message: it has ${count} ${what}, must have 0..${most}`);
}
