/** How the chunks of a blob, or of one stripe of it, are protected (`dataforts.md` 2). */
import type { PostcardReader, PostcardWriter } from "../base/mod.ts";

/** Whole copies, or data and parity chunks of which any `data` many are enough. */
export type BlobEncoding =
  | { readonly kind: "replicated" }
  | { readonly kind: "reed_solomon"; readonly data: number; readonly parity: number };

/** Copies. */
export const REPLICATED: BlobEncoding = { kind: "replicated" };

/**
 * Reads an encoding; numbers of chunks are whatever the bytes say. `undefined` after a failure, which the
 * reader names.
 */
export function readEncoding(reader: PostcardReader): BlobEncoding | undefined {
  const variant = reader.variant(2);
  if (reader.failure !== undefined) return undefined;
  if (variant === 0) return REPLICATED;
  return { kind: "reed_solomon", data: reader.u8(), parity: reader.u8() };
}

/** Writes an encoding. */
export function writeEncoding(writer: PostcardWriter, encoding: BlobEncoding): void {
  if (encoding.kind === "replicated") writer.u8(0);
  else writer.u8(1).u8(encoding.data).u8(encoding.parity);
}
