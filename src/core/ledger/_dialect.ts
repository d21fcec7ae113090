/**
 * Kysely over the platform's own SQLite.
 *
 * Calls are synchronous underneath: a statement holds the event loop until it is done, so transactions
 * are kept small. One connection; kysely lets one user at a time have it.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { toLedgerError } from "./_errors.ts";

/** Prepared statements kept; the queries of the program are fewer than this. */
const STATEMENTS_MAX = 128;

/** Creates the dialect over an open database, which it closes when kysely is destroyed. */
export function createLedgerDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new LedgerDriver(database),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class LedgerDriver implements Driver {
  readonly #database: DatabaseSync;
  readonly #connection: LedgerConnection;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#connection = new LedgerConnection(database);
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }

  beginTransaction(): Promise<void> {
    return this.#exec("BEGIN IMMEDIATE");
  }

  commitTransaction(): Promise<void> {
    return this.#exec("COMMIT");
  }

  rollbackTransaction(): Promise<void> {
    // A full disk makes SQLite roll back on its own; a second rollback would hide the reason.
    return this.#database.isTransaction ? this.#exec("ROLLBACK") : Promise.resolve();
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.#connection.forget();
    this.#database.close();
    return Promise.resolve();
  }

  #exec(sql: string): Promise<void> {
    try {
      this.#database.exec(sql);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(toLedgerError(error, "Cannot use ledger"));
    }
  }
}

type SqlValue = null | number | bigint | string | Uint8Array;

class LedgerConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  // deno-lint-ignore require-await -- what SQLite throws must become a rejection.
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      const statement = this.#prepare(query.sql);
      const parameters = query.parameters.map(toSqlValue);
      if (statement.columns().length > 0) {
        // The row type is kysely's promise; this is the codec between it and the database.
        return { rows: statement.all(...parameters) as R[] };
      }
      const { changes, lastInsertRowid } = statement.run(...parameters);
      return {
        rows: [],
        numAffectedRows: BigInt(changes),
        insertId: BigInt(lastInsertRowid),
      };
    } catch (error) {
      throw toLedgerError(error, "Cannot use ledger");
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  /** Drops prepared statements before the database closes. */
  forget(): void {
    this.#statements.clear();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
    this.#statements.set(sql, statement);
    return statement;
  }
}

function toSqlValue(value: unknown): SqlValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === null || value === undefined) return null;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "string") {
    return value;
  }
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`Cannot store a ${typeof value} in the ledger`);
}
