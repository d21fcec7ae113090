/** Chunks that the blobs here need, in the order of a scrub. */
import type { LedgerDb } from "../../core/ledger/mod.ts";

/** Hashes of a page. */
const PAGE = 1_000;

/**
 * Hashes above `after` that some blob refers to, ascending; none at the end. Those that peers promised to hold in
 * this node's stead are not missed here (docs/blob-flow.md).
 */
export async function neededChunks(
  db: LedgerDb,
  after: Uint8Array | undefined,
): Promise<readonly Uint8Array[]> {
  let query = db.selectFrom("blob_chunk").select("hash").distinct()
    .where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("chunk_spill").select("holder").whereRef(
          "chunk_spill.hash",
          "=",
          "blob_chunk.hash",
        ),
      ))
    ).orderBy("hash").limit(PAGE);
  if (after !== undefined) query = query.where("hash", ">", after);
  return (await query.execute()).map(({ hash }) => hash);
}
