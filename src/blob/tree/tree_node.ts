/**
 * Nodes of a tree of chunks: lists of children, of chunks, and of stripes (`dataforts.md` 5).
 *
 * A node is stored as a chunk; its address is the BLAKE3 of its bytes. Bytes of a node may come from
 * anywhere: nothing is allocated for what they do not hold.
 */
import { PostcardReader, PostcardWriter } from "../../base/mod.ts";
import type { ChunkRef } from "../blob_ref.ts";
import { type BlobEncoding, readEncoding, REPLICATED, writeEncoding } from "../encoding.ts";
import { CHUNK_BYTES_MAX, HASH_BYTES, TREE_FAN_OUT, TREE_NODE_BYTES_MAX } from "../limits.ts";

/** One chunk of a leaf. */
export interface LeafChunk extends ChunkRef {
  /** Number of the parity row of its stripe; data chunks have none. Readers go by the order. */
  readonly parityIndex?: number;
}

/** Chunks that are protected together: the data, then the parity. */
export interface Stripe {
  readonly encoding: BlobEncoding;
  readonly chunks: readonly LeafChunk[];
}

/** A node below an internal one. */
export interface TreeChild {
  readonly hash: Uint8Array;
  /** Bytes of payload below it. */
  readonly size: bigint;
}

/** Any node. */
export type TreeNode =
  | { readonly kind: "internal"; readonly children: readonly TreeChild[] }
  | { readonly kind: "leaf"; readonly chunks: readonly LeafChunk[] }
  | { readonly kind: "erasure_leaf"; readonly stripes: readonly Stripe[] };

/** Why bytes are no node. */
export type TreeNodeFault =
  | "node_over_64KiB"
  | "postcard_eof"
  | "postcard_varint"
  | "postcard_utf8"
  | "postcard_enum"
  | "node_empty"
  | "node_fan_out"
  | "chunk_size"
  | "child_zero"
  | "sum_overflow"
  | "stripe_shape";

/** What decoding gives. */
export type DecodedTreeNode =
  | { readonly ok: true; readonly node: TreeNode; readonly coveredBytes: bigint }
  | { readonly ok: false; readonly fault: TreeNodeFault };

const INTERNAL = 0;
const LEAF = 1;
const ERASURE_LEAF = 2;
/** Hash and a size of at least one byte. */
const CHILD_BYTES_MIN = HASH_BYTES + 1;
/** Hash, size, role. */
const CHUNK_REF_BYTES_MIN = HASH_BYTES + 2;
/** Encoding, number of chunks. */
const STRIPE_BYTES_MIN = 2;
const SUM_MAX = (1n << 64n) - 1n;
/**
 * Decodes a node; every rule of the specification holds for the result. Hashes are copied.
 *
 * @example
 * ```ts
 * import { decodeTreeNode, encodeTreeNode } from "./tree_node.ts";
 * const chunks = [{ hash: new Uint8Array(32), size: 5 }];
 * const decoded = decodeTreeNode(encodeTreeNode({ kind: "leaf", chunks }));
 * console.assert(decoded.ok && decoded.coveredBytes === 5n);
 * ```
 */
export function decodeTreeNode(bytes: Uint8Array): DecodedTreeNode {
  if (bytes.length > TREE_NODE_BYTES_MAX) return { ok: false, fault: "node_over_64KiB" };
  const reader = new PostcardReader(bytes);
  const variant = reader.variant(3);
  const node = variant === INTERNAL
    ? readInternal(reader)
    : variant === LEAF
    ? readLeaf(reader)
    : readErasureLeaf(reader);
  if (reader.failure !== undefined) return { ok: false, fault: reader.failure };
  if (node === undefined) return { ok: false, fault: "node_fan_out" };
  const fault = checkNode(node);
  if (fault !== undefined) return { ok: false, fault };
  return { ok: true, node, coveredBytes: coveredBytes(node) };
}

/**
 * Encodes a node.
 *
 * @throws RangeError when it breaks a rule.
 */
export function encodeTreeNode(node: TreeNode): Uint8Array<ArrayBuffer> {
  const fault = checkNode(node);
  if (fault !== undefined) throw new RangeError(`Cannot encode tree node: ${fault}`);
  const writer = new PostcardWriter(8 + TREE_FAN_OUT * (HASH_BYTES + 8));
  if (node.kind === "internal") {
    writer.u8(INTERNAL).list(node.children, ({ hash, size }) => writer.bytes(hash).varint(size));
  } else if (node.kind === "leaf") {
    writer.u8(LEAF).list(node.chunks, (chunk) => writeChunk(writer, chunk));
  } else {
    writer.u8(ERASURE_LEAF).list(node.stripes, ({ encoding, chunks }) => {
      writeEncoding(writer, encoding);
      writer.list(chunks, (chunk) => writeChunk(writer, chunk));
    });
  }
  return writer.finish();
}

