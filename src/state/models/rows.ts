/** What all states with rows have in common: a collection reads them through this. */

import { NetError } from "../../base/mod.ts";

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

/**
 * Place of a word among those that there are.
 *
 * @throws NetError `usage` for any other: a misspelt filter must not look like one that finds nothing.
 */
export function placeOfWord(what: string, words: readonly string[], word: string): number {
  const place = words.indexOf(word);
  if (place >= 0) return place;
  throw new NetError(
    "usage",
    `Cannot use ${what} "${word}": must be one of ${words.join(", ")}`,
  );
}

/**
 * Makes sure that a filter has no parts but these: one that is misspelt would be no condition at all.
 *
 * @throws NetError `usage`
 */
export function requireParts(filter: object, parts: ReadonlySet<string>): void {
  for (const name of Object.keys(filter)) {
    if (parts.has(name)) continue;
    throw new NetError("usage", `Cannot query: filters of these rows have no part "${name}"`, {
      next: `use ${[...parts].join(", ")}`,
    });
  }
}

/**
 * A limit that a filter names.
 *
 * @throws NetError `usage` for a negative number or none.
 */
export function requireLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit >= 0) return limit;
  throw new NetError("usage", `Cannot query: limit is ${limit}, must be an integer from 0 on`);
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
