/** Writes a blob that is here to a folder of chunks, so that other programs, or another node, can take it. */
import { NetError, toHex } from "../../base/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import { formatAddress } from "../address.ts";
import type { BlobStore } from "../blob_store.ts";
import type { BlobRecord } from "../queries.ts";
import { writeBlobNote } from "./blob_note.ts";
import type { ChunkFolder } from "./chunk_folder.ts";
import { chunksOfBlob } from "./exchange_queries.ts";

/** Options of {@linkcode exportBlob}. */
export interface ExportBlobOptions {
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What was written. */
export interface ExportedBlob {
  readonly address: string;
  readonly blobRef: Uint8Array;
  readonly chunks: number;
  readonly bytes: number;
  /** Chunks that were there already. */
  readonly present: number;
}

/**
 * Writes every chunk of a blob, and then what the folder has to know of it.
 *
 * @param path Of the folder.
 * @throws NetError `not_found` when a chunk is lost, `no_space`; the signal's reason. What was written stays.
 */
export async function exportBlob(
  deps: { readonly db: LedgerDb; readonly blobs: Pick<BlobStore, "readChunk"> },
  record: BlobRecord,
  folder: ChunkFolder,
  path: string,
  options: ExportBlobOptions = {},
): Promise<ExportedBlob> {
  const { address, blobRef, kind, label } = record;
  const done = { chunks: 0, bytes: 0, present: 0 };
  for await (const page of chunksOfBlob(deps.db, address)) {
    for (const { hash } of page) {
      options.signal?.throwIfAborted();
      const bytes = await deps.blobs.readChunk(hash, undefined, { isQuiet: true });
      if (bytes === undefined) {
        throw new NetError(
          "not_found",
          `Cannot export ${formatAddress(address)}: chunk ${toHex(hash)} is not here`,
          { next: "get it again with net blob scrub --repair, then repeat the command" },
        );
      }
      if (!await folder.write(hash, bytes)) done.present += 1;
      done.chunks += 1;
      done.bytes += bytes.length;
      options.onBytes?.(done.bytes);
    }
  }
  await writeBlobNote(path, { address, blobRef, kind, label }, chunksOfBlob(deps.db, address));
  return { address: formatAddress(address), blobRef, ...done };
}
