/**
 * Where packed chunks are: one SQLite file beside the packs, so that ten million of them take no memory.
 *
 * It can be lost: the packs hold everything it says, but what was removed. Changes gather in one transaction until
 * {@linkcode PackIndex.commit}. A commit may be lost with the machine's power; then the index is as it was
 * at an earlier one, and whoever opens it looks at what the packs have beyond.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { SmallChunks } from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";
import { HASH_WORDS, hashWords } from "../_hash_index.ts";
import { FreshPlaces } from "./_fresh_places.ts";
import { FIND_MANY, INSERT_MANY, RECORDS_MAX, ROW_BYTES, SCHEMA } from "./_index_rows.ts";
import { chunkBytesOf, type PackPlace, type PackTotals } from "./pack_place.ts";
import { RECORD_HEADER_BYTES } from "./pack_record.ts";
import { SEAL_BYTES } from "./sealing.ts";

/** Changes after which the transaction is committed, so that its log does not grow without end: some 20 MB. */
const CHANGES_MAX = 100_000;

/** Places that wait for the table, twice: some 7 MB while very many chunks are put. */
export const FRESH_MAX = 65_536;

/** Hashes looked up at once by a listing. */
const PAGE = 1_000;

/** Hashes are found and set all over the table: of a small cache every other one would be read anew. */
const CACHE_KIB = 16 * 1024;

/** The index of one folder of packs. */
export class PackIndex implements Disposable {
  /** By number of the pack. */
  readonly packs = new Map<number, PackTotals>();
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #insertMany: StatementSync;
  readonly #findMany: StatementSync;
  readonly #delete: StatementSync;
  readonly #page: StatementSync;
  /** Places that wait for the table: those that come, and those that are on their way there. */
  #coming: FreshPlaces | undefined;
  #going: FreshPlaces | undefined;
  /** Nothing need be looked for in a table without rows. */
  #hasRows = true;
  #changes = 0;
  #liveBytes = 0;
  readonly #changedPacks = new Set<number>();

