/** JSON numbers with their text, for a reader to whom `1` and `1.0` are different values (`storage.md` 2.5). */

/** A number as it was written. */
export interface JsonNumberText {
  readonly number: string;
}
