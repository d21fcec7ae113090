/** The chunks of a blob, page by page. */
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { ChunkRef } from "../blob_ref.ts";

const PAGE = 1_000;

/** Every chunk of a blob in order, with nodes, parity, and for a directory those of its files. */
export async function* chunksOfBlob(
  db: LedgerDb,
  address: Uint8Array,
): AsyncGenerator<readonly ChunkRef[]> {
  for (let after = -1;;) {
    const rows = await db.selectFrom("blob_chunk").select(["position", "hash", "size"])
      .where("address", "=", address).where("position", ">", after)
      .orderBy("position").limit(PAGE).execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(({ hash, size }) => ({ hash, size }));
    after = last.position;
  }
}
