/** References to blobs (`dataforts.md` 2) and the fixed chunking that they are made by (3). */
import assert from "node:assert/strict";
import {
  type BlobRef,
  chunkFixed,
  decodeBlobRef,
  encodeBlobRef,
  isBlobRef,
  refOfChunks,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { bytesSource } from "../../blob/sources.ts";
import type { VectorSuite } from "../suite.ts";
import { has, listOf, recordOf, textOf, type VectorObject } from "../vector_reader.ts";
import { inputOf } from "./_blob_inputs.ts";

const REF_LISTS = ["small", "manifest", "tree", "tree_from_parts", "classify"];

/** Suites of this file by path. */
export const BLOB_REF_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/blobref.json": () =>
    Object.fromEntries(
      REF_LISTS.map((list) => [list, (vector: VectorObject) => checkBlobRef(vector, list)]),
    ),
  "dataforts/fixed_chunking.json": () => ({ cases: checkFixedChunking }),
};

function checkBlobRef(vector: VectorObject, list: string): void {
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
  const expected = recordOf(vector, "decode");
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

async function checkFixedChunking(vector: VectorObject): Promise<void> {
  const chunked = await chunkFixed(bytesSource(inputOf(recordOf(vector, "input"))), {
    onChunk: () => Promise.resolve(),
  });
  const ref = refOfChunks(chunked);
  assert.equal(ref.kind, textOf(vector, "variant"));
  assert.equal(chunked.wholeHash.toHex(), vector.hash ?? vector.whole_hash);
  assert.equal(encodeBlobRef(ref).toHex(), textOf(vector, "ref_hex"));
  const cli = encodeBlobRef({ ...ref, uri: "mesh://transfer" });
  assert.equal(cli.toHex(), textOf(vector, "transfer_cli_uri_ref_hex"));
  if (!has(vector, "chunks")) return;
  const chunks = chunked.chunks.map(({ hash, size }) => ({ hash: hash.toHex(), size }));
  assert.deepEqual(chunks, listOf(vector, "chunks"));
}
