/** Routes as the rest of routing sees them. */

/** What became of an offered route. */
export type RouteChange = "set" | "refreshed" | "unusable_hop" | "limit";

/** Counters of the table. */
export interface RouteCounters {
  routes_set_total: number;
  routes_refreshed_total: number;
  routes_expired_total: number;
  routes_removed_total: number;
  /** Forgotten to make room for a neighbour's own route. */
  routes_evicted_total: number;
  drop_route_limit_total: number;
  drop_route_hop_limit_total: number;
}

/** A route for display. */
export interface RouteView {
  readonly low: number;
  readonly high: number;
  readonly hop: number;
  readonly metric: number;
  readonly isProtected: boolean;
  readonly ageMs: number;
}

/** A node that a route leads to. */
export interface Destination {
  readonly low: number;
  readonly high: number;
}
