/** Blobs, chunks and what keeps them, as answers show them. */
import * as v from "../../schema/mod.ts";
import { toHex } from "../../base/mod.ts";
import {
  type BlobEncoding,
  type BlobRecord,
  type BytePlace,
  type ChunkExplanation,
  type ChunkHold,
  type ChunkRecord,
  decodeBlobRef,
  formatAddress,
} from "../../blob/mod.ts";
import type { BlobFacts } from "../../services/mod.ts";

/** An address, a chunk's hash, or a reference. */
export const BLOB_TARGET = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000_000));

/** A hash as it is typed. */
export function describeHash(hash: Uint8Array): string {
  return formatAddress(hash);
}

/** A blob as the ledger has it. */
export function describeRecord(record: BlobRecord) {
  return {
    address: formatAddress(record.address),
    blob_ref: toHex(record.blobRef),
    size: record.size,
    chunks: record.chunkCount,
    created_at: timeOf(record.createdAtMs),
    pinned: record.isPinned,
    label: record.label,
    kind: record.kind,
    origin: record.origin,
    ...describeForm(record.blobRef),
  };
}

/** What a reference is: its form, how its chunks are protected, levels of its tree. */
export function describeForm(blobRef: Uint8Array) {
  const decoded = decodeBlobRef(blobRef);
  if (!decoded.ok) return { form: "unknown", encoding: null, depth: null };
  const { ref } = decoded;
  const encoding = ref.kind === "small" ? "replicated" : describeEncoding(ref.encoding);
  return { form: ref.kind, encoding, depth: ref.kind === "tree" ? ref.depth : null };
}

/** A chunk of a listing. */
export function describeChunk(chunk: ChunkRecord) {
  return {
    hash: toHex(chunk.hash),
    size: chunk.size,
    first_seen: timeOf(chunk.firstSeenMs),
    last_seen: timeOf(chunk.lastSeenMs),
    pinned: chunk.isPinned,
  };
}

/** Where a byte lies. */
export function describePlace({ nodes, leafKind, stripe, ...place }: BytePlace) {
  return {
    manifest_path: nodes.map(toHex),
    leaf_kind: leafKind,
    stripe_index: stripe?.index ?? null,
    stripe_encoding: stripe === undefined ? null : describeEncoding(stripe.encoding),
    chunk_hash: toHex(place.chunkHash),
    chunk_size: place.chunkSize,
    chunk_role: stripe === undefined ? "data" : `data ${stripe.chunkIndex}`,
    sub_offset: place.subOffset,
  };
}

/** What keeps a blob and a chunk. */
export function describeKeeping({ blob, chunk }: BlobFacts) {
  return {
    blob: blob === undefined ? null : {
      address: formatAddress(blob.record.address),
      label: blob.record.label,
      kind: blob.record.kind,
      origin: blob.record.origin,
      pinned: blob.record.isPinned,
      chunks: blob.state.chunks,
      chunks_present: blob.state.present,
      holds: blob.state.holds.map(describeHold),
    },
    chunk: chunk === undefined ? null : describeExplanation(chunk),
  };
}

function describeExplanation(chunk: ChunkExplanation) {
  return {
    ...describeChunk(chunk),
    refcount: chunk.refcount,
    /** Strongest first; empty when the next collection takes it. */
    reasons: chunk.reasons,
    referenced_by: chunk.referrers.map(({ address, isPinned }) => ({
      address: formatAddress(address),
      pinned: isPinned,
    })),
    holds: chunk.holds.map(describeHold),
    stripes: chunk.stripes.map(({ address, stripe, dataChunks, chunks, present }) => ({
      address: formatAddress(address),
      stripe,
      data_chunks: dataChunks,
      chunks,
      present,
    })),
    fresh_until: timeOf(chunk.freshUntilMs),
  };
}

function describeHold({ owner, reason, expiresAtMs }: ChunkHold) {
  return { owner, reason, until: expiresAtMs === undefined ? null : timeOf(expiresAtMs) };
}

function describeEncoding(encoding: BlobEncoding): string {
  return encoding.kind === "replicated"
    ? encoding.kind
    : `${encoding.kind} ${encoding.data}+${encoding.parity}`;
}

function timeOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
