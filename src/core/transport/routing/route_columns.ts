/**
 * Where the routing table keeps its entries: columns by number of the route, and by place, of which every
 * route has two. `route_table.ts` knows what they mean.
 */
import { PairMap } from "../../../base/mod.ts";
import { lengthFor, widen } from "../columns.ts";
import { NO_HOP } from "./hop_columns.ts";

/** Routes there is room for at first. */
const INITIAL = 64;

/** The entries, by destination. */
export class RouteColumns {
  /** The destination of each route, as halves. */
  low = new Uint32Array(INITIAL);
  high = new Uint32Array(INITIAL);
  // By place = 2 × route + slot; `NO_HOP` says that the place is empty.
  hop = new Int32Array(2 * INITIAL).fill(NO_HOP);
  metric = new Uint16Array(2 * INITIAL);
  refreshedAt = new Float64Array(2 * INITIAL);
  /** When the candidate's own hop last brought a sign of the destination. */
  carriedAt = new Float64Array(2 * INITIAL);
  readonly #index = new PairMap<number>(INITIAL);
  readonly #free: number[] = [];
  #used = 0;

  /** Number of routes. */
  get size(): number {
    return this.#index.size;
  }

  /** The route to this node. */
  get(low: number, high: number): number | undefined {
    return this.#index.get(low, high);
  }

  /** All routes. */
  values(): Iterable<number> {
    return this.#index.values();
  }

  /** A route to a node that has none; its places are empty. */
  create(low: number, high: number): number {
    const route = this.#free.pop() ?? this.#used++;
    if (route >= this.low.length) this.#grow(route);
    this.low[route] = low;
    this.high[route] = high;
    this.#index.set(low, high, route);
    return route;
  }

  /** Forgets the route if both its places are empty. */
  forgetIfEmpty(route: number): void {
    if (this.hop[2 * route] !== NO_HOP || this.hop[2 * route + 1] !== NO_HOP) return;
    if (!this.#index.delete(this.low[route] ?? 0, this.high[route] ?? 0)) return;
    this.#free.push(route);
  }

  #grow(route: number): void {
    const length = lengthFor(route, this.low.length);
    this.low = widen(this.low, new Uint32Array(length));
    this.high = widen(this.high, new Uint32Array(length));
    this.hop = widen(this.hop, new Int32Array(2 * length).fill(NO_HOP));
    this.metric = widen(this.metric, new Uint16Array(2 * length));
    this.refreshedAt = widen(this.refreshedAt, new Float64Array(2 * length));
    this.carriedAt = widen(this.carriedAt, new Float64Array(2 * length));
  }
}
