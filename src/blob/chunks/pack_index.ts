/**
 * Where packed chunks are: one SQLite file beside the packs, so that ten million of them take no memory.
 *
 * It can be lost: the packs hold everything it says, but what was removed. Changes gather in one transaction until
 * {@linkcode PackIndex.commit}. A commit may be lost with the machine's power; then the index is as it was
 * at an earlier one, and whoever opens it looks at what the packs have beyond.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { isNoSpace, NetError } from "../../base/mod.ts";
import { RECORD_HEADER_BYTES } from "./pack_record.ts";
import { SEAL_BYTES } from "./sealing.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS record (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    pack INTEGER NOT NULL,
    at INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    is_sealed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pack (
    number INTEGER PRIMARY KEY,
    synced_bytes INTEGER NOT NULL,
    live_file_bytes INTEGER NOT NULL,
    live_bytes INTEGER NOT NULL
  ) STRICT;
`;

/** Changes after which the transaction is committed, so that its log does not grow without end: some 20 MB. */
const CHANGES_MAX = 100_000;

/** Records that are set or looked for with one statement: binding each costs more than the rest. */
export const RECORDS_MAX = 1_024;
const HASH_BYTES = 32;
/** Digits of a place in a pack. */
const AT_BYTES = 12;
/** Digits of a number of bytes. */
const SIZE_BYTES = 8;
const ROW_BYTES = HASH_BYTES + AT_BYTES + SIZE_BYTES;

/** Numbers from 0 up to a parameter. */
const NUMBERS = "n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $rows)";

// The bytes as a parameter at each place: out of a column they would be copied for each row.
const INSERT_MANY = `
  WITH RECURSIVE ${NUMBERS}
  INSERT INTO record (hash, pack, at, stored_bytes, is_sealed)
  SELECT substr($bytes, i * ${ROW_BYTES} + 1, ${HASH_BYTES}), $pack,
    CAST(substr($bytes, i * ${ROW_BYTES} + ${HASH_BYTES + 1}, ${AT_BYTES}) AS INTEGER),
    CAST(substr($bytes, i * ${ROW_BYTES} + ${HASH_BYTES + AT_BYTES + 1}, ${SIZE_BYTES}) AS INTEGER),
    $sealed
  FROM n
`;

const FIND_MANY = `
  WITH RECURSIVE ${NUMBERS}
  SELECT i FROM n CROSS JOIN record ON record.hash = substr($bytes, i * ${HASH_BYTES} + 1, ${HASH_BYTES})
`;

/** Hashes looked up at once by a listing. */
const PAGE = 1_000;

/** Where a packed chunk is. */
export interface PackPlace {
  readonly pack: number;
  /** Place of its header. */
  readonly at: number;
  /** Bytes behind the header. */
  readonly storedBytes: number;
  readonly isSealed: boolean;
}

/** A chunk within a pack. */
export interface PackedRecord extends Pick<PackPlace, "at" | "storedBytes"> {
  readonly hash: Uint8Array;
}

/** What is known of a pack. */
export interface PackTotals {
  /** Bytes from the start that are on the device and in the index. */
  syncedBytes: number;
  /** Bytes of the records that count, with their headers. */
  liveFileBytes: number;
  /** Bytes of their chunks. */
  liveBytes: number;
}

