import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../src/base/mod.ts";
import {
  createTreeBuilder,
  encodeTreeNode,
  type TreeNode,
  type TreeRef,
  walkTreeChunks,
  walkTreeNodes,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { madeChunks, readerOf, treeOf } from "./made_trees.ts";

const CHUNK = { hash: new Uint8Array(32).fill(9), size: 200 };
const code = (expected: string) => (error: unknown) =>
  error instanceof NetError && error.code === expected && error.next !== undefined;

/** Walks a hand-made tree to its end. */
async function walk(nodes: readonly TreeNode[], size: bigint, depth: number): Promise<number> {
  const encoded = nodes.map(encodeTreeNode);
  const root = encoded.at(-1);
  assert.ok(root !== undefined);
  const ref: TreeRef = {
    kind: "tree",
    uri: "",
    encoding: { kind: "replicated" },
    rootHash: blake3(root),
    size,
    depth,
  };
  let chunks = 0;
  for await (const _ of walkTreeChunks(ref, { readNode: readerOf(encoded) })) chunks += 1;
  return chunks;
}

const childOf = (node: TreeNode, size: bigint) => ({ hash: blake3(encodeTreeNode(node)), size });

Deno.test("createTreeBuilder() groups by 128 until one node is left", async () => {
  for (const [count, depth] of [[1, 1], [128, 1], [129, 2], [16_384, 2], [16_385, 3]] as const) {
    const chunks = madeChunks(count);
    const { ref, nodes, readNode } = treeOf(chunks);
    assert.equal(ref.depth, depth, String(count));
    assert.equal(nodes.at(-1)?.hash, ref.rootHash);
    const walked: unknown[] = [];
    let at = 0n;
    for await (const { chunk, offset, from, to } of walkTreeChunks(ref, { readNode })) {
      assert.equal(offset, at);
      assert.deepEqual([from, to], [0, chunk.size]);
      at += BigInt(chunk.size);
      walked.push(chunk);
    }
    assert.deepEqual(walked, chunks);
    assert.equal(at, ref.size);
    // Every node is met once: nothing was stored in vain.
    const met = await Array.fromAsync(walkTreeNodes(ref, { readNode }));
    assert.equal(met.length, nodes.length);
  }
});

Deno.test("createTreeBuilder() makes one leaf of each stripe and of the chunks between them", () => {
  const [a, b, c] = madeChunks(3);
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const builder = createTreeBuilder();
  assert.deepEqual(builder.addChunk(a), []);
  const nodes = builder.addStripe({ encoding: { kind: "replicated" }, chunks: [b, c] });
  assert.deepEqual(nodes.map(({ size }) => size), [a.size, b.size + c.size].map(BigInt));
  assert.equal(builder.finish().ref.size, BigInt(a.size + b.size + c.size));
  assert.throws(() => createTreeBuilder().finish(), RangeError);
});

Deno.test("walkTreeChunks() gives exactly the bytes of a range and reads no node beside it", async () => {
  const chunks = madeChunks(700);
  const { ref, readNode } = treeOf(chunks);
  const total = Number(ref.size);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: total }), fc.nat({ max: total }), async (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      let at = start;
      let reads = 0;
      const range = { start: BigInt(start), end: BigInt(end) };
      const counting = (hash: Uint8Array) => {
        reads += 1;
        return readNode(hash);
      };
      for await (
        const { offset, from, to } of walkTreeChunks(ref, { readNode: counting, range })
      ) {
        assert.equal(Number(offset) + from, at);
        assert.ok(to > from);
        at += to - from;
      }
      assert.equal(at, end);
      const leafBytes = 128 * 5;
      assert.ok(reads <= 2 + Math.ceil((end - start) / leafBytes) + 1);
      if (start === end) assert.equal(reads, 0);
    }),
  );
});

Deno.test("walkTreeChunks() refuses ranges that are not within the blob", async () => {
  const { ref, readNode } = treeOf(madeChunks(3));
  for (const range of [{ start: 2n, end: 1n }, { start: 0n, end: ref.size + 1n }]) {
    const walk = walkTreeChunks(ref, { readNode, range });
    await assert.rejects(walk.next(), RangeError);
  }
});

Deno.test("walkTreeNodes() refuses nodes that are not what their parent says", async () => {
  const leaf: TreeNode = { kind: "leaf", chunks: [CHUNK] };
  const above: TreeNode = { kind: "internal", children: [childOf(leaf, 200n)] };
  assert.equal(await walk([leaf, above], 200n, 2), 1);
  // Sizes that do not add up, at the root and below it.
  await assert.rejects(walk([leaf, above], 201n, 2), code("integrity"));
  const lying: TreeNode = { kind: "internal", children: [childOf(leaf, 300n)] };
  await assert.rejects(walk([leaf, lying], 300n, 2), code("integrity"));
  // Leaves too high and too low.
  await assert.rejects(walk([leaf], 200n, 2), code("integrity"));
  await assert.rejects(walk([leaf, above], 200n, 1), code("integrity"));
  const top: TreeNode = { kind: "internal", children: [childOf(above, 200n), childOf(leaf, 200n)] };
  await assert.rejects(walk([leaf, above, top], 400n, 3), code("integrity"));
  // A node that is not there.
  await assert.rejects(walk([above], 200n, 2), code("not_found"));
});

Deno.test("walkTreeNodes() refuses bytes with another hash, however long", async () => {
  const { ref } = treeOf(madeChunks(3));
  const other = encodeTreeNode({ kind: "leaf", chunks: [CHUNK] });
  for (const bytes of [other, new Uint8Array(0), new Uint8Array(70_000)]) {
    const walk = walkTreeChunks(ref, { readNode: () => Promise.resolve(bytes) });
    await assert.rejects(walk.next(), code("integrity"));
  }
});

Deno.test("walkTreeNodes() stops at the signal", async () => {
  const { ref, readNode } = treeOf(madeChunks(300));
  const abort = new AbortController();
  const walk = walkTreeNodes(ref, { readNode, signal: abort.signal });
  await walk.next();
  abort.abort(new Error("enough"));
  await assert.rejects(walk.next(), /enough/);
});
