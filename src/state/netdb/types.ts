/** NetDB: the folded states of a node as typed collections under one handle (`storage.md` 13). */
import type { WriteToken } from "../../log/mod.ts";

/** Rows that are found by id and by filter. `Row` is a plain object that never changes. */
export interface Collection<Row, Filter> {
  /** Rows there are. */
  readonly size: number;
  findUnique(id: bigint): Row | undefined;
  /** Rows in the filter's order (by id when it has none); `limit` counts after ordering. */
  findMany(filter?: Filter): Row[];
  findFirst(filter?: Filter): Row | undefined;
  /** Ignores `limit`. */
  count(filter?: Filter): number;
  exists(filter?: Filter): boolean;
  /** A query that is put together piece by piece. */
  query(): RowQuery<Row, Filter>;
  /** The rows now, and again whenever they differ. */
  watch(filter?: Filter, signal?: AbortSignal): AsyncIterable<Row[]>;
  /** Rows now, and a stream of later ones that does not repeat them. */
  snapshotAndWatch(filter?: Filter, signal?: AbortSignal): {
    readonly snapshot: Row[];
    readonly changes: AsyncIterable<Row[]>;
  };
  /** Resolves when the write of this token is in the rows. */
  waitForToken(token: WriteToken, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** True when the write of this token is in the rows already. */
  pollToken(token: WriteToken): boolean;
}

/** A query that is put together; every call gives a new one. */
export interface RowQuery<Row, Filter> {
  /** Adds conditions; one of the same name takes the place of the one before. */
  where(filter: Filter): RowQuery<Row, Filter>;
  orderBy(order: OrderOf<Filter>): RowQuery<Row, Filter>;
  limit(rows: number): RowQuery<Row, Filter>;
  collect(): Row[];
  first(): Row | undefined;
  count(): number;
  exists(): boolean;
  watch(signal?: AbortSignal): AsyncIterable<Row[]>;
}

/** What a filter may be ordered by. */
export type OrderOf<Filter> = Filter extends { readonly orderBy?: infer Order }
  ? Exclude<Order, undefined>
  : never;
