/** Blobs in the ledger: what is here, of which chunks, and which chunks nobody refers to. */
import { setImmediate } from "node:timers";
import { equalBytes, toHex } from "../base/mod.ts";
import { type LedgerDb, upsertChunkRows } from "../core/ledger/mod.ts";
import type { ChunkList } from "./_chunk_list.ts";
import { markLoose, upsertChunks } from "./chunk_queries.ts";
import { hashRange } from "./hash_range.ts";

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
  readonly kind: BlobKind;
  readonly origin: BlobOrigin;
}

/** What the bytes of a blob are: themselves, or the manifest of a folder. */
export type BlobKind = "blob" | "directory";

/** How a blob came here. */
export type BlobOrigin = "put" | "fetched" | "replica" | "cached";

/** Where a listing goes on: behind this blob. */
export interface BlobCursor {
  readonly createdAtMs: number;
  readonly address: Uint8Array;
}

/** Rows of one go: some milliseconds. */
const SLICE_ROWS = 512;

/** Chunks of a removed blob that go at once, 100 B each; more of them wait for the collection. */
export const ORPHANS_MAX = 1_000_000;

/** Rows of one insert; six values each stay far below SQLite's 32,766. */
const ROWS_PER_INSERT = 512;

const COLUMNS = [
  "address",
  "blob_ref",
  "size",
  "chunk_count",
  "created_at_ms",
  "is_pinned",
  "label",
  "kind",
  "origin",
] as const;

/** A blob to be recorded. */
export interface NewBlob extends Omit<BlobRecord, "chunkCount" | "isPinned"> {
  readonly refHash: Uint8Array;
  readonly treeRoot: Uint8Array | undefined;
  /** Every chunk, with nodes of trees, parity, and for a directory those of its files. */
  readonly chunks: ChunkList;
  /** Which of them stand in a stripe, by hash in hex. */
  readonly stripes?: ReadonlyMap<string, StripePlace>;
}

/** The stripe that a chunk stands in. */
export interface StripePlace {
  /** Its number within the blob. */
  readonly stripe: number;
  /** How many of its chunks are enough to make the others. */
  readonly dataChunks: number;
}

/**
 * Records a blob and its chunks. One with the same reference that is there already stays as it is, but for a
 * label that is given; another reference to the same bytes takes its place, and the chunks of the old one lose
 * this reason to stay. Runs inside a transaction.
 *
 * @returns The encoded reference whose place was taken.
 */
export async function insertBlob(db: LedgerDb, blob: NewBlob): Promise<Uint8Array | undefined> {
  const old = await db.selectFrom("blob")
    .select(["blob_ref", "ref_hash", "kind", "origin", "label"])
    .where("address", "=", blob.address).executeTakeFirst();
  const origin = old?.origin === "put" ? "put" : blob.origin;
  // The chunks of a directory are those of its manifest and more.
  const isSame = old !== undefined && equalBytes(old.ref_hash, blob.refHash) &&
    (old.kind === blob.kind || old.kind === "directory");
  if (isSame) {
    await upsertChunks(db, blob.chunks, blob.createdAtMs);
    const label = blob.label === "" ? old.label : blob.label;
    if (origin === old.origin && label === old.label) return undefined;
    await db.updateTable("blob").set({ origin, label }).where("address", "=", blob.address)
      .execute();
    return undefined;
  }
  const values = {
    blob_ref: blob.blobRef,
    ref_hash: blob.refHash,
    size: blob.size,
    chunk_count: blob.chunks.length,
    kind: blob.kind,
    origin,
    label: blob.label === "" ? old?.label ?? "" : blob.label,
    tree_root: blob.treeRoot ?? null,
  };
  await db.insertInto("blob")
    .values({ ...values, address: blob.address, created_at_ms: blob.createdAtMs })
    .onConflict((conflict) => conflict.column("address").doUpdateSet(values)).execute();
  if (old !== undefined) await deleteBlobChunks(db, blob.address, nextTurn);
  await insertBlobChunks(db, blob);
  return old?.blob_ref;
}

