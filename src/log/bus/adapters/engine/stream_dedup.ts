/**
 * Drops repeats of events when reading a Redis stream (`storage.md` 2.6).
 *
 * A batch whose acknowledgement is late is written again, and Redis keeps both. Both carry the same dedup id; who
 * reads remembers the ids seen last.
 */
import { DEDUP_CAPACITY, DEDUP_CAPACITY_MAX } from "./limits.ts";

/**
 * Ids seen last, the oldest forgotten first: seeing one again does not keep it longer.
 *
 * It has to cover events per second times the seconds that a repeat can be late: 10,000 per second and a minute want
 * 600,000. Memory is taken as ids come, about 60 bytes each.
 *
 * @example
 * ```ts
 * import { RedisStreamDedup } from "./stream_dedup.ts";
 * const dedup = new RedisStreamDedup();
 * console.assert(!dedup.isDuplicate("1f:0:0:0"));
 * console.assert(dedup.isDuplicate("1f:0:0:0"));
 * ```
 */
export class RedisStreamDedup {
  /** Most ids remembered. */
  readonly capacity: number;
  readonly #seen = new Set<string>();
  /** A ring of ids in the order they came; grows up to the capacity. */
  #order: string[] = [];
  #oldest = 0;

  /** @param capacity Ids to remember; clamped to 1..2^24. */
  constructor(capacity: number = DEDUP_CAPACITY) {
    const whole = Number.isNaN(capacity) ? DEDUP_CAPACITY : Math.floor(capacity);
    this.capacity = Math.min(Math.max(whole, 1), DEDUP_CAPACITY_MAX);
  }

  /** Ids remembered now. */
  get size(): number {
    return this.#seen.size;
  }

  /** True when the id was seen and is still remembered; else remembers it. */
  isDuplicate(id: string): boolean {
    if (this.#seen.has(id)) return true;
    this.#seen.add(id);
    if (this.#order.length < this.capacity) {
      this.#order.push(id);
      return false;
    }
    this.#seen.delete(this.#order[this.#oldest] ?? "");
    this.#order[this.#oldest] = id;
    this.#oldest = (this.#oldest + 1) % this.capacity;
    return false;
  }

  /** The events that are not repeats, in order; those without an id all count as new. */
  filter<Event extends { readonly dedupId?: string }>(events: readonly Event[]): Event[] {
    return events.filter(({ dedupId }) => dedupId === undefined || !this.isDuplicate(dedupId));
  }

  /** Forgets all. */
  clear(): void {
    this.#seen.clear();
    this.#order = [];
    this.#oldest = 0;
  }
}
