/**
 * A ring of hashes (`capabilities.md` 17): a key belongs to the first point at or after its own hash, so
 * an endpoint that comes or goes moves its own share of the keys and no others.
 *
 * Every endpoint has 150 points, each the hash of its 32-byte id as Rust prints it, a dash and a number.
 * A point that is taken already moves on by one.
 *
 * Limit: this hash mixes the last letters of a text little, so points and keys that end alike lie close
 * together, and shares of ten endpoints differ from a quarter of the even one to twice as much. It is the
 * core's ring, and both pick the same endpoint for a key; even shares are what other strategies are for.
 */
import {
  createPoints,
  dropPoints,
  findPoint,
  hashPoints,
  mergePoints,
  sortPoints,
} from "./_ring_points.ts";
import { Fnv64 } from "./fnv.ts";

/**
 * The ring; endpoints are known by a number of the caller's choice.
 *
 * @example
 * ```ts
 * import { HashRing } from "./hash_ring.ts";
 * const ring = new HashRing();
 * ring.add([[7, new Uint8Array(32)]]);
 * console.assert(ring.find("key", () => true) === 7 && ring.find("key", () => false) === undefined);
 * ```
 */
export class HashRing {
  #points = createPoints(0);
  readonly #hash = new Fnv64();

  /** Number of points. */
  get size(): number {
    return this.#points.owner.length;
  }

  /**
   * Adds endpoints: what `find` is to give for each, and its 32 bytes.
   *
   * Many at once cost hardly more than one: all points move in memory either way.
   */
  add(endpoints: readonly (readonly [owner: number, id: Uint8Array])[]): void {
    this.#points = mergePoints(this.#points, sortPoints(hashPoints(endpoints)));
  }

  /** Takes an endpoint away. */
  remove(owner: number): void {
    this.#points = dropPoints(this.#points, owner);
  }

  /**
   * The endpoint that the key belongs to, among those that are acceptable; `undefined` when none is.
   *
   * @param isAcceptable Asked once per point until it says yes.
   */
  find(key: string, isAcceptable: (owner: number) => boolean): number | undefined {
    const { owner } = this.#points;
    const { length } = owner;
    let at = findPoint(this.#points, this.#hash.reset().text(key));
    for (let step = 0; step < length; step++, at++) {
      if (at >= length) at = 0;
      const found = owner[at] ?? 0;
      if (isAcceptable(found)) return found;
    }
    return undefined;
  }
}
