/**
 * References to blobs on the wire: Small, Manifest and Tree (`dataforts.md` 2).
 *
 * Reading and writing of references only; a Tree's nodes are not read here.
 */
import { concatBytes, PostcardReader, PostcardWriter, utf8 } from "../base/mod.ts";
import { type BlobEncoding, readEncoding, writeEncoding } from "./encoding.ts";
import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES,
  HASH_BYTES,
  TREE_BYTES_MAX,
  TREE_DEPTH_MAX,
  TREE_FAN_OUT,
} from "./limits.ts";

/** One chunk of a manifest. */
export interface ChunkRef {
  /** BLAKE3 of the chunk. */
  readonly hash: Uint8Array;
  /** Bytes. */
  readonly size: number;
}

/** A blob of one chunk. */
export interface SmallRef {
  readonly kind: "small";
  readonly uri: string;
  /** BLAKE3 of the payload. */
  readonly hash: Uint8Array;
  /** Bytes; informative, readers go by the hash. */
  readonly size: number;
}

/** A blob of chunks of 4 MiB, listed one by one. */
export interface ManifestRef {
  readonly kind: "manifest";
  readonly uri: string;
  readonly encoding: BlobEncoding;
  readonly chunks: readonly ChunkRef[];
  /** Bytes. */
  readonly size: number;
}

/** A blob whose chunks are listed in a tree of nodes. */
export interface TreeRef {
  readonly kind: "tree";
  readonly uri: string;
  readonly encoding: BlobEncoding;
  readonly rootHash: Uint8Array;
  /** Bytes; up to 2^57. */
  readonly size: bigint;
  readonly depth: number;
}

/** Any reference. */
export type BlobRef = SmallRef | ManifestRef | TreeRef;

/** Why bytes are no reference. */
export type BlobRefFault =
  | "not_a_blob_ref"
  | "version_missing"
  | "unsupported_version"
  | "uri_not_utf8"
  | "postcard_eof"
  | "postcard_varint"
  | "postcard_enum"
  | "small_truncated"
  | "small_over_16GiB"
  | "manifest_wire_cap"
  | "manifest_chunk_count"
  | "manifest_over_16GiB"
  | "manifest_total_mismatch"
  | "bad_nonlast_chunk_size"
  | "bad_last_chunk_size"
  | "tree_body_cap"
  | "tree_zero_total"
  | "tree_over_128PiB"
  | "tree_depth_range"
  | "tree_depth_size_lower_bound";

/** What decoding gives. */
export type DecodedBlobRef =
  | { readonly ok: true; readonly ref: BlobRef }
  | {
    readonly ok: false;
    readonly fault: BlobRefFault;
    /** The version of an `unsupported_version`. */
    readonly version?: number;
  };

const MAGIC = Uint8Array.of(0xb0, 0xb1, 0xb2, 0xb3);
const BODY_VERSION = 1;
const MANIFEST_CHUNKS_MAX = 8_192;
/** 8192 + 32 + 8192 × 50 bytes. */
const MANIFEST_BODY_BYTES_MAX = 417_824;
/** Hash and a size of at least one byte. */
const MANIFEST_CHUNK_BYTES_MIN = HASH_BYTES + 1;
const TREE_BODY_BYTES_MAX = 1_024;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Longest encoded reference there is: a manifest with its magic and version. */
export const BLOB_REF_BYTES_MAX = MANIFEST_BODY_BYTES_MAX + MAGIC.length + 1;

/** True when `bytes` begin with the magic of a reference; anything else is an inline payload. */
export function isBlobRef(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, i) => bytes[i] === byte);
}

/**
 * Decodes a reference; every limit of the specification holds for the result. Hashes are copied.
 *
 * @example
 * ```ts
 * import { decodeBlobRef, encodeBlobRef } from "./blob_ref.ts";
 * const hash = new Uint8Array(32);
 * const decoded = decodeBlobRef(encodeBlobRef({ kind: "small", uri: "mesh://x", hash, size: 3 }));
 * console.assert(decoded.ok && decoded.ref.uri === "mesh://x");
 * ```
 */
export function decodeBlobRef(bytes: Uint8Array): DecodedBlobRef {
  if (!isBlobRef(bytes)) return fail("not_a_blob_ref");
  const version = bytes[MAGIC.length];
  const body = bytes.subarray(MAGIC.length + 1);
  if (version === undefined) return fail("version_missing");
  if (version === 1) return decodeSmall(body);
  if (version === 2) return decodeManifest(body);
  if (version === 3) return decodeTree(body);
  return { ok: false, fault: "unsupported_version", version };
}

/**
 * Encodes a reference.
 *
 * @throws RangeError when the reference breaks a limit that makers must keep.
 */
