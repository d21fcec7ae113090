/**
 * Reads a blob or a range of it, whatever its reference, without a limit to its size (`dataforts.md` 5 to 7,
 * `promises.md` 53 and 54).
 *
 * Chunks are read ahead by a bounded number of bytes, verified level by level before any of their bytes is
 * handed on, and restored from parity where they are lost. That the whole has its hash is for whoever reads it
 * to its end.
 */
import { NetError, toHex } from "../../base/mod.ts";
import type { BlobRef, ManifestRef, SmallRef } from "../blob_ref.ts";
import { CHUNK_BYTES, CHUNK_BYTES_MAX } from "../limits.ts";
import type { Stripe } from "../tree/tree_node.ts";
import { type ByteRange, type NodePlace, walkTreeChunks } from "../tree/tree_walk.ts";
import { StepTurns, type WorkPool } from "../work/mod.ts";
import type { ChunkReader } from "./chunk_reader.ts";
import type { TreeNodeCache } from "./node_cache.ts";
import { readAhead, type ReadAheadItem } from "../_read_ahead.ts";
import { type OnRestored, StripeReader } from "./_stripe_reader.ts";

/** Options of {@linkcode readBlob}. */
export interface ReadBlobOptions {
  readonly reader: ChunkReader;
  /** What is near, a part of the above: parity from there is better than a chunk from elsewhere. */
  readonly near?: ChunkReader;
  /** Everything when left out. */
  readonly range?: ByteRange;
  readonly nodes?: TreeNodeCache;
  /** Chunks in work or waiting to be taken. */
  readonly aheadMax?: number;
  /** Bytes of them; one chunk is always let in. */
  readonly aheadBytes?: number;
  readonly work?: WorkPool;
  readonly onRestored?: OnRestored;
  /** Told of the bytes of each chunk when they are needed no more: when the next piece is asked for. */
  readonly onUsed?: (bytes: Uint8Array) => void;
  readonly signal?: AbortSignal;
}

/** Some bytes of a blob. */
export interface BlobPiece {
  /** Not to be changed. */
  readonly bytes: Uint8Array;
  /** Place of the first of them in the blob. */
  readonly offset: bigint;
}

/** As much as gets have on their way: eight chunks of 4 MiB, or three of 16. */
const AHEAD_MAX = 8;
const AHEAD_BYTES = 48 * 1024 * 1024;

interface WantedChunk extends ReadAheadItem {
  readonly size: number;
  /** `undefined` where only the hash counts: a Small may say anything of its size. */
  readonly exactBytes: number | undefined;
  readonly offset: bigint;
  /** The part that is wanted; what is behind the end of a Small is not there. */
  readonly from: number;
  readonly to: number;
  readonly stripe?: { readonly stripe: Stripe; readonly index: number };
  /** The leaf that lists it. */
  readonly leaf?: NodePlace;
}

/**
 * Reads the bytes of a blob in order.
 *
 * @throws RangeError when the range is not within the blob; NetError `not_found` and `integrity`, which in a tree
 * say at which depth, below which node, and which chunk or node (`data`: `depth`, `parent`, `child`); what the
 * reader throws; the signal's reason.
 *
 * @example
 * ```ts
 * import { blake3 } from "../../core/crypto/mod.ts";
 * import { readBlob } from "./read_blob.ts";
 * const bytes = new Uint8Array([1, 2, 3]);
 * const ref = { kind: "small", uri: "", hash: blake3(bytes), size: 3 } as const;
 * const reader = { read: () => Promise.resolve(bytes) };
 * const pieces = await Array.fromAsync(readBlob(ref, { reader, range: { start: 1n, end: 3n } }));
 * console.assert(pieces[0]?.bytes.join() === "2,3");
 * ```
 */