async function insertBlobChunks(db: LedgerDb, blob: NewBlob): Promise<void> {
  if (blob.kind === "directory" && (blob.stripes?.size ?? 0) === 0) {
    // Their order tells nothing, and there may be very many.
    return await upsertChunkRows(db, blob.chunks, blob.createdAtMs, blob.address);
  }
  await upsertChunks(db, blob.chunks, blob.createdAtMs);
  const rows: {
    readonly address: Uint8Array;
    readonly position: number;
    readonly hash: Uint8Array;
    readonly size: number;
    readonly stripe: number | null;
    readonly stripe_data: number | null;
  }[] = [];
  let position = 0;
  for (const { hash, size } of blob.chunks) {
    const place = blob.stripes?.get(toHex(hash));
    rows.push({
      address: blob.address,
      position: position++,
      hash,
      size,
      stripe: place?.stripe ?? null,
      stripe_data: place?.dataChunks ?? null,
    });
    if (rows.length < ROWS_PER_INSERT && position < blob.chunks.length) continue;
    await db.insertInto("blob_chunk").values(rows.splice(0)).execute();
    if (position < blob.chunks.length) await nextTurn();
  }
}

/** The blob with this address, or with this root of its tree; `undefined` when there is none. */
export async function readBlob(
  db: LedgerDb,
  address: Uint8Array,
): Promise<BlobRecord | undefined> {
  const row = await db.selectFrom("blob").select(COLUMNS).where("address", "=", address)
    .executeTakeFirst() ??
    await db.selectFrom("blob").select(COLUMNS).where("tree_root", "=", address).limit(1)
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

/** Which blobs a listing has; everything when left out. */
export interface BlobFilter {
  /** The address begins with these hex digits. */
  readonly prefix?: string;
  readonly kind?: BlobKind;
  readonly origin?: BlobOrigin;
  /** Exactly this label. */
  readonly label?: string;
  readonly isPinned?: boolean;
}

/** Blobs, newest first. */
export async function listBlobs(
  db: LedgerDb,
  options: {
    readonly limit: number;
    readonly after: BlobCursor | undefined;
    /** The last one to look at. */
    readonly until?: BlobCursor;
    readonly filter?: BlobFilter;
  },
): Promise<BlobRecord[]> {
  let query = db.selectFrom("blob").select(COLUMNS).orderBy("created_at_ms", "desc")
    .orderBy("address", "desc").limit(options.limit);
  const { after, until, filter = {} } = options;
  if (after !== undefined) {
    query = query.where((is) =>
      is(is.refTuple("created_at_ms", "address"), "<", is.tuple(after.createdAtMs, after.address))
    );
  }
  if (until !== undefined) {
    query = query.where((is) =>
      is(is.refTuple("created_at_ms", "address"), ">=", is.tuple(until.createdAtMs, until.address))
    );
  }
  if (filter.prefix !== undefined) {
    const { first, last } = hashRange(filter.prefix);
    query = query.where("address", ">=", first).where("address", "<=", last);
  }
  if (filter.kind !== undefined) query = query.where("kind", "=", filter.kind);
  if (filter.origin !== undefined) query = query.where("origin", "=", filter.origin);
  if (filter.label !== undefined) query = query.where("label", "=", filter.label);
  if (filter.isPinned !== undefined) query = query.where("is_pinned", "=", Number(filter.isPinned));
  return (await query.execute()).map(fromRow);
}

/** The blob that comes so many behind another, newest first; `undefined` when there are fewer. */
export async function readCursorBehind(
  db: LedgerDb,
  after: BlobCursor | undefined,
  count: number,
): Promise<BlobCursor | undefined> {
  let query = db.selectFrom("blob").select(["created_at_ms", "address"])
    .orderBy("created_at_ms", "desc").orderBy("address", "desc").limit(1).offset(count - 1);
  if (after !== undefined) {
    query = query.where((is) =>
      is(is.refTuple("created_at_ms", "address"), "<", is.tuple(after.createdAtMs, after.address))
    );
  }
  const row = await query.executeTakeFirst();
  return row && { createdAtMs: row.created_at_ms, address: row.address };
}

/** Pins a blob, or lets it go; false when it is not here. */
export async function pinBlob(
  db: LedgerDb,
  address: Uint8Array,
  isPinned: boolean,
): Promise<boolean> {
  const updated = await db.updateTable("blob").set({ is_pinned: Number(isPinned) })
    .where("address", "=", address).executeTakeFirst();
  return updated.numUpdatedRows > 0n;
}

/**
 * Chunks of a blob that no other blob refers to, each once: the first {@linkcode ORPHANS_MAX} of them.
 *
 * @param pause Called again and again, so that other work has its turn.
 */
export async function listOrphans(
  db: LedgerDb,
  address: Uint8Array,
  pause: () => Promise<void>,
): Promise<Uint8Array[]> {
  const orphans = new Map<string, Uint8Array>();
  for (let start = 0; orphans.size < ORPHANS_MAX; start += SLICE_ROWS) {
    const slice = db.selectFrom("blob_chunk").select(["hash", "position"])
      .where("address", "=", address)
      .where("position", ">=", start).where("position", "<", start + SLICE_ROWS);
    const found = await db.selectFrom(slice.as("mine")).select("mine.hash").distinct()
      .where((is) =>
        is.not(is.exists(
          is.selectFrom("blob_chunk as other").select("other.hash")
            .whereRef("other.hash", "=", "mine.hash").where("other.address", "!=", address),
        ))
      ).execute();
    for (const { hash } of found) {
      if (orphans.size < ORPHANS_MAX) orphans.set(toHex(hash), hash);
    }
    const more = await db.selectFrom("blob_chunk").select("position")
      .where("address", "=", address).where("position", ">=", start + SLICE_ROWS).limit(1)
      .executeTakeFirst();
    if (more === undefined) break;
    await pause();
  }
  return [...orphans.values()];
}

/**
 * Deletes a blob's rows and names the chunks no other blob refers to. Runs inside a transaction.
 *
 * @param pause As in {@linkcode listOrphans}.
 * @returns `undefined` when there is no such blob.
 */
export async function deleteBlob(
  db: LedgerDb,
  address: Uint8Array,
  pause: () => Promise<void>,
): Promise<Uint8Array[] | undefined> {
  const orphans = await listOrphans(db, address, pause);
  await deleteBlobChunks(db, address, pause);
  const deleted = await db.deleteFrom("blob").where("address", "=", address).executeTakeFirst();
  return deleted.numDeletedRows === 0n ? undefined : orphans;
}

/** Takes the chunks of a blob from it; those that no other blob refers to are loose then. */
async function deleteBlobChunks(
  db: LedgerDb,
  address: Uint8Array,
  pause: () => Promise<void>,
): Promise<void> {
  for (;;) {
    const slice = await db.selectFrom("blob_chunk").select(["hash", "position"])
      .where("address", "=", address).orderBy("position").limit(SLICE_ROWS).execute();
    const last = slice.at(-1);
    if (last === undefined) return;
    await db.deleteFrom("blob_chunk").where("address", "=", address)
      .where("position", "<=", last.position).execute();
    await markLoose(db, slice.map(({ hash }) => hash));
    if (slice.length < SLICE_ROWS) return;
    await pause();
  }
}

function fromRow(row: {
  readonly address: Uint8Array;
  readonly blob_ref: Uint8Array;
  readonly size: number;
  readonly chunk_count: number;
  readonly created_at_ms: number;
  readonly is_pinned: number;
  readonly label: string;
  readonly kind: BlobKind;
  readonly origin: BlobOrigin;
}): BlobRecord {
  return {
    address: row.address,
    blobRef: row.blob_ref,
    size: row.size,
    chunkCount: row.chunk_count,
    createdAtMs: row.created_at_ms,
    isPinned: row.is_pinned === 1,
    label: row.label,
    kind: row.kind,
    origin: row.origin,
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
