/** What all states with rows have in common: a collection reads them through this. */

/** An event to append. */
export interface ModelEvent {
  readonly dispatch: number;
  readonly tail: Uint8Array;
}

/** A state that holds rows with ids. Rows are frozen; one that did not change is the same object again. */
export interface RowState<Row, Filter> {
  /** Rows there are. */
  readonly size: number;
  get(id: bigint): Row | undefined;
  /** Rows in the filter's order, by id when it has none; `limit` counts after ordering. */
  find(filter?: Filter): Row[];
  /** The first row of those. */
  first(filter?: Filter): Row | undefined;
  /** Ignores `limit`. */
  count(filter?: Filter): number;
  isSame(a: Row, b: Row): boolean;
}

/** True when two results hold the same rows in the same order. */
export function areSameRows<Row>(
  a: readonly Row[],
  b: readonly Row[],
  isSame: (a: Row, b: Row) => boolean,
): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const [left, right] = [a[i] as Row, b[i] as Row];
    if (left !== right && !isSame(left, right)) return false;
  }
  return true;
}
