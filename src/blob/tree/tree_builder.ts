/**
 * Builds a tree over chunks that come one after the other (`dataforts.md` 5): leaves of 128 in order, then
 * groups of 128 nodes on every level until one root remains.
 *
 * Holds at most 128 entries for each level, however long the stream is. Nothing is stored here: every
 * call gives the nodes that it completed, and each must be stored as a chunk.
 */
import { NetError, toHex } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { ChunkRef, TreeRef } from "../blob_ref.ts";
import { type BlobEncoding, REPLICATED } from "../encoding.ts";
import { TREE_BYTES_MAX, TREE_DEPTH_MAX, TREE_FAN_OUT } from "../limits.ts";
import {
  coveredBytes,
  encodeTreeNode,
  type Stripe,
  type TreeChild,
  type TreeNode,
} from "./tree_node.ts";

/** A node that is complete. */
export interface BuiltNode extends TreeChild {
  /** Encoded; its address is `hash`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** 0 for leaves. */
  readonly level: number;
}

/** The end of a tree. */
export interface BuiltTree {
  readonly ref: TreeRef;
  /** The nodes that were still open. */
  readonly nodes: readonly BuiltNode[];
}

/** A tree in the making; what is added must be in the order of the payload. */
export interface TreeBuilder {
  /** Adds a chunk to the plain leaf that is open. */
  addChunk(chunk: ChunkRef): readonly BuiltNode[];
  /** Adds a stripe, which is a leaf of its own. */
  addStripe(stripe: Stripe): readonly BuiltNode[];
  /**
   * Ends the tree.
   *
   * @throws RangeError when nothing was added.
   */
  finish(): BuiltTree;
}

/**
 * Starts a tree.
 *
 * @param encoding What the reference says; stripes have their own.
 *
 * @example
 * ```ts
 * import { createTreeBuilder } from "./tree_builder.ts";
 * const builder = createTreeBuilder();
 * builder.addChunk({ hash: new Uint8Array(32), size: 5 });
 * const { ref, nodes } = builder.finish();
 * console.assert(ref.depth === 1 && ref.size === 5n && nodes.length === 1);
 * ```
 */
export function createTreeBuilder(encoding: BlobEncoding = REPLICATED): TreeBuilder {
  return new LevelledBuilder(encoding);
}

class LevelledBuilder implements TreeBuilder {
  readonly #encoding: BlobEncoding;
  /** Chunks of the leaf that is open. */
  #chunks: ChunkRef[] = [];
  /** Nodes without a parent, by level; leaves are level 0. */
  readonly #orphans: TreeChild[][] = Array.from({ length: TREE_DEPTH_MAX }, () => []);
  #bytes = 0n;

  constructor(encoding: BlobEncoding) {
    this.#encoding = encoding;
  }

  addChunk({ hash, size }: ChunkRef): BuiltNode[] {
    this.#chunks.push({ hash, size });
    return this.#chunks.length < TREE_FAN_OUT ? [] : this.#closeLeaf();
  }

  addStripe(stripe: Stripe): BuiltNode[] {
    const nodes = this.#closeLeaf();
    this.#place({ kind: "erasure_leaf", stripes: [stripe] }, 0, nodes);
    return nodes;
  }

  finish(): BuiltTree {
    const nodes = this.#closeLeaf();
    for (let level = 0; level < TREE_DEPTH_MAX; level++) {
      const siblings = this.#orphans[level] ?? [];
      const isTop = this.#orphans.slice(level + 1).every((above) => above.length === 0);
      const [root, second] = siblings;
      if (isTop && root !== undefined && second === undefined) {
        return { ref: this.#refTo(root, level + 1), nodes };
      }
      if (siblings.length > 0) this.#closeLevel(level, nodes);
    }
    throw new RangeError("Cannot build tree: there is no chunk");
  }

  #closeLeaf(): BuiltNode[] {
    const nodes: BuiltNode[] = [];
    if (this.#chunks.length === 0) return nodes;
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#place({ kind: "leaf", chunks }, 0, nodes);
    return nodes;
  }

  #closeLevel(level: number, nodes: BuiltNode[]): void {
    const children = this.#orphans[level] ?? [];
    this.#orphans[level] = [];
    this.#place({ kind: "internal", children }, level + 1, nodes);
  }

  #place(node: TreeNode, level: number, nodes: BuiltNode[]): void {
    const size = coveredBytes(node);
    if (level === 0) this.#bytes += size;
    const orphans = this.#orphans[level];
    // The highest level has room for the root alone.
    const isFull = orphans === undefined || (level + 1 === TREE_DEPTH_MAX && orphans.length > 0);
    if (isFull || this.#bytes > TREE_BYTES_MAX) {
      throw new NetError("limit", "Cannot build tree: it has more chunks than four levels hold", {
        next: "cut larger chunks, or split the payload",
      });
    }
    const bytes = encodeTreeNode(node);
    const hash = blake3(bytes);
    nodes.push({ bytes, hash, level, size });
    orphans.push({ hash, size });
    if (orphans.length === TREE_FAN_OUT) this.#closeLevel(level, nodes);
  }

  #refTo(root: TreeChild, depth: number): TreeRef {
    return {
      kind: "tree",
      uri: `mesh://${toHex(root.hash)}`,
      encoding: this.#encoding,
      rootHash: root.hash,
      size: root.size,
      depth,
    };
  }
}