/** Bytes of payload that a node stands for; parity in stripes is none. */
export function coveredBytes(node: TreeNode): bigint {
  if (node.kind === "internal") return node.children.reduce((sum, { size }) => sum + size, 0n);
  const chunks = node.kind === "leaf" ? node.chunks : node.stripes.flatMap(dataChunks);
  return BigInt(chunks.reduce((sum, { size }) => sum + size, 0));
}

/** The chunks of a stripe that hold payload. */
export function dataChunks(stripe: Stripe): readonly LeafChunk[] {
  const { encoding, chunks } = stripe;
  return encoding.kind === "replicated" ? chunks : chunks.slice(0, encoding.data);
}

function readInternal(reader: PostcardReader): TreeNode | undefined {
  const children = readList(
    reader,
    CHILD_BYTES_MIN,
    () => ({ hash: reader.bytes(HASH_BYTES).slice(), size: reader.u64() }),
  );
  return children && { kind: "internal", children };
}

function readLeaf(reader: PostcardReader): TreeNode | undefined {
  const chunks = readChunks(reader);
  return chunks && { kind: "leaf", chunks };
}

function readErasureLeaf(reader: PostcardReader): TreeNode | undefined {
  let isOver = false;
  const stripes = readList(reader, STRIPE_BYTES_MIN, () => {
    const encoding = readEncoding(reader) ?? REPLICATED;
    const chunks = readChunks(reader);
    isOver ||= chunks === undefined;
    return { encoding, chunks: chunks ?? [] };
  });
  return stripes === undefined || isOver ? undefined : { kind: "erasure_leaf", stripes };
}

function readChunks(reader: PostcardReader): LeafChunk[] | undefined {
  return readList(reader, CHUNK_REF_BYTES_MIN, () => {
    const chunk = { hash: reader.bytes(HASH_BYTES).slice(), size: reader.u32() };
    return reader.variant(2) === 0 ? chunk : { ...chunk, parityIndex: reader.u8() };
  });
}

/** A list of any length that the fan-out allows; `undefined` for a longer one, which is not read. */
function readList<T>(
  reader: PostcardReader,
  itemBytesMin: number,
  read: () => T,
): T[] | undefined {
  const count = reader.count(itemBytesMin);
  if (count > TREE_FAN_OUT) return undefined;
  const items: T[] = [];
  while (items.length < count && reader.failure === undefined) items.push(read());
  return items;
}

function writeChunk(writer: PostcardWriter, { hash, size, parityIndex }: LeafChunk): void {
  writer.bytes(hash).varint(size);
  if (parityIndex === undefined) writer.u8(0);
  else writer.u8(1).u8(parityIndex);
}

function checkNode(node: TreeNode): TreeNodeFault | undefined {
  if (node.kind === "internal") return checkChildren(node.children);
  if (node.kind === "leaf") return checkChunks(node.chunks);
  if (node.stripes.length === 0) return "node_empty";
  const shapes = node.stripes.map(checkStripe);
  const chunks = node.stripes.flatMap((stripe) => stripe.chunks);
  if (chunks.length > TREE_FAN_OUT) return "node_fan_out";
  return shapes.find((fault) => fault !== undefined) ?? checkChunks(chunks);
}

function checkChildren(children: readonly TreeChild[]): TreeNodeFault | undefined {
  if (children.length === 0) return "node_empty";
  if (children.length > TREE_FAN_OUT) return "node_fan_out";
  if (children.some(({ size }) => size <= 0n)) return "child_zero";
  const sum = children.reduce((total, { size }) => total + size, 0n);
  return sum > SUM_MAX ? "sum_overflow" : undefined;
}

function checkChunks(chunks: readonly LeafChunk[]): TreeNodeFault | undefined {
  if (chunks.length === 0) return "node_empty";
  if (chunks.length > TREE_FAN_OUT) return "node_fan_out";
  return chunks.every(({ size }) => size >= 1 && size <= CHUNK_BYTES_MAX)
    ? undefined
    : "chunk_size";
}

/** Without data there would be nothing to read; without parity a stripe is read like copies. */
function checkStripe({ encoding, chunks }: Stripe): TreeNodeFault | undefined {
  const isParity = (chunk: LeafChunk) => chunk.parityIndex !== undefined;
  if (encoding.kind === "replicated") {
    return chunks.length === 0 || chunks.some(isParity) ? "stripe_shape" : undefined;
  }
  const { data, parity } = encoding;
  if (data < 1 || chunks.length !== data + parity) return "stripe_shape";
  const isOrdered = chunks.every((chunk, i) => isParity(chunk) === i >= data);
  return isOrdered ? undefined : "stripe_shape";
}
