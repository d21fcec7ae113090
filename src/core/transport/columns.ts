/** Columns: typed arrays with one value per slot or place, which grow as these do. */

/** Columns of up to so many values double when they grow. */
const DOUBLED_MAX = 1_024;

/** A typed array, as far as copying needs it. */
interface Column extends ArrayLike<number> {
  set(from: ArrayLike<number>): void;
}

/** Copies a column into a longer one and returns that. */
export function widen<T extends Column>(from: T, to: T): T {
  to.set(from);
  return to;
}

/**
 * The length of a column that shall have a value at a place: as it is where that is enough.
 *
 * Short columns double. Long ones grow by a quarter, so that little of them lies idle: each value is then
 * copied four times on the whole, not once, which is nothing beside a handshake.
 */
export function lengthFor(place: number, length: number): number {
  let reached = length;
  while (place >= reached) reached += reached < DOUBLED_MAX ? reached : reached >>> 2;
  return reached;
}