/** Bytes of the chunk itself. */
export function chunkBytesOf(
  { storedBytes, isSealed }: Pick<PackPlace, "storedBytes" | "isSealed">,
) {
  return storedBytes - (isSealed ? SEAL_BYTES : 0);
}

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
      if (before !== undefined) this.#count(before, -1);
      this.#count(place, 1);
    });
    return before;
  }

  /** Which of these chunks it has, by their number. */
  findMany(hashes: readonly Uint8Array[]): Set<number> {
    const found = new Set<number>();
    for (let start = 0; start < hashes.length; start += RECORDS_MAX) {
      const part = hashes.slice(start, start + RECORDS_MAX);
      const bytes = new Uint8Array(part.length * HASH_BYTES);
      for (let i = 0; i < part.length; i++) bytes.set(part[i] ?? [], i * HASH_BYTES);
      for (const { i } of this.#findMany.all({ $rows: part.length, $bytes: bytes })) {
        found.add(start + Number(i));
      }
    }
    return found;
  }

  /**
   * Sets where chunks are that the caller knows it does not have: all of them, or none.
   *
   * @param records At most {@linkcode RECORDS_MAX}, each chunk once, all in one pack, sealed or not.
   */
  setMany(
    records: readonly PackedRecord[],
    { pack, isSealed }: Pick<PackPlace, "pack" | "isSealed">,
  ): void {
    if (records.length > RECORDS_MAX) {
      throw new RangeError(`Cannot set places of ${records.length} chunks at once`);
    }
    const bytes = new Uint8Array(records.length * ROW_BYTES);
    let end = 0;
    for (const { hash, at, storedBytes } of records) {
      bytes.set(hash, end);
      writeDigits(bytes, end + HASH_BYTES, AT_BYTES, at);
      writeDigits(bytes, end + HASH_BYTES + AT_BYTES, SIZE_BYTES, storedBytes);
      end += ROW_BYTES;
    }
    this.#changes += records.length - 1;
    this.#change(() => {
      this.#insertMany.run({
        $rows: records.length,
        $bytes: bytes,
        $pack: pack,
        $sealed: isSealed ? 1 : 0,
      });
      for (const { at, storedBytes } of records) {
        this.#count({ pack, at, storedBytes, isSealed }, 1);
      }
    });
  }

  /** Forgets a chunk; where it was. */
  remove(hash: Uint8Array): PackPlace | undefined {
    const before = this.find(hash);
    if (before === undefined) return undefined;
    this.#change(() => {
      this.#delete.run(hash);
      this.#count(before, -1);
    });
    return before;
  }

  /** Says how much of a pack is safe. */
  setSynced(pack: number, syncedBytes: number): void {
    this.#changedPacks.add(pack);
    this.#change(() => this.#totals(pack).syncedBytes = syncedBytes);
  }

  /** Forgets what the index says of a pack from `from` on; looks at every row. */
  forgetFrom(pack: number, from: number): void {
    this.#changedPacks.add(pack);
    this.#change(() => {
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
    return this.#page.all(after).map(({ hash }) => new Uint8Array(hash as Uint8Array));
  }

  /** Makes what changed survive a kill of the process; `isDurable`: a loss of power, too. */
  commit(options: { readonly isDurable?: boolean } = {}): void {
    this.#write();
    if (this.#database.isTransaction) this.#database.exec("COMMIT");
    // Syncs the log with all commits before, and what it is written out to.
    if (options.isDurable) this.#database.exec("PRAGMA wal_checkpoint(FULL)");
    this.#changes = 0;
    this.#changedPacks.clear();
  }

  /** Goes back to the last commit. */
  reload(): void {
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    this.#changes = 0;
    this.#changedPacks.clear();
    this.#loadPacks();
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #change(change: () => void): void {
    if (!this.#database.isTransaction) this.#database.exec("BEGIN IMMEDIATE");
    change();
    this.#changes += 1;
    if (this.#changes >= CHANGES_MAX) this.commit();
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

/** Writes a number in so many digits. */
function writeDigits(bytes: Uint8Array, start: number, digits: number, value: number): void {
  let rest = value;
  for (let at = start + digits - 1; at >= start; at--) {
    const left = Math.floor(rest / 10);
    bytes[at] = 48 + rest - 10 * left;
    rest = left;
  }
}

/** The typed error of what the index threw. */
export function toIndexError(error: unknown): NetError {
  if (error instanceof NetError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { errcode?: unknown } | null)?.errcode;
  const isFull = isNoSpace(error) || code === 13 || code === 4874;
  return new NetError(
    isFull ? "no_space" : "failed",
    `Cannot use index of packed chunks: ${isFull ? "no space left on the device" : message}`,
    {
      cause: error,
      next: isFull
        ? "free some space, then repeat the command"
        : "start the node again; remove blobs/packs/index.db first if this stays: it is made anew",
    },
  );
}
