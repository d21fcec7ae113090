/** Reed-Solomon stripes (`dataforts.md` 6): matrices, parity bytes, trees of stripes, and repairs. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  type BuiltNode,
  type BuiltStripe,
  createStripeBuilder,
  createTreeBuilder,
  cutStream,
  encodeBlobRef,
  FIXED_CHUNKING,
  type LeafChunk,
  parityRows,
  readStripeChunk,
  repairTree,
  type Stripe,
  type StripeCode,
  type TreeRef,
  walkTreeChunks,
} from "../../../src/blob/mod.ts";
import { readerOf } from "../../blob/tree/made_trees.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  has,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import { inputSource } from "./_blob_inputs.ts";

/** Suites of this file by path. */
export const BLOB_ERASURE_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/erasure.json": () => ({ matrices: checkMatrix, cases: checkStripes }),
};

interface Built {
  readonly ref: TreeRef;
  readonly nodes: readonly BuiltNode[];
  readonly stripes: readonly Stripe[];
  /** Bytes of all chunks by hash. */
  readonly chunks: Map<string, Uint8Array>;
}

function checkMatrix(vector: VectorObject): void {
  const code = codeOf(vector);
  if (has(vector, "error")) {
    assert.throws(() => parityRows(code), RangeError);
    return;
  }
  if (has(vector, "accepted")) return assert.equal(parityRows(code).length, code.parity);
  assert.deepEqual(parityRows(code).map((row) => [...row]), listOf(vector, "parity_rows"));
}

async function checkStripes(vector: VectorObject): Promise<void> {
  const built = await build(vector);
  assert.equal(encodeBlobRef(built.ref).toHex(), textOf(vector, "ref_hex"));
  const { nodes, stripes } = vector;
  if (Array.isArray(stripes)) {
    assert.deepEqual(built.stripes.length, stripes.length);
    for (const [i, stripe] of stripes.entries()) {
      checkStripe(objectOf(stripe, "stripe"), built.stripes[i], built.chunks);
    }
  } else assert.equal(built.stripes.length, numberOf(recordOf(vector, "stripes"), "count"));
  const expected = Array.isArray(nodes) ? nodes : listOf(recordOf(vector, "nodes"), "distinct");
  const byHash = new Map(built.nodes.map((node) => [node.hash.toHex(), node]));
  assert.equal(byHash.size, expected.length);
  for (const node of expected.map((value) => objectOf(value, "node"))) {
    const made = byHash.get(textOf(node, "hash"));
    assert.deepEqual(made?.bytes, bytesOf(node, "bytes_hex"));
    assert.equal(made?.level, numberOf(node, "level"));
    assert.equal(made?.size, integerOf(node, "covered"));
  }
  if (!Array.isArray(nodes)) {
    assert.equal(built.nodes.length, numberOf(recordOf(vector, "nodes"), "count"));
  }
  if (has(vector, "repair")) await checkRepair(recordOf(vector, "repair"), built);
}

function checkStripe(
  expected: VectorObject,
  stripe: Stripe | undefined,
  bytes: ReadonlyMap<string, Uint8Array>,
): void {
  const kind = stripe?.encoding.kind === "reed_solomon" ? "rs" : "replicated";
  assert.equal(kind, textOf(expected, "encoding"));
  for (const [i, value] of listOf(expected, "chunks").entries()) {
    const wanted = objectOf(value, "chunk");
    const chunk = stripe?.chunks[i];
    assert.ok(chunk !== undefined);
    assert.equal(chunk.parityIndex === undefined ? "data" : "parity", textOf(wanted, "role"));
    assert.equal(chunk.parityIndex, wanted.stripe_index);
    assert.equal(chunk.hash.toHex(), textOf(wanted, "hash"));
    assert.equal(chunk.size, numberOf(wanted, "size"));
    const content = bytes.get(chunk.hash.toHex()) ?? new Uint8Array();
    assert.equal(content.subarray(0, 16).toHex(), textOf(wanted, "first16"));
    assert.equal(content.subarray(-16).toHex(), textOf(wanted, "last16"));
    if (has(wanted, "full_hex")) assert.deepEqual(content, bytesOf(wanted, "full_hex"));
  }
}

