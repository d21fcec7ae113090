/**
 * Bytes that copies for others take, with nodes, parity and the files of folders: what the policy's cap bounds.
 *
 * Adding up the chunks of a large blob takes long, so each is added up once.
 */
import { toHex } from "../../base/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import { countBlobBytes, listCopiesTaken } from "./replica_queries.ts";

interface Counted {
  readonly chunkCount: number;
  readonly bytes: number;
}

/** Counts them. */
export class CopyBytes {
  readonly #db: LedgerDb;
  /** By address in hex; as many as there are copies. */
  #known = new Map<string, Counted>();

  constructor(db: LedgerDb) {
    this.#db = db;
  }

  /** Bytes of all copies as of now. */
  async count(): Promise<number> {
    const { plainBytes, others } = await listCopiesTaken(this.#db);
    const known = new Map<string, Counted>();
    let total = plainBytes;
    for (const { address, chunkCount } of others) {
      const key = toHex(address);
      const before = this.#known.get(key);
      const entry = before?.chunkCount === chunkCount
        ? before
        : { chunkCount, bytes: await countBlobBytes(this.#db, address) };
      known.set(key, entry);
      total += entry.bytes;
    }
    this.#known = known;
    return total;
  }
}
