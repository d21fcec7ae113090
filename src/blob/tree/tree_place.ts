/** Where one byte of a blob lies: the nodes on the way to it, its stripe, its chunk (`dataforts.md` 22). */
import { NetError } from "../../base/mod.ts";
import type { BlobRef } from "../blob_ref.ts";
import type { BlobEncoding } from "../encoding.ts";
import { dataChunks, type TreeNode } from "./tree_node.ts";
import { type ReadNode, walkTreeNodes } from "./tree_walk.ts";

/** The place of a byte. */
export interface BytePlace {
  /** Hashes of the nodes from the root to the leaf; empty without a tree. */
  readonly nodes: readonly Uint8Array[];
  /** What lists the chunk. */
  readonly leafKind: "small" | "manifest" | "leaf" | "erasure_leaf";
  readonly chunkHash: Uint8Array;
  readonly chunkSize: number;
  /** Byte within the chunk. */
  readonly subOffset: number;
  /** Its stripe within the leaf, and the place of the chunk there; `undefined` for a chunk without parity. */
  readonly stripe:
    | { readonly index: number; readonly encoding: BlobEncoding; readonly chunkIndex: number }
    | undefined;
}

/**
 * Finds the place of a byte; only the nodes on the way to it are read.
 *
 * @throws NetError `usage` when the blob is shorter; as `walkTreeNodes`.
 */
export async function findByte(
  ref: BlobRef,
  offset: bigint,
  readNode: ReadNode,
): Promise<BytePlace> {
  if (offset < 0n || offset >= BigInt(ref.size)) {
    throw new NetError("usage", `Cannot find byte ${offset}: the blob has ${ref.size} bytes`, {
      next: `give an offset of 0 to ${BigInt(ref.size) - 1n}`,
    });
  }
  if (ref.kind === "small") {
    const chunk = { chunkHash: ref.hash, chunkSize: ref.size, subOffset: Number(offset) };
    return { nodes: [], leafKind: "small", ...chunk, stripe: undefined };
  }
  if (ref.kind === "manifest") {
    let at = 0n;
    for (const { hash, size } of ref.chunks) {
      if (offset < at + BigInt(size)) {
        const chunk = { chunkHash: hash, chunkSize: size, subOffset: Number(offset - at) };
        return { nodes: [], leafKind: "manifest", ...chunk, stripe: undefined };
      }
      at += BigInt(size);
    }
    throw unlisted(offset);
  }
  const range = { start: offset, end: offset + 1n };
  const nodes: Uint8Array[] = [];
  for await (const { hash, node, offset: nodeOffset } of walkTreeNodes(ref, { readNode, range })) {
    nodes.push(hash);
    if (node.kind !== "internal") {
      return { nodes, ...placeInLeaf(node, Number(offset - nodeOffset)) };
    }
  }
  throw unlisted(offset);
}

/** A leaf covers 128 chunks of at most 16 MiB, so that its places are small numbers. */
function placeInLeaf(
  leaf: Exclude<TreeNode, { readonly kind: "internal" }>,
  offset: number,
): Omit<BytePlace, "nodes"> {
  const stripes = leaf.kind === "leaf" ? [undefined] : leaf.stripes;
  let at = 0;
  for (const [index, stripe] of stripes.entries()) {
    const chunks = stripe === undefined
      ? leaf.kind === "leaf" ? leaf.chunks : []
      : dataChunks(stripe);
    for (const [chunkIndex, { hash, size }] of chunks.entries()) {
      if (offset < at + size) {
        return {
          leafKind: leaf.kind,
          chunkHash: hash,
          chunkSize: size,
          subOffset: offset - at,
          stripe: stripe && { index, encoding: stripe.encoding, chunkIndex },
        };
      }
      at += size;
    }
  }
  throw unlisted(BigInt(offset));
}

function unlisted(offset: bigint): NetError {
  return new NetError("integrity", `Cannot find byte ${offset}: no chunk is listed for it`, {
    next: "fetch the blob from another node",
  });
}
