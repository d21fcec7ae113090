/** NetDB: the folded states of a node as typed collections under one handle (`storage.md` 13). */

/** Rows that are found by id and by filter. `Row` is a plain object that never changes. */
export interface Collection<Row, Filter> {
  findUnique(id: bigint): Row | undefined;
  /** Rows in the filter's order (by id when it has none); `limit` counts after ordering. */
  findMany(filter?: Filter): Row[];
  findFirst(filter?: Filter): Row | undefined;
  /** Ignores `limit`. */
  count(filter?: Filter): number;
  exists(filter?: Filter): boolean;
  /** The rows now, and again whenever they differ. */
  watch(filter?: Filter, signal?: AbortSignal): AsyncIterable<Row[]>;
  /** Rows now, and a stream of later ones that does not repeat them. */
  snapshotAndWatch(filter?: Filter, signal?: AbortSignal): {
    readonly snapshot: Row[];
    readonly changes: AsyncIterable<Row[]>;
  };
}