export async function* readBlob(
  ref: BlobRef,
  options: ReadBlobOptions,
): AsyncGenerator<BlobPiece, void, undefined> {
  const { reader, onUsed, signal } = options;
  const stripes = new StripeReader(options);
  const ahead = readAhead(wantedChunks(ref, options), read, {
    itemsMax: options.aheadMax ?? AHEAD_MAX,
    bytesMax: options.aheadBytes ?? AHEAD_BYTES,
    sharesTwins: onUsed === undefined,
    signal,
  });
  // A hostile tree may list the same byte a hundred million times.
  const turns = new StepTurns();
  for await (const [{ offset, from, to }, bytes] of ahead) {
    await turns.step();
    yield { bytes: bytes.subarray(from, to), offset: offset + BigInt(from) };
    onUsed?.(bytes);
  }

  async function read(wanted: WantedChunk, abort: AbortSignal): Promise<Uint8Array> {
    const { hash, exactBytes, stripe, leaf } = wanted;
    try {
      abort.throwIfAborted();
      if (stripe !== undefined) return await stripes.read(stripe.stripe, stripe.index, abort);
      const bytes = await reader.read(hash, exactBytes, abort);
      if (bytes === undefined) {
        throw new NetError("not_found", `Cannot read chunk ${toHex(hash)}: it is not there`, {
          next: "connect to a node that holds the blob, and repeat the command",
        });
      }
      if (exactBytes === undefined || bytes.length === exactBytes) return bytes;
      throw new NetError(
        "integrity",
        `Cannot read chunk ${toHex(hash)}: it has ${bytes.length} bytes, must be ${exactBytes}`,
        { next: "fetch the blob from another node" },
      );
    } catch (error) {
      if (leaf === undefined || !(error instanceof NetError) || abort.aborted) throw error;
      throw inTree(error, hash, leaf);
    }
  }
}

/** Says where in the tree it was. */
function inTree(error: NetError, hash: Uint8Array, leaf: NodePlace): NetError {
  const [parent, child, depth] = [toHex(leaf.hash), toHex(hash), leaf.depth + 1];
  return new NetError(
    error.code,
    `${error.message} (chunk ${child} at depth ${depth} of the tree, below node ${parent})`,
    { cause: error, next: error.next, data: { ...error.data, depth, parent, child } },
  );
}

async function* wantedChunks(
  ref: BlobRef,
  { reader, range, nodes, signal }: ReadBlobOptions,
): AsyncGenerator<WantedChunk> {
  if (ref.kind === "small") return yield* wantedOfSmall(ref, range);
  if (ref.kind === "manifest") return yield* wantedOfManifest(ref, range);
  const readNode = async (hash: Uint8Array) => {
    const known = nodes?.get(hash);
    if (known !== undefined) return known;
    return await reader.read(hash, undefined, signal);
  };
  const onNode = (hash: Uint8Array, bytes: Uint8Array) => nodes?.add(hash, bytes);
  const walk = walkTreeChunks(ref, { readNode, onNode, range, signal });
  for await (const { chunk, stripe, offset, from, to, leaf } of walk) {
    const { hash, size } = chunk;
    yield { hash, size, exactBytes: size, stripe, offset, from, to, leaf };
  }
}

function* wantedOfSmall(ref: SmallRef, range: ByteRange | undefined): Generator<WantedChunk> {
  const { hash } = ref;
  if (range !== undefined) checkRange(range, BigInt(ref.size));
  if (range !== undefined && range.start === range.end) return;
  const from = Number(range?.start ?? 0n);
  const to = Number(range?.end ?? CHUNK_BYTES_MAX);
  // Of unknown size as far as memory goes: as long as chunks usually are.
  const size = Math.min(ref.size > 0 ? ref.size : CHUNK_BYTES, CHUNK_BYTES_MAX);
  yield { hash, size, exactBytes: undefined, offset: 0n, from, to };
}

function* wantedOfManifest(
  ref: ManifestRef,
  range: ByteRange = { start: 0n, end: BigInt(ref.size) },
): Generator<WantedChunk> {
  checkRange(range, BigInt(ref.size));
  const [start, end] = [Number(range.start), Number(range.end)];
  if (start === end) return;
  // All but the last have the same size.
  let at = Math.floor(start / CHUNK_BYTES) * CHUNK_BYTES;
  for (const { hash, size } of ref.chunks.slice(at / CHUNK_BYTES)) {
    if (at >= end) return;
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, size)];
    yield { hash, size, exactBytes: size, offset: BigInt(at), from, to };
    at += size;
  }
}

function checkRange({ start, end }: ByteRange, size: bigint): void {
  if (start >= 0n && start <= end && end <= size) return;
  throw new RangeError(`Cannot read blob: range is ${start}..${end}, must be in 0..${size}`);
}
