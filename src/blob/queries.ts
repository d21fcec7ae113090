/** Blobs in the ledger: what is here, of which chunks, and which chunks nobody refers to. */
import type { LedgerDb } from "../core/ledger/mod.ts";
import type { ChunkRef } from "./blob_ref.ts";

/** One blob as the ledger has it. */
export interface BlobRecord {
  /** BLAKE3 of the whole payload. */
  readonly address: Uint8Array;
  /** The encoded reference. */
  readonly blobRef: Uint8Array;
  readonly size: number;
  readonly chunkCount: number;
  /** Unix milliseconds. */
  readonly createdAtMs: number;
  readonly isPinned: boolean;
  readonly label: string;
}

/** Where a listing goes on: behind this blob. */
export interface BlobCursor {
  readonly createdAtMs: number;
  readonly address: Uint8Array;
}

/** Rows of one insert; four values each stay far below SQLite's 32,766. */
const ROWS_PER_INSERT = 512;

const COLUMNS = [
  "address",
  "blob_ref",
  "size",
  "chunk_count",
  "created_at_ms",
  "is_pinned",
  "label",
] as const;

/** Adds a blob and its chunks; one that is there already stays as it is. Runs inside a transaction. */
export async function insertBlob(
  db: LedgerDb,
  blob: Omit<BlobRecord, "chunkCount" | "isPinned"> & {
    readonly refHash: Uint8Array;
    readonly chunks: readonly ChunkRef[];
  },
): Promise<void> {
  const inserted = await db.insertInto("blob")
    .values({
      address: blob.address,
      blob_ref: blob.blobRef,
      ref_hash: blob.refHash,
      size: blob.size,
      chunk_count: blob.chunks.length,
      created_at_ms: blob.createdAtMs,
      label: blob.label,
    })
    .onConflict((conflict) => conflict.column("address").doNothing()).executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows === 0n) return;
  for (let start = 0; start < blob.chunks.length; start += ROWS_PER_INSERT) {
    const rows = blob.chunks.slice(start, start + ROWS_PER_INSERT).map(({ hash, size }, i) => ({
      address: blob.address,
      position: start + i,
      hash,
      size,
    }));
    await db.insertInto("blob_chunk").values(rows).execute();
  }
}

/** The blob at `address`, or `undefined`. */
export async function readBlob(
  db: LedgerDb,
  address: Uint8Array,
): Promise<BlobRecord | undefined> {
  const row = await db.selectFrom("blob").select(COLUMNS).where("address", "=", address)
    .executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

/** The encoded reference whose own hash is `refHash`, or `undefined`. */
export async function readRefByHash(
  db: LedgerDb,
  refHash: Uint8Array,
): Promise<Uint8Array | undefined> {
  const row = await db.selectFrom("blob").select("blob_ref").where("ref_hash", "=", refHash)
    .limit(1).executeTakeFirst();
  return row?.blob_ref;
}

/** Blobs, newest first. */
export async function listBlobs(
  db: LedgerDb,
  options: { readonly limit: number; readonly after: BlobCursor | undefined },
): Promise<BlobRecord[]> {
  let query = db.selectFrom("blob").select(COLUMNS).orderBy("created_at_ms", "desc")
    .orderBy("address", "desc").limit(options.limit);
  const { after } = options;
  if (after !== undefined) {
    query = query.where((is) =>
      is(is.refTuple("created_at_ms", "address"), "<", is.tuple(after.createdAtMs, after.address))
    );
  }
  return (await query.execute()).map(fromRow);
}

/** Chunks of a blob that no other blob refers to, each once. */
export async function listOrphans(db: LedgerDb, address: Uint8Array): Promise<Uint8Array[]> {
  const orphans = await db.selectFrom("blob_chunk as mine").select("mine.hash").distinct()
    .where("mine.address", "=", address)
    .where((is) =>
      is.not(is.exists(
        is.selectFrom("blob_chunk as other").select("other.hash")
          .whereRef("other.hash", "=", "mine.hash")
          .where("other.address", "!=", address),
      ))
    ).execute();
  return orphans.map(({ hash }) => hash);
}

/**
 * Deletes a blob's rows and names the chunks no other blob refers to. Runs inside a transaction.
 *
 * @returns `undefined` when there is no such blob.
 */
export async function deleteBlob(
  db: LedgerDb,
  address: Uint8Array,
): Promise<Uint8Array[] | undefined> {
  const orphans = await listOrphans(db, address);
  const deleted = await db.deleteFrom("blob").where("address", "=", address).executeTakeFirst();
  return deleted.numDeletedRows === 0n ? undefined : orphans;
}

/**
 * True when any blob refers to the chunk.
 *
 * @param except Address of a blob that does not count.
 */
export async function isChunkReferred(
  db: LedgerDb,
  hash: Uint8Array,
  except?: Uint8Array,
): Promise<boolean> {
  let query = db.selectFrom("blob_chunk").select("position").where("hash", "=", hash).limit(1);
  if (except !== undefined) query = query.where("address", "!=", except);
  return await query.executeTakeFirst() !== undefined;
}

/** Number of blobs, and bytes of their chunks, each counted once. */
export async function countBlobs(db: LedgerDb): Promise<{ blobs: number; chunkBytes: number }> {
  const { blobs } = await db.selectFrom("blob").select((is) => is.fn.countAll<number>().as("blobs"))
    .executeTakeFirstOrThrow();
  const { bytes } = await db.selectFrom(
    db.selectFrom("blob_chunk").select(["hash", "size"]).distinct().as("chunk"),
  ).select((is) => is.fn.sum<number | null>("chunk.size").as("bytes")).executeTakeFirstOrThrow();
  return { blobs, chunkBytes: bytes ?? 0 };
}

function fromRow(row: {
  readonly address: Uint8Array;
  readonly blob_ref: Uint8Array;
  readonly size: number;
  readonly chunk_count: number;
  readonly created_at_ms: number;
  readonly is_pinned: number;
  readonly label: string;
}): BlobRecord {
  return {
    address: row.address,
    blobRef: row.blob_ref,
    size: row.size,
    chunkCount: row.chunk_count,
    createdAtMs: row.created_at_ms,
    isPinned: row.is_pinned === 1,
    label: row.label,
  };
}