export function encodeBlobRef(ref: BlobRef): Uint8Array<ArrayBuffer> {
  const fault = checkRef(ref);
  if (fault !== undefined) throw new RangeError(`Cannot encode blob reference: ${fault}`);
  if (ref.kind === "small") {
    const size = new Uint8Array(8);
    new DataView(size.buffer).setBigUint64(0, BigInt(ref.size), true);
    return concatBytes(MAGIC, Uint8Array.of(1), ref.hash, size, utf8(ref.uri));
  }
  if (ref.kind === "manifest") {
    const body = new PostcardWriter(256 + ref.chunks.length * (HASH_BYTES + 5));
    body.u8(BODY_VERSION).text(ref.uri);
    writeEncoding(body, ref.encoding);
    body.varint(ref.chunks.length);
    for (const { hash, size } of ref.chunks) body.bytes(hash).varint(size);
    return concatBytes(MAGIC, Uint8Array.of(2), body.varint(ref.size).finish());
  }
  const body = new PostcardWriter(256).u8(BODY_VERSION).text(ref.uri);
  writeEncoding(body, ref.encoding);
  body.bytes(ref.rootHash).varint(ref.size).u8(ref.depth);
  return concatBytes(MAGIC, Uint8Array.of(3), body.finish());
}

function decodeSmall(body: Uint8Array): DecodedBlobRef {
  if (body.length < HASH_BYTES + 8) return fail("small_truncated");
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const size = view.getBigUint64(HASH_BYTES, true);
  if (size > BigInt(BLOB_BYTES_MAX)) return fail("small_over_16GiB");
  let uri: string;
  try {
    uri = DECODER.decode(body.subarray(HASH_BYTES + 8));
  } catch {
    return fail("uri_not_utf8");
  }
  return succeed({ kind: "small", uri, hash: body.slice(0, HASH_BYTES), size: Number(size) });
}

function decodeManifest(body: Uint8Array): DecodedBlobRef {
  if (body.length > MANIFEST_BODY_BYTES_MAX) return fail("manifest_wire_cap");
  const reader = new PostcardReader(body);
  const version = reader.u8();
  if (reader.failure === undefined && version !== BODY_VERSION) return failVersion(version);
  const uri = reader.text();
  const encoding = readEncoding(reader);
  if (encoding === undefined) return failReader(reader);
  const count = reader.count(MANIFEST_CHUNK_BYTES_MIN);
  if (count > MANIFEST_CHUNKS_MAX) return fail("manifest_chunk_count");
  const chunks: ChunkRef[] = [];
  for (let i = 0; i < count && reader.failure === undefined; i++) {
    chunks.push({ hash: reader.bytes(HASH_BYTES).slice(), size: reader.u32() });
  }
  const size = reader.u64();
  if (reader.failure !== undefined) return failReader(reader);
  if (size > BigInt(BLOB_BYTES_MAX)) return fail("manifest_over_16GiB");
  const ref: ManifestRef = { kind: "manifest", uri, encoding, chunks, size: Number(size) };
  const fault = checkRef(ref);
  return fault === undefined ? succeed(ref) : fail(fault);
}

function decodeTree(body: Uint8Array): DecodedBlobRef {
  if (body.length > TREE_BODY_BYTES_MAX) return fail("tree_body_cap");
  const reader = new PostcardReader(body);
  const version = reader.u8();
  if (reader.failure === undefined && version !== BODY_VERSION) return failVersion(version);
  const uri = reader.text();
  const encoding = readEncoding(reader);
  if (encoding === undefined) return failReader(reader);
  const rootHash = reader.bytes(HASH_BYTES).slice();
  const size = reader.u64();
  const depth = reader.u8();
  if (reader.failure !== undefined) return failReader(reader);
  const ref: TreeRef = { kind: "tree", uri, encoding, rootHash, size, depth };
  const fault = checkRef(ref);
  if (fault !== undefined) return fail(fault);
  // Every level multiplies by at most 128, and no child is empty. Makers need not keep this one.
  if (depth >= 2 && size < BigInt(TREE_FAN_OUT) ** BigInt(depth - 1)) {
    return fail("tree_depth_size_lower_bound");
  }
  return succeed(ref);
}

/** The limits that hold for makers and readers alike. */
function checkRef(ref: BlobRef): BlobRefFault | undefined {
  if (ref.kind === "small") return undefined;
  if (ref.kind === "tree") {
    if (ref.size === 0n) return "tree_zero_total";
    if (ref.size > TREE_BYTES_MAX) return "tree_over_128PiB";
    return ref.depth >= 1 && ref.depth <= TREE_DEPTH_MAX ? undefined : "tree_depth_range";
  }
  const { chunks, size } = ref;
  if (chunks.length === 0 || chunks.length > MANIFEST_CHUNKS_MAX) return "manifest_chunk_count";
  let total = 0;
  for (const [i, chunk] of chunks.entries()) {
    const isLast = i === chunks.length - 1;
    if (!isLast && chunk.size !== CHUNK_BYTES) return "bad_nonlast_chunk_size";
    if (chunk.size < 1 || chunk.size > CHUNK_BYTES) return "bad_last_chunk_size";
    total += chunk.size;
  }
  if (total > BLOB_BYTES_MAX) return "manifest_over_16GiB";
  return total === size ? undefined : "manifest_total_mismatch";
}

function succeed(ref: BlobRef): DecodedBlobRef {
  return { ok: true, ref };
}

function fail(fault: BlobRefFault): DecodedBlobRef {
  return { ok: false, fault };
}

function failVersion(version: number): DecodedBlobRef {
  return { ok: false, fault: "unsupported_version", version };
}

function failReader(reader: PostcardReader): DecodedBlobRef {
  return fail(
    reader.failure === "postcard_utf8" ? "uri_not_utf8" : reader.failure ?? "postcard_eof",
  );
}
