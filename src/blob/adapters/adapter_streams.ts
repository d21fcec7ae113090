/** Blobs piece by piece through adapters, whether or not they can do it themselves. */
import { concatBytes } from "../../base/mod.ts";
import type { BlobRef, SmallRef } from "../blob_ref.ts";
import type { ByteSource } from "../byte_source.ts";
import { type AdapterCallOptions, type BlobAdapter, BlobAdapterError } from "./adapter.ts";

/** Most that is collected for an adapter that takes only whole blobs: it is all in memory. */
export const COLLECTED_BYTES_MAX = 256 * 1024 * 1024;

const PIECE_BYTES = 256 * 1024;

/**
 * Stores what a source gives under a reference.
 *
 * @throws BlobAdapterError of the adapter; `limit` when it takes only whole blobs and this one is long.
 */
export async function storeFrom(
  adapter: BlobAdapter,
  ref: SmallRef,
  source: ByteSource,
  options?: AdapterCallOptions,
): Promise<void> {
  if (adapter.storeStream !== undefined) return await adapter.storeStream(ref, source, options);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const piece = new Uint8Array(PIECE_BYTES);
    const count = await source.read(piece);
    if (count === null) break;
    options?.signal?.throwIfAborted();
    length += count;
    if (length > COLLECTED_BYTES_MAX) {
      throw new BlobAdapterError(
        "limit",
        `Cannot store blob with adapter "${adapter.id}": it takes whole blobs of at most ` +
          `${COLLECTED_BYTES_MAX} bytes`,
      );
    }
    pieces.push(piece.subarray(0, count));
  }
  await adapter.store(ref, concatBytes(...pieces), options);
}

/** A blob piece by piece; verified when it ends without an error. */
export async function* streamFrom(
  adapter: BlobAdapter,
  ref: BlobRef,
  options?: AdapterCallOptions,
): AsyncGenerator<Uint8Array> {
  if (adapter.fetchStream !== undefined) yield* adapter.fetchStream(ref, options);
  else yield await adapter.fetch(ref, options);
}
