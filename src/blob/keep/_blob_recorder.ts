/** Records blobs whose chunks are stored: makes the chunks durable, then writes the rows in one transaction. */
import type { Clock } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import { ChunkList } from "../_chunk_list.ts";
import { formatAddress } from "../address.ts";
import type { BlobDraftOptions, DraftBlob, StoredBlob } from "../blob_draft.ts";
import { type BlobRef, decodeBlobRef, encodeBlobRef } from "../blob_ref.ts";
import type { BlobStoreCounters } from "../blob_store.ts";
import type { ChunkStore } from "../chunk_store.ts";
import type { BlobEncoding } from "../encoding.ts";
import { insertBlob } from "../queries.ts";
import type { ChunkKeeper } from "./chunk_keeper.ts";
import { findStripes } from "./stripes.ts";
import type { SyncBook } from "./sync_book.ts";

/** What {@linkcode BlobRecorder} needs. */
export interface BlobRecorderDeps {
  readonly chunks: ChunkStore;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly keeper: Pick<ChunkKeeper, "withRoom">;
  readonly syncs: SyncBook;
  readonly counters: Pick<
    BlobStoreCounters,
    "dataforts_blobs_stored_total" | "dataforts_blob_bytes_stored_total"
  >;
}

/** What a row of a chunk takes in the ledger, with its indexes and in its write-ahead log. */
const ROW_BYTES = 1_024;

/** Records blobs. */
export class BlobRecorder {
  readonly #deps: BlobRecorderDeps;

  constructor(deps: BlobRecorderDeps) {
    this.#deps = deps;
  }

  /** Records a blob; durable when this resolves, unless it is not to be synced. */
  async record(blob: DraftBlob, options: BlobDraftOptions): Promise<StoredBlob> {
    const { chunks: chunkStore, clock, ledger, keeper, syncs, counters } = this.#deps;
    const { address, ref, size, kind } = blob;
    const chunks = ChunkList.from(blob.chunks);
    const blobRef = encodeBlobRef(ref);
    const stripes = await findStripes(ref, (hash) => chunkStore.read(hash));
    const { isSynced = true } = options;
    if (isSynced) await chunkStore.flush();
    const row = {
      address,
      blobRef,
      refHash: blake3(blobRef),
      treeRoot: ref.kind === "tree" ? ref.rootHash : undefined,
      size,
      chunks,
      stripes,
      kind,
      origin: options.origin ?? "put",
      createdAtMs: clock.wallMs(),
      label: options.label ?? "",
    };
    const replaced = await keeper.withRoom(
      ROW_BYTES * chunks.length,
      () => ledger.transaction((transaction) => insertBlob(transaction, row)),
    );
    if (isSynced) syncs.noteSynced(address);
    else await syncs.noteUnsynced(address);
    counters.dataforts_blobs_stored_total += 1;
    counters.dataforts_blob_bytes_stored_total += size;
    return {
      address: formatAddress(address),
      hash: address,
      ref,
      blobRef,
      size,
      chunkCount: chunks.length,
      lostParity: replaced && parityLost(replaced, ref),
    };
  }
}

/** What protected the chunks of a blob before, if nothing does now, or less. */
function parityLost(replaced: Uint8Array, ref: BlobRef): BlobEncoding | undefined {
  const decoded = decodeBlobRef(replaced);
  if (!decoded.ok) return undefined;
  const before = encodingOf(decoded.ref);
  if (before?.kind !== "reed_solomon") return undefined;
  const now = encodingOf(ref);
  const isLess = now?.kind !== "reed_solomon" ||
    now.parity / now.data < before.parity / before.data;
  return isLess ? before : undefined;
}

function encodingOf(ref: BlobRef): BlobEncoding | undefined {
  return ref.kind === "small" ? undefined : ref.encoding;
}
