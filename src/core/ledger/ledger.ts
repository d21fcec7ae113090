/**
 * The ledger: the node's own records in one SQLite file (`ARCHITECTURE.md`, data folder).
 *
 * Opens, migrates and closes it. What a commit promised is on the disk when the commit returns (WAL,
 * `synchronous=FULL`). The queries themselves live with the tables' owners.
 */
import { DatabaseSync } from "node:sqlite";
import { Kysely, type Transaction } from "kysely";
import { NetError } from "../../base/mod.ts";
import { createLedgerDialect } from "./_dialect.ts";
import { toLedgerError } from "./_errors.ts";
import { type LedgerSchema, MIGRATIONS } from "./schema.ts";

/** What queries run on: the ledger itself or a transaction in it. */
export type LedgerDb = Kysely<LedgerSchema>;

/** An open ledger. */
export interface Ledger {
  /** For single queries. */
  readonly db: LedgerDb;
  /**
   * Runs `action` in one transaction: all of it is durable once this returns, or none of it happened.
   *
   * @throws NetError `no_space` on a full disk; whatever `action` throws.
   */
  transaction<T>(action: (transaction: Transaction<LedgerSchema>) => Promise<T>): Promise<T>;
  /** Closes the file; idempotent. */
  close(): Promise<void>;
}

/** Options of {@linkcode openLedger}. */
export interface OpenLedgerOptions {
  /** File, or `:memory:` for one that is gone when it is closed. */
  readonly path: string;
  /** How long a statement waits for another process, in milliseconds; 5000 when left out. */
  readonly busyTimeoutMs?: number;
}

/** Version of the schema this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Opens the ledger, making or migrating it as needed.
 *
 * @throws NetError `data_dir_unusable` when the file is of a newer program or no database,
 * `data_dir_locked` when another process holds it, `no_space` on a full disk.
 *
 * @example
 * ```ts
 * import { openLedger } from "./ledger.ts";
 * const ledger = openLedger({ path: ":memory:" });
 * await ledger.db.insertInto("setting").values({ key: "a", value: "1" }).execute();
 * await ledger.close();
 * ```
 */
export function openLedger(options: OpenLedgerOptions): Ledger {
  const database = openDatabase(options);
  const db = new Kysely<LedgerSchema>({ dialect: createLedgerDialect(database) });
  let isClosed = false;
  return {
    db,
    transaction: (action) => db.transaction().execute(action),
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      // Kysely closes the database only if it was ever used.
      await db.destroy();
      if (database.isOpen) database.close();
    },
  };
}

function openDatabase({ path, busyTimeoutMs = 5000 }: OpenLedgerOptions): DatabaseSync {
  const action = `Cannot open ledger "${path}"`;
  let database: DatabaseSync | undefined;
  try {
    // Made here because SQLite would make it readable for others; its side files take the same mode.
    if (path !== ":memory:") {
      Deno.openSync(path, { create: true, read: true, write: true, mode: 0o600 }).close();
    }
    database = new DatabaseSync(path, {
      timeout: busyTimeoutMs,
      enableForeignKeyConstraints: true,
    });
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    migrate(database, action);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound) {
      throw new NetError("data_dir_unusable", `${action}: ${error.message}`, {
        cause: error,
        next: "give a folder that you may write to with --data-dir",
      });
    }
    throw toLedgerError(error, action);
  }
}

function migrate(database: DatabaseSync, action: string): void {
  const version = readVersion(database);
  if (version > SCHEMA_VERSION) {
    throw new NetError(
      "data_dir_unusable",
      `${action}: its schema version is ${version}, must be at most ${SCHEMA_VERSION}`,
      { next: "use the newer net that wrote it, or another --data-dir" },
    );
  }
  for (let from = version; from < SCHEMA_VERSION; from++) {
    database.exec("BEGIN IMMEDIATE");
    try {
      // Another process may have been quicker.
      if (readVersion(database) === from) {
        database.exec(MIGRATIONS[from] ?? "");
        database.exec(`PRAGMA user_version = ${from + 1}`);
      }
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }
}

function readVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0);
}