  /** @throws what SQLite says, among others of a file that is damaged. */
  constructor(path: string) {
    const database = this.#database = new DatabaseSync(path);
    try {
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${CACHE_KIB};`,
      );
      database.exec(SCHEMA);
      this.#find = database.prepare(
        "SELECT pack, at, stored_bytes, is_sealed FROM record WHERE hash = ?",
      );
      this.#insert = database.prepare("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)");
      this.#insertMany = database.prepare(INSERT_MANY);
      this.#findMany = database.prepare(FIND_MANY);
      this.#delete = database.prepare("DELETE FROM record WHERE hash = ?");
      this.#page = database.prepare(
        `SELECT hash FROM record WHERE hash > ? ORDER BY hash LIMIT ${PAGE}`,
      );
      this.#loadPacks();
      this.#hasRows = database.prepare("SELECT 1 FROM record LIMIT 1").get() !== undefined;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Bytes of all chunks. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** True while changes of the transaction may still be taken back by a failure. */
  get isInTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Where a chunk is. */
  find(hash: Uint8Array): PackPlace | undefined {
    const fresh = this.#coming?.find(hash) ?? this.#going?.find(hash);
    if (fresh !== undefined) return fresh;
    const row = this.#find.get(hash);
    return row && {
      pack: Number(row.pack),
      at: Number(row.at),
      storedBytes: Number(row.stored_bytes),
      isSealed: row.is_sealed === 1,
    };
  }

  /**
   * Sets where a chunk is; where it was.
   *
   * @param options New: the caller knows that the index does not have it.
   */
  set(
    hash: Uint8Array,
    place: PackPlace,
    options: { readonly isNew?: boolean } = {},
  ): PackPlace | undefined {
    const before = options.isNew ? undefined : this.find(hash);
    this.#change(() => {
      this.#insert.run(hash, place.pack, place.at, place.storedBytes, place.isSealed ? 1 : 0);
      this.#hasRows = true;
      this.#dropFresh(hash);
      if (before !== undefined) this.#count(before, -1);
      this.#count(place, 1);
    });
    return before;
  }

  /** Which of these chunks it has, by their number; their hashes lie one behind the other. */
  findMany(hashes: Uint8Array, count: number): Set<number> {
    const found = new Set<number>();
    const coming = this.#coming;
    const going = this.#going;
    if (coming !== undefined || going !== undefined) {
      const words = hashWords(hashes);
      for (let i = 0; i < count; i++) {
        const at = i * HASH_WORDS;
        if (coming?.has(words, at) || going?.has(words, at)) found.add(i);
      }
    }
    if (!this.#hasRows || found.size === count) return found;
    for (let start = 0; start < count; start += RECORDS_MAX) {
      const rows = Math.min(RECORDS_MAX, count - start);
      const bytes = hashes.subarray(start * HASH_BYTES, (start + rows) * HASH_BYTES);
      for (const { i } of this.#findMany.all({ $rows: rows, $bytes: bytes })) {
        found.add(start + Number(i));
      }
    }
    return found;
  }

  /**
   * Sets where chunks are that the caller knows it does not have: all of them, or none. They go to the table later, a
   * commit at the latest.
   *
   * @param chunks As their records follow each other in a pack, each chunk once; at most {@linkcode FRESH_MAX}.
   * @param place Place of the first.
   */
  setMany(
    { count, hashes, sizes }: Omit<SmallChunks, "bytes">,
    { pack, at, isSealed }: Omit<PackPlace, "storedBytes">,
  ): void {
    if (count > FRESH_MAX) throw new RangeError(`Cannot set places of ${count} chunks at once`);
    this.#change(() => {
      // Twice as many go as come: there is room again before it is needed, and nobody waits for long.
      this.#settle(2 * count);
      const fresh = this.#roomFor(count);
      const words = hashWords(hashes);
      // Nothing fails from here on.
      let place = at;
      for (let i = 0; i < count; i++) {
        const storedBytes = sizes[i] ?? 0;
        fresh.set(words, i * HASH_WORDS, pack, place, storedBytes, isSealed);
        place += RECORD_HEADER_BYTES + storedBytes;
      }
      const isSealedBytes = isSealed ? count * SEAL_BYTES : 0;
      const totals = this.#totals(pack);
      totals.liveFileBytes += place - at;
      const bytes = place - at - count * RECORD_HEADER_BYTES - isSealedBytes;
      totals.liveBytes += bytes;
      this.#liveBytes += bytes;
      this.#changedPacks.add(pack);
    });
  }

  /** Brings places to the table that wait for it, at most about so many; false when there are none. */
  settleSome(records: number): boolean {
    if (!this.#hasFresh) return false;
    this.#change(() => {
      if (this.#going === undefined) this.#turnOver();
      this.#settle(records);
    });
    return this.#hasFresh;
  }

  /** Forgets a chunk; where it was. */
  remove(hash: Uint8Array): PackPlace | undefined {
    const before = this.find(hash);
    if (before === undefined) return undefined;
    this.#change(() => {
      this.#delete.run(hash);
      this.#dropFresh(hash);
      this.#count(before, -1);
    });
    return before;
  }

  /** Says how much of a pack is safe. */
  setSynced(pack: number, syncedBytes: number): void {
    this.#changedPacks.add(pack);
    this.#change(() => {
      // What is safe is in the table, or a crash would leave it where nobody looks.
      this.#settleAll();
      this.#totals(pack).syncedBytes = syncedBytes;
    });
  }

  /** Forgets what the index says of a pack from `from` on; looks at every row. */
  forgetFrom(pack: number, from: number): void {
    this.#changedPacks.add(pack);
    this.#change(() => {
      this.#settleAll();
      this.#database.prepare("DELETE FROM record WHERE pack = ? AND at >= ?").run(pack, from);
      const left = this.#database.prepare(
        `SELECT count(*) AS records, coalesce(sum(stored_bytes), 0) AS bytes,
           coalesce(sum(is_sealed), 0) AS sealed FROM record WHERE pack = ?`,
      ).get(pack);
      const bytes = Number(left?.bytes);
      const totals = this.#totals(pack);
      totals.syncedBytes = Math.min(totals.syncedBytes, from);
      totals.liveFileBytes = bytes + Number(left?.records) * RECORD_HEADER_BYTES;
      totals.liveBytes = bytes - Number(left?.sealed) * SEAL_BYTES;
      this.#sum();
    });
  }

  /** Forgets a pack that nothing is in any more. */
  dropPack(pack: number): void {
    // Records whose headers were damaged have rows still.
    if ((this.packs.get(pack)?.liveFileBytes ?? 0) !== 0) this.forgetFrom(pack, 0);
    this.#changedPacks.add(pack);
    this.#change(() => this.packs.delete(pack));
    this.#sum();
  }

  /** Hashes behind `after`, in order; none at the end. */
  page(after: Uint8Array): Uint8Array<ArrayBuffer>[] {
    if (this.#hasFresh) this.#change(() => this.#settleAll());
    return this.#page.all(after).map(({ hash }) => new Uint8Array(hash as Uint8Array));
  }

  /** Makes what changed survive a kill of the process; `isDurable`: a loss of power, too. */
  commit(options: { readonly isDurable?: boolean } = {}): void {
    if (this.#hasFresh) {
      this.#begin();
      this.#settleAll();
    }
    this.#commit();
    // Syncs the log with all commits before, and what it is written out to.
    if (options.isDurable) this.#database.exec("PRAGMA wal_checkpoint(FULL)");
  }

  /** Goes back to the last commit. */
  reload(): void {
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    this.#coming = this.#going = undefined;
    this.#hasRows = true;
    this.#changes = 0;
    this.#changedPacks.clear();
    this.#loadPacks();
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #change(change: () => void): void {
    this.#begin();
    change();
    this.#changes += 1;
    // What waits has no row yet, and is found again by whoever looks at the packs.
    if (this.#changes >= CHANGES_MAX) this.#commit();
  }

  get #hasFresh(): boolean {
    return this.#coming !== undefined || this.#going !== undefined;
  }

  #begin(): void {
    if (!this.#database.isTransaction) this.#database.exec("BEGIN IMMEDIATE");
  }

  #commit(): void {
    this.#write();
    if (this.#database.isTransaction) this.#database.exec("COMMIT");
    this.#changes = 0;
    this.#changedPacks.clear();
  }

  /** Where the next places go. */
  #roomFor(count: number): FreshPlaces {
    if (this.#coming !== undefined && this.#coming.free < count) {
      this.#settle(FRESH_MAX);
      this.#turnOver();
    }
    return this.#coming ??= new FreshPlaces(FRESH_MAX);
  }

  /** What came begins to go. */
  #turnOver(): void {
    this.#going = this.#coming;
    this.#coming = undefined;
  }

  #settleAll(): void {
    this.#settle(FRESH_MAX);
    if (this.#coming === undefined) return;
    this.#turnOver();
    this.#settle(FRESH_MAX);
  }

  /** Brings so many of the places that go to the table. */
  #settle(recordsMax: number): void {
    const going = this.#going;
    if (going === undefined) return;
    const bytes = new Uint8Array(Math.min(recordsMax, RECORDS_MAX) * ROW_BYTES);
    for (let left = recordsMax; left > 0 && !going.isEmpty;) {
      let end = 0;
      const rows = going.peek(Math.min(left, RECORDS_MAX), (number) => {
        going.write(number, bytes, end);
        end += ROW_BYTES;
      });
      if (rows > 0) this.#insertMany.run({ $rows: rows, $bytes: bytes.subarray(0, end) });
      this.#hasRows ||= rows > 0;
      this.#changes += rows;
      going.forget(Math.max(rows, 1));
      left -= Math.max(rows, 1);
    }
    if (going.isEmpty) this.#going = undefined;
  }

  #dropFresh(hash: Uint8Array): void {
    this.#coming?.remove(hash);
    this.#going?.remove(hash);
  }

  #count({ pack, storedBytes, isSealed }: PackPlace, sign: 1 | -1): void {
    const totals = this.#totals(pack);
    totals.liveFileBytes += sign * (RECORD_HEADER_BYTES + storedBytes);
    const bytes = sign * chunkBytesOf({ storedBytes, isSealed });
    totals.liveBytes += bytes;
    this.#liveBytes += bytes;
    this.#changedPacks.add(pack);
  }

  #totals(pack: number): PackTotals {
    const known = this.packs.get(pack);
    if (known !== undefined) return known;
    const fresh = { syncedBytes: 0, liveFileBytes: 0, liveBytes: 0 };
    this.packs.set(pack, fresh);
    return fresh;
  }

  #write(): void {
    if (!this.#database.isTransaction) return;
    for (const number of this.#changedPacks) {
      const totals = this.packs.get(number);
      if (totals === undefined) {
        this.#database.prepare("DELETE FROM pack WHERE number = ?").run(number);
        continue;
      }
      this.#database.prepare("INSERT OR REPLACE INTO pack VALUES (?, ?, ?, ?)")
        .run(number, totals.syncedBytes, totals.liveFileBytes, totals.liveBytes);
    }
  }

  #loadPacks(): void {
    this.packs.clear();
    for (const row of this.#database.prepare("SELECT * FROM pack").all()) {
      this.packs.set(Number(row.number), {
        syncedBytes: Number(row.synced_bytes),
        liveFileBytes: Number(row.live_file_bytes),
        liveBytes: Number(row.live_bytes),
      });
    }
    this.#sum();
  }

  #sum(): void {
    this.#liveBytes = 0;
    for (const pack of this.packs.values()) this.#liveBytes += pack.liveBytes;
  }
}
