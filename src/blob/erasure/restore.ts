/**
 * Reads chunks of a stripe whose bytes are lost, from the others (`dataforts.md` 6).
 *
 * Survivors are read several at once and added up one after the other, so that besides the result only a few
 * of them are held.
 */
import { equalBytes, NetError, toHex } from "../../base/mod.ts";
import type { LeafChunk, Stripe } from "../tree/tree_node.ts";
import { inlineWork, type WorkPool } from "../work/mod.ts";
import { restoringRows, type StripeCode } from "./matrix.ts";

/**
 * Gives the bytes of a chunk, whose hash was verified; `undefined` when they are lost, or damaged, or of
 * another length.
 */
export type ReadStripeChunk = (chunk: LeafChunk) => Promise<Uint8Array | undefined>;

/** Options of reads from stripes. */
export interface ReadStripeOptions {
  /** Called for several chunks at once. */
  readonly readChunk: ReadStripeChunk;
  /** Who adds up; all is done in line when left out. */
  readonly work?: WorkPool;
  readonly signal?: AbortSignal;
}

/**
 * Reads one chunk of a stripe, restoring it when it is lost.
 *
 * @param index Place in the stripe.
 * @throws NetError `not_found` when it is lost and too few others are there, or none protects it;
 * `integrity` when what the others give is not the chunk; whatever `readChunk` or the signal throws.
 */
export async function readStripeChunk(
  stripe: Stripe,
  index: number,
  options: ReadStripeOptions,
): Promise<Uint8Array> {
  const chunk = chunkAt(stripe, index);
  const bytes = await readSized(chunk, options.readChunk);
  if (bytes !== undefined) return bytes;
  const [restored] = await restoreChunks(stripe, [index], options);
  if (restored === undefined) {
    throw new RangeError(`Cannot restore chunk ${index}: it is not there`);
  }
  return restored;
}

/**
 * Restores chunks of a stripe, each checked against its hash.
 *
 * @param lost Places in the stripe; they are not read.
 * @throws As {@linkcode readStripeChunk}.
 */
export async function restoreChunks(
  stripe: Stripe,
  lost: readonly number[],
  options: ReadStripeOptions,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const restored = await restoreStripe(stripe, lost, options);
  return lost.map((index) => {
    const bytes = restored.get(index);
    if (bytes === undefined) throw new RangeError(`Cannot restore chunk ${index}: it is not there`);
    return bytes;
  });
}

/**
 * Restores chunks of a stripe, and every other data chunk of it that turns out to be lost.
 *
 * @param lost Places in the stripe; they are not read.
 * @returns The chunks by place, each checked against its hash.
 * @throws As {@linkcode readStripeChunk}.
 */
export async function restoreStripe(
  stripe: Stripe,
  lost: readonly number[],
  options: ReadStripeOptions,
): Promise<Map<number, Uint8Array<ArrayBuffer>>> {
  const { encoding, chunks } = stripe;
  if (encoding.kind === "replicated") {
    throw unrecoverable(stripe, "nothing but copies protects it");
  }
  const isLost = new Set(lost);
  for (;;) {
    const present = chunks.flatMap((_, i) => isLost.has(i) ? [] : [i]).slice(0, encoding.data);
    if (present.length < encoding.data) {
      const count = chunks.length - isLost.size;
      throw unrecoverable(
        stripe,
        `${count} of ${chunks.length} chunks are there, must be at least ${encoding.data}`,
      );
    }
    const wanted = [...isLost].filter((index) => lost.includes(index) || index < encoding.data);
    const restored = await combine(stripe, encoding, present, wanted, options);
    if (typeof restored !== "number") return restored;
    isLost.add(restored);
  }
}

/** Survivors are read so many bytes ahead, and at least one of them. */
const SURVIVORS_BYTES = 32 * 1024 * 1024;

/** The wanted chunks, or the number of a present one that turned out to be lost. */
async function combine(
  stripe: Stripe,
  code: StripeCode,
  present: readonly number[],
  wanted: readonly number[],
  { readChunk, work = inlineWork(), signal }: ReadStripeOptions,
): Promise<Map<number, Uint8Array<ArrayBuffer>> | number> {
  const rows = restoringRows(code, present, wanted);
  // Every chunk counts as if zeros followed, up to the length of the parity.
  const shardBytes = Math.max(...stripe.chunks.map(({ size }) => size));
  const outputs = wanted.map(() => new Uint8Array(shardBytes));
  const aheadMax = Math.max(1, Math.floor(SURVIVORS_BYTES / shardBytes));
  const reads: Promise<Uint8Array | undefined>[] = [];
  const readUpTo = (count: number) => {
    while (reads.length < Math.min(count, present.length)) {
      const read = readSized(chunkAt(stripe, present[reads.length] ?? 0), readChunk);
      read.catch(() => {}); // Seen when its turn comes.
      reads.push(read);
    }
  };
  try {
    for (const [column, index] of present.entries()) {
      signal?.throwIfAborted();
      readUpTo(column + aheadMax);
      const bytes = await reads[column];
      if (bytes === undefined) return index;
      // What was added up is not needed any more.
      reads[column] = Promise.resolve(undefined);
      await work.addProducts(bytes, Uint8Array.from(rows, (row) => row[column] ?? 0), outputs);
    }
  } finally {
    await Promise.allSettled(reads);
  }
  const restored = new Map<number, Uint8Array<ArrayBuffer>>();
  for (const [i, output] of outputs.entries()) {
    const place = wanted[i] ?? 0;
    const { hash, size } = chunkAt(stripe, place);
    const bytes = output.subarray(0, size);
    if (!equalBytes((await work.hash(bytes)).hash, hash)) {
      throw new NetError("integrity", `Cannot restore chunk ${toHex(hash)}: its parity is wrong`, {
        next: "fetch the blob from another node",
      });
    }
    restored.set(place, bytes);
  }
  return restored;
}

function chunkAt(stripe: Stripe, index: number): LeafChunk {
  const chunk = stripe.chunks[index];
  if (chunk !== undefined) return chunk;
  throw new RangeError(`Cannot read chunk ${index}: the stripe has ${stripe.chunks.length}`);
}

/** A chunk of another length than its reference says is as good as lost. */
async function readSized(
  chunk: LeafChunk,
  readChunk: ReadStripeChunk,
): Promise<Uint8Array | undefined> {
  const bytes = await readChunk(chunk);
  return bytes?.length === chunk.size ? bytes : undefined;
}

function unrecoverable(stripe: Stripe, what: string): NetError {
  const name = toHex(chunkAt(stripe, 0).hash);
  return new NetError("not_found", `Cannot restore stripe of chunk ${name}: ${what}`, {
    next: "connect to a node that holds the blob, and repair it then",
    data: { reason: "stripe_unrecoverable" },
  });
}
