/**
 * Walks a tree in the order of its payload, the whole of it or a range (`dataforts.md` 5 and 7).
 *
 * Nodes are hostile until checked: every one must have the hash, the kind and the size that its parent
 * says, so that whatever comes out lies where the reference says. At most one node of each level is held.
 */
import { equalBytes, NetError, toHex } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { TreeRef } from "../blob_ref.ts";
import { TREE_NODE_BYTES_MAX } from "../limits.ts";
import {
  dataChunks,
  decodeTreeNode,
  type LeafChunk,
  type Stripe,
  type TreeChild,
  type TreeNode,
} from "./tree_node.ts";

/** Gives the bytes of a node, `undefined` when nobody has them; they need not be checked. */
export type ReadNode = (hash: Uint8Array) => Promise<Uint8Array | undefined>;

/** A part of the payload. */
export interface ByteRange {
  /** First byte. */
  readonly start: bigint;
  /** First byte behind it. */
  readonly end: bigint;
}

/** Options of the walks. */
export interface WalkTreeOptions {
  readonly readNode: ReadNode;
  /** Told of each node that was checked; its bytes must not be changed. */
  readonly onNode?: (hash: Uint8Array, bytes: Uint8Array) => void;
  /** Everything when left out. */
  readonly range?: ByteRange;
  readonly signal?: AbortSignal;
}

/** Where in a tree a node is. */
export interface NodePlace {
  readonly hash: Uint8Array;
  /** 1 for the root. */
  readonly depth: number;
}

/** A node on the way. */
export interface WalkedNode extends NodePlace {
  readonly node: TreeNode;
  /** Place in the payload of the first byte below it. */
  readonly offset: bigint;
}

/** A chunk on the way, and the part of it that the range wants. */
export interface WalkedChunk {
  readonly chunk: LeafChunk;
  /** The stripe that protects it, and its place there; only in erasure leaves. */
  readonly stripe?: { readonly stripe: Stripe; readonly index: number };
  /** Place of its first byte in the payload. */
  readonly offset: bigint;
  /** First byte wanted, and the first behind: within the chunk. */
  readonly from: number;
  readonly to: number;
  /** The node that lists it. */
  readonly leaf: NodePlace;
}

/** A node to be read, as its parent lists it. */
interface WantedNode extends TreeChild, NodePlace {
  readonly offset: bigint;
  readonly parent: Uint8Array | undefined;
}

/**
 * The nodes that the range touches, parents before children.
 *
 * @throws RangeError when the range is not within the blob; NetError `not_found` for a node that nobody
 * has, `integrity` for one that is not what its parent says; whatever `readNode` or the signal throws.
 */
export async function* walkTreeNodes(
  ref: TreeRef,
  options: WalkTreeOptions,
): AsyncGenerator<WalkedNode> {
  const { range = { start: 0n, end: ref.size }, signal } = options;
  checkRange(ref, range);
  if (range.start === range.end) return;
  const waiting: WantedNode[] = [
    { hash: ref.rootHash, size: ref.size, depth: 1, offset: 0n, parent: undefined },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    signal?.throwIfAborted();
    const { hash, depth, offset } = next;
    const node = await readChecked(next, depth === ref.depth, options);
    yield { hash, node, depth, offset };
    if (node.kind !== "internal") continue;
    const children: WantedNode[] = [];
    let at = offset;
    for (const child of node.children) {
      const isTouched = at < range.end && at + child.size > range.start;
      if (isTouched) children.push({ ...child, depth: depth + 1, offset: at, parent: hash });
      at += child.size;
    }
    waiting.push(...children.reverse());
  }
}

/**
 * The chunks of payload that the range touches, in order.
 *
 * @throws As {@linkcode walkTreeNodes}.
 *
 * @example
 * ```ts
 * import { createTreeBuilder } from "./tree_builder.ts";
 * import { walkTreeChunks } from "./tree_walk.ts";
 * const builder = createTreeBuilder();
 * builder.addChunk({ hash: new Uint8Array(32), size: 5 });
 * const { ref, nodes } = builder.finish();
 * const readNode = () => Promise.resolve(nodes[0]?.bytes);
 * const chunks = await Array.fromAsync(
 *   walkTreeChunks(ref, { readNode, range: { start: 1n, end: 3n } }),
 * );
 * console.assert(chunks[0]?.from === 1 && chunks[0].to === 3);
 * ```
 */
