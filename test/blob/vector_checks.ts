/**
 * What each vector file of blobs demands; shared by the unit tests and the vector runner. Every check
 * returns the number of cases it ran and throws on the first that fails.
 */
import assert from "node:assert/strict";
import {
  type BlobRef,
  chunkFixed,
  decodeBlobRef,
  decodeTransferHeader,
  decodeTransferRequest,
  encodeBlobRef,
  encodeTransferHeader,
  encodeTransferRequest,
  isBlobRef,
  isTransferStreamId,
  refOfChunks,
  transferStreamId,
} from "../../src/blob/mod.ts";
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { blake3, blake3Xof } from "../../src/core/crypto/mod.ts";
import { utf8 } from "../../src/base/mod.ts";
import { bytesSource } from "./sources.ts";

type Json = Readonly<Record<string, unknown>>;

/** Vector file, relative to the vector folder, to its check. */
export const BLOB_VECTOR_CHECKS: Readonly<
  Record<string, (document: unknown) => number | Promise<number>>
> = {
  "dataforts/blobref.json": checkBlobRefs,
  "dataforts/fixed_chunking.json": checkFixedChunking,
  "dataforts/transfer.json": checkTransfer,
  "dataforts/transfer_vectors_golden.json": checkTransferGolden,
};

function checkBlobRefs(document: unknown): number {
  let count = 0;
  for (const list of ["small", "manifest", "tree", "tree_from_parts", "classify"]) {
    for (const vector of listOf(document, list)) {
      checkBlobRef(vector, list);
      count += 1;
    }
  }
  return count;
}

function checkBlobRef(vector: Json, list: string): void {
  const name = String(vector.name);
  if (list === "tree_from_parts" && vector.encoded_hex === undefined) {
    const ref: BlobRef = {
      kind: "tree",
      uri: String(vector.uri),
      encoding: { kind: "replicated" },
      rootHash: new Uint8Array(32),
      size: BigInt(String(vector.total)),
      depth: Number(vector.depth),
    };
    assert.throws(() => encodeBlobRef(ref), new RegExp(String(vector.error)), name);
    return;
  }
  const bytes = typeof (vector.encoded_hex ?? vector.hex) === "string"
    ? Uint8Array.fromHex(String(vector.encoded_hex ?? vector.hex))
    : generated(name);
  if (bytes === undefined) return;
  if (vector.encoded_len !== undefined) assert.equal(bytes.length, vector.encoded_len, name);
  if (vector.encoded_blake3 !== undefined) {
    assert.equal(blake3(bytes).toHex(), vector.encoded_blake3, name);
  }
  const expected = recordOf(vector.decode);
  const decoded = decodeBlobRef(bytes);
  if (!decoded.ok) {
    const { fault, version } = decoded;
    const text = version === undefined ? fault : `${fault}:${version}`;
    assert.equal(text, expected.error, name);
    assert.equal(isBlobRef(bytes), fault !== "not_a_blob_ref", name);
    return;
  }
  const { ref } = decoded;
  assert.equal(expected.ok, true, name);
  assert.equal(isBlobRef(bytes), true, name);
  assert.equal(ref.uri, expected.uri, name);
  assert.equal(String(ref.size), expected.size, name);
  assert.equal({ small: 1, manifest: 2, tree: 3 }[ref.kind], expected.version, name);
  if (ref.kind === "small" && expected.hash !== undefined) {
    assert.equal(ref.hash.toHex(), expected.hash, name);
  }
  if (ref.kind === "tree") assert.equal(ref.depth, expected.tree_depth, name);
  if (ref.kind === "tree" && expected.tree_root !== undefined) {
    assert.equal(ref.rootHash.toHex(), expected.tree_root, name);
  }
  const isSame = encodeBlobRef(ref).toHex() === bytes.toHex();
  assert.equal(isSame, expected.reencode_same ?? true, name);
}

/** Bytes of the cases that are described instead of listed. */
function generated(name: string): Uint8Array | undefined {
  const full = 4 * 1024 * 1024;
  const chunks = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ hash: new Uint8Array(32).fill(i), size: full }));
  const cap: BlobRef = {
    kind: "manifest",
    uri: "m",
    encoding: { kind: "replicated" },
    chunks: chunks(4096),
    size: full * 4096,
  };
  if (name === "cap_4096_chunks_16GiB") return encodeBlobRef(cap);
  if (name === "over_16GiB") {
    // No maker may encode it, so the count, one entry and the total are put in by hand.
    const encoded = encodeBlobRef(cap);
    const total = Uint8Array.fromHex("8180808040");
    const entry = new Uint8Array([...new Uint8Array(32).fill(1), 1]);
    const result = new Uint8Array([...encoded.subarray(0, -5), ...entry, ...total]);
    result.set(Uint8Array.fromHex("8120"), 9);
    return result;
  }
  if (name === "over_wire_cap") {
    const one = encodeBlobRef({ ...cap, chunks: chunks(1), size: full });
    return new Uint8Array([...one, ...new Uint8Array(417_824)]);
  }
  return undefined;
}