/** Loses data chunks, repairs; repairs again; loses one more than parity can give. */
async function checkRepair(expected: VectorObject, built: Built): Promise<void> {
  const stripe = built.stripes[0];
  assert.ok(stripe !== undefined && stripe.encoding.kind === "reed_solomon");
  const lost = stripe.chunks.slice(0, numberOf(expected, "lost_data_chunks"));
  const payload = await readAll(built);
  lose(built, lost);
  assert.deepEqual(await readAll(built), payload);
  assert.deepEqual(await repaired(built), recordOf(expected, "first"));
  assert.deepEqual(await repaired(built), recordOf(expected, "second"));
  lose(built, stripe.chunks.slice(0, stripe.encoding.parity + 1));
  await assert.rejects(readAll(built), (error) => {
    assert.ok(error instanceof NetError);
    return error.data?.reason === textOf(expected, "lost_m_plus_1");
  });
  assert.deepEqual(await repaired(built), recordOf(expected, "third"));
}

function lose({ chunks }: Built, lost: readonly LeafChunk[]): void {
  for (const { hash } of lost) chunks.delete(hash.toHex());
}

/** Hashes of the data chunks as they are read. */
async function readAll({ ref, nodes, chunks }: Built): Promise<number[]> {
  const readChunk = ({ hash }: LeafChunk) => Promise.resolve(chunks.get(hash.toHex()));
  const sums: number[] = [];
  const readNode = readerOf(nodes.map(({ bytes }) => bytes));
  for await (const { stripe } of walkTreeChunks(ref, { readNode })) {
    assert.ok(stripe !== undefined);
    const bytes = await readStripeChunk(stripe.stripe, stripe.index, { readChunk });
    sums.push(bytes.length, bytes[0] ?? 0, bytes.at(-1) ?? 0);
  }
  return sums;
}

async function repaired({ ref, nodes, chunks }: Built): Promise<Record<string, string>> {
  const report = await repairTree(ref, {
    readNode: readerOf(nodes.map(({ bytes }) => bytes)),
    readChunk: ({ hash }) => Promise.resolve(chunks.get(hash.toHex())),
    writeChunk: ({ hash }, bytes) => {
      chunks.set(hash.toHex(), bytes.slice());
      return Promise.resolve();
    },
  });
  const { parityRestored, ...counts } = report;
  assert.equal(parityRestored, 0);
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)]));
}

async function build(vector: VectorObject): Promise<Built> {
  const code = codeOf(vector);
  const stripeBuilder = createStripeBuilder(code);
  const treeBuilder = createTreeBuilder({ kind: "reed_solomon", ...code });
  const nodes: BuiltNode[] = [];
  const stripes: Stripe[] = [];
  const chunks = new Map<string, Uint8Array>();
  const addStripe = (built: BuiltStripe | undefined) => {
    if (built === undefined) return;
    stripes.push(built.stripe);
    nodes.push(...treeBuilder.addStripe(built.stripe));
    for (const { hash, bytes } of built.parity) chunks.set(hash.toHex(), bytes);
  };
  await cutStream(inputSource(recordOf(vector, "input")), {
    chunking: FIXED_CHUNKING,
    onCut: (chunk) => {
      chunks.set(chunk.hash.toHex(), chunk.bytes.slice());
      addStripe(stripeBuilder.add(chunk));
    },
    onChunk: () => Promise.resolve(),
  });
  addStripe(stripeBuilder.finish());
  const { ref, nodes: rest } = treeBuilder.finish();
  return { ref, nodes: [...nodes, ...rest], stripes, chunks };
}

function codeOf(vector: VectorObject): StripeCode {
  return { data: numberOf(vector, "k"), parity: numberOf(vector, "m") };
}
