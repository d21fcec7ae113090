/** How a stream is cut into chunks, and the limits of that (`dataforts.md` 3 and 4). */
import { CHUNK_BYTES, CHUNK_BYTES_MAX } from "../limits.ts";

/** Cuts every so many bytes. */
export interface FixedChunking {
  readonly kind: "fixed";
  readonly chunkBytes: number;
}

/** Cuts where the content says so; equal stretches of different streams give equal chunks. */
export interface ContentDefinedChunking {
  readonly kind: "content_defined";
  readonly minBytes: number;
  /** Wished for, not promised. */
  readonly averageBytes: number;
  readonly maxBytes: number;
}

/** Either. */
export type Chunking = FixedChunking | ContentDefinedChunking;

/** 4 MiB each: what Manifests are made of. */
export const FIXED_CHUNKING: FixedChunking = { kind: "fixed", chunkBytes: CHUNK_BYTES };

/** The one content-defined chunking that every node accepts: 1, 4 and 16 MiB. */
export const CONTENT_DEFINED_CHUNKING: ContentDefinedChunking = {
  kind: "content_defined",
  minBytes: 1024 * 1024,
  averageBytes: 4 * 1024 * 1024,
  maxBytes: 16 * 1024 * 1024,
};

/** Least and most of each parameter, in bytes. */
const RANGES = {
  minBytes: [64, 1_048_576],
  averageBytes: [256, 4_194_304],
  maxBytes: [1_024, 16_777_216],
} as const;

/** Largest chunk that comes out, in bytes. */
export function chunkBytesMax(chunking: Chunking): number {
  return chunking.kind === "fixed" ? chunking.chunkBytes : chunking.maxBytes;
}

/**
 * Checks the parameters of a chunking.
 *
 * @throws RangeError naming the one that is out of range.
 */
export function checkChunking(chunking: Chunking): void {
  if (chunking.kind === "fixed") {
    checkRange("chunkBytes", chunking.chunkBytes, [1, CHUNK_BYTES_MAX]);
    return;
  }
  const { minBytes, averageBytes, maxBytes } = chunking;
  checkRange("minBytes", minBytes, RANGES.minBytes);
  checkRange("averageBytes", averageBytes, RANGES.averageBytes);
  checkRange("maxBytes", maxBytes, RANGES.maxBytes);
  if (minBytes < averageBytes && averageBytes < maxBytes) return;
  throw new RangeError(
    `Cannot cut: sizes are ${minBytes}, ${averageBytes}, ${maxBytes}, must be min < average < max`,
  );
}

function checkRange(name: string, value: number, [least, most]: readonly [number, number]): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`Cannot cut: ${name} is ${value}, must be ${least}..${most}`);
}
