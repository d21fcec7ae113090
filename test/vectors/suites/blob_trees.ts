/** Trees of chunks (`dataforts.md` 5): every node of real ones, and nodes that must be refused. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  type BuiltNode,
  createTreeBuilder,
  cutStream,
  decodeTreeNode,
  encodeBlobRef,
  encodeTreeNode,
  FIXED_CHUNKING,
  REPLICATED,
  type TreeRef,
  walkTreeChunks,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";
import { inputOf, inputSource } from "./_blob_inputs.ts";

/** Suites of this file by path. */
export const BLOB_TREE_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/tree.json": () => ({ cases: checkTree }),
  "dataforts/tree_node_validation.json": (document) => {
    const chunk = objectOf(valueAt(document, "data_chunk"), "data_chunk");
    return { cases: (vector) => checkNode(vector, inputOf(recordOf(chunk, "input"))) };
  },
};

async function checkTree(vector: VectorObject): Promise<void> {
  const builder = createTreeBuilder();
  const nodes: BuiltNode[] = [];
  await cutStream(inputSource(recordOf(vector, "input")), {
    chunking: FIXED_CHUNKING,
    onCut: (chunk) => void nodes.push(...builder.addChunk(chunk)),
    onChunk: () => Promise.resolve(),
  });
  const built = builder.finish();
  nodes.push(...built.nodes);
  assert.equal(encodeBlobRef(built.ref).toHex(), textOf(vector, "ref_hex"));
  const expected = listOf(vector, "nodes").map((node) => objectOf(node, "node"));
  assert.equal(nodes.length, expected.length);
  for (const [i, node] of expected.entries()) {
    const made = nodes[i];
    assert.ok(made !== undefined);
    const bytes = bytesOf(node, "bytes_hex");
    assert.deepEqual(made.bytes, bytes);
    assert.equal(made.hash.toHex(), textOf(node, "hash"));
    assert.equal(made.level, numberOf(node, "level"));
    assert.equal(made.size, integerOf(node, "covered"));
    const decoded = decodeTreeNode(bytes);
    assert.ok(decoded.ok);
    assert.deepEqual(encodeTreeNode(decoded.node), bytes);
  }
  await checkWalk(vector, built.ref, nodes);
}

async function checkWalk(vector: VectorObject, ref: TreeRef, nodes: readonly BuiltNode[]) {
  const byHash = new Map(nodes.map(({ hash, bytes }) => [hash.toHex(), bytes]));
  const readNode = (hash: Uint8Array) => Promise.resolve(byHash.get(hash.toHex()));
  const walked = (await Array.fromAsync(walkTreeChunks(ref, { readNode })))
    .map(({ chunk: { hash, size } }) => ({ hash: hash.toHex(), size }));
  assert.equal(walked.length, numberOf(vector, "chunk_count"));
  const chunks = vector.chunks;
  if (Array.isArray(chunks)) return assert.deepEqual(walked, chunks);
  assert.deepEqual([walked[0], walked.at(-1)], [
    recordOf(recordOf(vector, "chunks"), "first"),
    recordOf(recordOf(vector, "chunks"), "last"),
  ]);
}

/** As the vectors were made: a node and its chunk are stored, and the first eight bytes are read. */
async function checkNode(vector: VectorObject, data: Uint8Array): Promise<void> {
  const leaf = Uint8Array.fromHex(`0101${blake3(data).toHex()}e80700`);
  const root = has(vector, "node_hex") ? bytesOf(vector, "node_hex") : describedNode(vector, data);
  assert.equal(root.length, numberOf(vector, "node_len"));
  const nodes = new Map([leaf, root].map((bytes) => [blake3(bytes).toHex(), bytes]));
  const ref: TreeRef = {
    kind: "tree",
    uri: "mesh://t",
    encoding: REPLICATED,
    rootHash: blake3(root),
    size: integerOf(vector, "total"),
    depth: numberOf(vector, "depth"),
  };
  const expected = recordOf(vector, "result");
  const read: number[] = [];
  const failure = await (async () => {
    const range = { start: 0n, end: ref.size < 8n ? ref.size : 8n };
    const readNode = (hash: Uint8Array) => Promise.resolve(nodes.get(hash.toHex()));
    for await (const { chunk, from, to } of walkTreeChunks(ref, { readNode, range })) {
      // Length is checked by whoever reads the chunk; here it is what was declared.
      if (chunk.size !== data.length) return "short_chunk";
      read.push(...data.subarray(from, to));
    }
    return undefined;
  })().catch((error) => {
    assert.ok(error instanceof NetError && error.code === "integrity", String(error));
    const decoded = decodeTreeNode(root);
    assert.ok(!decoded.ok);
    return decoded.fault === "stripe_shape" ? "stripe_shape" : "tree_node_decode";
  });
  assert.equal(failure, booleanOf(expected, "ok") ? undefined : textOf(expected, "error"));
  if (failure === undefined) assert.equal(new Uint8Array(read).toHex(), textOf(expected, "hex"));
}

/** Nodes too long for the file: one entry, so many times. */
function describedNode(vector: VectorObject, data: Uint8Array): Uint8Array {
  const hash = blake3(data).toHex();
  const leafHash = blake3(Uint8Array.fromHex(`0101${hash}e80700`)).toHex();
  const name = textOf(vector, "name");
  const chunk = `${hash}e80700`;
  if (name === "leaf_128") return Uint8Array.fromHex(`018001${chunk.repeat(128)}`);
  if (name === "internal_129") {
    return Uint8Array.fromHex(`008101${`${leafHash}e807`.repeat(129)}`);
  }
  return Uint8Array.fromHex(`0201008101${chunk.repeat(129)}`);
}
