/** Trees over made-up chunks, for tests. */
import {
  type BlobEncoding,
  type BuiltNode,
  type ChunkRef,
  createTreeBuilder,
  type ReadNode,
  type TreeRef,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { utf8 } from "../../../src/base/mod.ts";

/** A tree and its nodes by hash. */
export interface MadeTree {
  readonly ref: TreeRef;
  readonly nodes: readonly BuiltNode[];
  readonly readNode: ReadNode;
}

/** So many chunks, of sizes 1 to 9. */
export function madeChunks(count: number): ChunkRef[] {
  return Array.from(
    { length: count },
    (_, i) => ({ hash: blake3(utf8(`chunk ${i}`)), size: 1 + i * 7 % 9 }),
  );
}

/** The tree over them. */
export function treeOf(chunks: readonly ChunkRef[], encoding?: BlobEncoding): MadeTree {
  const builder = createTreeBuilder(encoding);
  const nodes = chunks.flatMap((chunk) => builder.addChunk(chunk));
  const built = builder.finish();
  nodes.push(...built.nodes);
  return { ref: built.ref, nodes, readNode: readerOf(nodes.map(({ bytes }) => bytes)) };
}

/** Reads nodes from their encoded forms. */
export function readerOf(nodes: readonly Uint8Array[]): ReadNode {
  const byHash = new Map(nodes.map((bytes) => [blake3(bytes).toHex(), bytes]));
  return (hash) => Promise.resolve(byHash.get(hash.toHex()));
}