async function checkFixedChunking(document: unknown): Promise<number> {
  const cases = listOf(document, "cases");
  for (const vector of cases) {
    const name = String(vector.name);
    const chunked = await chunkFixed(bytesSource(inputOf(recordOf(vector.input))), {
      onChunk: () => Promise.resolve(),
    });
    const ref = refOfChunks(chunked);
    assert.equal(ref.kind, vector.variant, name);
    assert.equal(chunked.wholeHash.toHex(), vector.hash ?? vector.whole_hash, name);
    assert.equal(encodeBlobRef(ref).toHex(), vector.ref_hex, name);
    const cli = encodeBlobRef({ ...ref, uri: "mesh://transfer" });
    assert.equal(cli.toHex(), vector.transfer_cli_uri_ref_hex, name);
    if (vector.chunks !== undefined) {
      const chunks = chunked.chunks.map(({ hash, size }) => ({ hash: hash.toHex(), size }));
      assert.deepEqual(chunks, vector.chunks, name);
    }
  }
  return cases.length;
}

function checkTransfer(document: unknown): number {
  let count = 0;
  for (const { nonce, stream_id } of listOf(document, "stream_ids")) {
    assert.equal(transferStreamId(BigInt(String(nonce))), BigInt(String(stream_id)));
    count += 1;
  }
  for (const { stream_id, is_transfer } of listOf(document, "is_transfer")) {
    assert.equal(isTransferStreamId(BigInt(String(stream_id))), is_transfer, String(stream_id));
    count += 1;
  }
  for (const { hex, decode } of listOf(document, "header_decode")) {
    const header = decodeTransferHeader(Uint8Array.fromHex(String(hex)));
    const expected = recordOf(decode);
    count += 1;
    assert.equal(header !== undefined, expected.ok, String(hex));
    if (header === undefined) continue;
    assert.equal(header.isFound, expected.found, String(hex));
    assert.equal(header.isFound ? String(header.totalBytes) : null, expected.total_len);
  }
  for (const { hex, decode } of listOf(document, "control_decode")) {
    const hash = decodeTransferRequest(Uint8Array.fromHex(String(hex)));
    assert.equal(hash?.toHex(), recordOf(decode).hash, String(hex));
    count += 1;
  }
  return count;
}

function checkTransferGolden(document: unknown): number {
  const requests = listOf(document, "transfer_control");
  for (const { fields, postcard_hex } of requests) {
    const hash = Uint8Array.fromHex(String(recordOf(fields).hash));
    assert.equal(encodeTransferRequest(hash).toHex(), postcard_hex);
  }
  const headers = listOf(document, "transfer_header");
  for (const { fields, postcard_hex } of headers) {
    const { kind, total_len } = recordOf(fields);
    // 2^64-1 does not survive JSON numbers; what the bytes say must encode to the same bytes.
    const bytes = Uint8Array.fromHex(String(postcard_hex));
    const header = decodeTransferHeader(bytes);
    assert.ok(header !== undefined && header.isFound === (kind === "found"));
    if (header.isFound) assert.equal(Number(header.totalBytes), Number(total_len));
    assert.equal(encodeTransferHeader(header).toHex(), postcard_hex);
  }
  return requests.length + headers.length;
}

/** Input of a case, by the generators of the vectors' own page. */
export function inputOf(input: Json): Uint8Array {
  const length = Number(input.length ?? 0);
  if (input.kind === "hex") return Uint8Array.fromHex(String(input.hex));
  if (input.kind === "utf8") return utf8(String(input.text));
  if (input.kind === "const") return new Uint8Array(length).fill(Number(input.value));
  if (input.kind === "affine") {
    return Uint8Array.from({ length }, (_, i) => i * Number(input.mul) + Number(input.add));
  }
  if (input.kind === "b3xof") return extendedOutput(utf8(String(input.seed)), length);
  throw new TypeError(`No generator ${String(input.kind)}`);
}

/** BLAKE3 extended output of any length, from the reference. */
function extendedOutput(seed: Uint8Array, length: number): Uint8Array {
  if (length <= 1 << 20) return blake3Xof(seed, length);
  return nobleBlake3(seed, { dkLen: length });
}

function recordOf(value: unknown): Json {
  assert.ok(typeof value === "object" && value !== null);
  return value as Json;
}

function listOf(document: unknown, key: string): readonly Json[] {
  const list = recordOf(document)[key] ?? [];
  assert.ok(Array.isArray(list));
  return list.map(recordOf);
}