export async function* walkTreeChunks(
  ref: TreeRef,
  options: WalkTreeOptions,
): AsyncGenerator<WalkedChunk> {
  const { start, end } = options.range ?? { start: 0n, end: ref.size };
  for await (const { node, hash, depth, offset: nodeOffset } of walkTreeNodes(ref, options)) {
    let offset = nodeOffset;
    for (const { chunk, stripe } of payloadChunks(node)) {
      const size = BigInt(chunk.size);
      if (offset < end && offset + size > start) {
        const from = start > offset ? Number(start - offset) : 0;
        const to = end < offset + size ? Number(end - offset) : chunk.size;
        yield { chunk, stripe, offset, from, to, leaf: { hash, depth } };
      }
      offset += size;
    }
  }
}

function* payloadChunks(node: TreeNode): Generator<Pick<WalkedChunk, "chunk" | "stripe">> {
  if (node.kind === "internal") return;
  if (node.kind === "leaf") {
    for (const chunk of node.chunks) yield { chunk };
    return;
  }
  for (const stripe of node.stripes) {
    for (const [index, chunk] of dataChunks(stripe).entries()) {
      yield { chunk, stripe: { stripe, index } };
    }
  }
}

async function readChecked(
  wanted: WantedNode,
  isLeafLevel: boolean,
  { readNode, onNode }: WalkTreeOptions,
): Promise<TreeNode> {
  const { hash, size } = wanted;
  const bytes = await readNode(hash).catch((error: unknown) => {
    if (!(error instanceof NetError)) throw error;
    const { code, message, next, data } = error;
    const place = placeOf(wanted);
    throw new NetError(code, `${message} (${place.text})`, {
      cause: error,
      next,
      data: { ...data, ...place.data },
    });
  });
  if (bytes === undefined) {
    const { text, data } = placeOf(wanted);
    throw new NetError("not_found", `Cannot read tree: ${text} is not there`, {
      next: "fetch the blob again, or connect to a node that holds it",
      data,
    });
  }
  // Length first: what is too long to be a node is not worth a hash.
  const isSame = bytes.length <= TREE_NODE_BYTES_MAX && equalBytes(blake3(bytes), hash);
  if (!isSame) throw damaged(wanted, "its bytes have another hash");
  const decoded = decodeTreeNode(bytes);
  if (!decoded.ok) throw damaged(wanted, decoded.fault);
  const { node } = decoded;
  if ((node.kind === "internal") === isLeafLevel) {
    throw damaged(wanted, isLeafLevel ? "it is no leaf" : "it is a leaf above the last level");
  }
  if (decoded.coveredBytes !== size) {
    throw damaged(wanted, `it covers ${decoded.coveredBytes} bytes, must be ${size}`);
  }
  onNode?.(hash, bytes);
  return node;
}

function damaged(wanted: WantedNode, what: string): NetError {
  const { text, data } = placeOf(wanted);
  return new NetError("integrity", `Cannot read tree: ${text} is refused: ${what}`, {
    next: "fetch the blob from another node",
    data,
  });
}

/** Where the tree broke (`promises.md` 54). */
function placeOf({ hash, depth, parent }: WantedNode) {
  const child = toHex(hash);
  const below = parent === undefined ? "the root" : `below node ${toHex(parent)}`;
  return {
    text: `node ${child} at depth ${depth}, ${below},`,
    data: { depth, parent: parent === undefined ? null : toHex(parent), child },
  };
}

function checkRange(ref: TreeRef, { start, end }: ByteRange): void {
  if (start >= 0n && start <= end && end <= ref.size) return;
  throw new RangeError(`Cannot read tree: range is ${start}..${end}, must be in 0..${ref.size}`);
}
