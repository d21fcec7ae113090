/**
 * Which neighbour a packet for a node is handed to (`wire.md` 9.6, promise W1).
 *
 * Each destination has two slots, ordinary and protected. Neighbours are named by their slot number
 * (`PeerSlots`); the table keeps their state, so that looking a route up is arithmetic over columns.
 * Pure: it is told what happened and says what follows. Sending, signing and the topology are elsewhere.
 */

import { HopColumns, HopState, NO_HOP } from "./hop_columns.ts";
import { ROUTES_MAX, ROUTES_PER_HOP_SHARE } from "../mesh_limits.ts";
import { RouteColumns } from "./route_columns.ts";
import type { Destination, RouteChange, RouteCounters, RouteView } from "./route_types.ts";

/** Options of {@linkcode RouteTable}. */
export interface RouteTableOptions {
  /** An entry that nothing refreshed for so long is dead: three session timeouts. */
  readonly maxAgeMs: number;
  readonly routesMax?: number;
}

const ORDINARY = 0;
const PROTECTED = 1;
/** Metric of a session. */
const METRIC_SESSION = 1;
/** Metric of a pingwave or announcement beside its hop count. */
const METRIC_LEARNED = 2;

/** The routing table of a node. */
export class RouteTable {
  readonly counters: RouteCounters = {
    routes_set_total: 0,
    routes_refreshed_total: 0,
    routes_expired_total: 0,
    routes_removed_total: 0,
    routes_evicted_total: 0,
    drop_route_limit_total: 0,
    drop_route_hop_limit_total: 0,
  };
  readonly #maxAgeMs: number;
  readonly #routesMax: number;
  readonly #perHopMax: number;
  readonly #routes = new RouteColumns();
  readonly #hops = new HopColumns();

  constructor(options: RouteTableOptions) {
    this.#maxAgeMs = options.maxAgeMs;
    this.#routesMax = options.routesMax ?? ROUTES_MAX;
    this.#perHopMax = Math.max(1, Math.floor(this.#routesMax * ROUTES_PER_HOP_SHARE));
  }

  /** Destinations with an entry, dead ones included until the next sweep. */
  get size(): number {
    return this.#routes.size;
  }

  // --- Neighbours ------------------------------------------------------------------------------

  /** Makes a neighbour known: from now on routes may lead through it. */
  addHop(hop: number, low: number, high: number): void {
    this.#hops.add(hop, low, high);
  }

  /** State of a neighbour. */
  hopState(hop: number): HopState {
    return this.#hops.state(hop);
  }

  /** Moves a neighbour between live and suspected; a suspected one is avoided, not given up. */
  suspectHop(hop: number, isSuspected: boolean): void {
    const state = this.#hops.state(hop);
    if (state !== HopState.Live && state !== HopState.Suspected) return;
    this.#hops.setState(hop, isSuspected ? HopState.Suspected : HopState.Live);
  }

  /**
   * Destinations whose way leads through a neighbour now, the neighbour itself left out.
   *
   * @param max How many to return at most.
   */
  destinationsVia(hop: number, max: number, now: number): Destination[] {
    const found: Destination[] = [];
    if (this.#hops.routes(hop) === 0) return found;
    for (const route of this.#routes.values()) {
      if (found.length >= max) break;
      const low = this.#routes.low[route] ?? 0;
      const high = this.#routes.high[route] ?? 0;
      if (this.#hops.isNode(hop, low, high) || this.nextHop(low, high, now) !== hop) continue;
      found.push({ low, high });
    }
    return found;
  }

  /** The neighbour failed: every candidate through it goes. Returns how many. */
  failHop(hop: number): number {
    this.#hops.setState(hop, HopState.Failed);
    return this.#removeVia(hop);
  }

  /** A failed neighbour is back: only the route to itself is. */
  recoverHop(hop: number, now: number): void {
    this.#hops.setState(hop, HopState.Live);
    this.onDirectSession(hop, now);
  }

  /** Forgets a neighbour; its slot number may then be given to another one. Returns routes removed. */
  removeHop(hop: number): number {
    const removed = this.#removeVia(hop);
    this.#hops.setState(hop, HopState.Absent);
    return removed;
  }

  // --- Events ----------------------------------------------------------------------------------

  /** A direct session with the neighbour exists. */
  onDirectSession(hop: number, now: number): RouteChange {
    return this.#put(
      this.#hops.low(hop),
      this.#hops.high(hop),
      PROTECTED,
      hop,
      METRIC_SESSION,
      now,
    );
  }

  /** A session exists with a node that is reached through the neighbour's address. */
  onRoutedSession(low: number, high: number, hop: number, now: number): RouteChange {
    return this.#put(low, high, ORDINARY, hop, METRIC_SESSION, now);
  }

  /** A pingwave of the node came from the neighbour and was accepted. */
  onPingwave(low: number, high: number, hop: number, hopCount: number, now: number): RouteChange {
    return this.#offer(low, high, ORDINARY, hop, hopCount + METRIC_LEARNED, now);
  }

  /**
   * An announcement of the node came from the neighbour.
   *
   * @param isDirect The neighbour owns its address and has a direct session.
   */
  onAnnouncement(
    low: number,
    high: number,
    hop: number,
    hopCount: number,
    isDirect: boolean,
    now: number,
  ): RouteChange {
    if (hopCount === 0) return "refreshed";
    const slot = isDirect ? PROTECTED : ORDINARY;
    return this.#offer(low, high, slot, hop, hopCount + METRIC_LEARNED, now);
  }

  /** The topology offers a way round a withdrawn one. */
  onAlternate(low: number, high: number, hop: number, metric: number, now: number): RouteChange {
    return this.#put(low, high, ORDINARY, hop, metric, now);
  }

  /** The neighbour itself is heard of: keeps the route to it, and only that, alive. */
  refreshHop(hop: number, now: number): void {
    const route = this.#routes.get(this.#hops.low(hop), this.#hops.high(hop));
    if (route === undefined) return;
    for (let place = 2 * route; place < 2 * route + 2; place++) {
      if (this.#routes.hop[place] !== hop) continue;
      this.#routes.refreshedAt[place] = now;
      this.#routes.carriedAt[place] = now;
    }
  }

  /** Removes the candidates of one destination that lead through the neighbour; true if there were any. */
  withdraw(low: number, high: number, hop: number): boolean {
    const route = this.#routes.get(low, high);
    if (route === undefined) return false;
    const before = this.counters.routes_removed_total;
    for (let place = 2 * route; place < 2 * route + 2; place++) {
      if (this.#routes.hop[place] === hop) this.#clear(place);
    }
    const isChanged = this.counters.routes_removed_total !== before;
    this.#routes.forgetIfEmpty(route);
    return isChanged;
  }

  // --- Looking up ------------------------------------------------------------------------------

  /**
   * The neighbour to hand a packet for this node to, or {@linkcode NO_HOP}.
   *
   * The live candidate with the lower metric, the protected one on a tie; a suspected neighbour only
   * when there is no other.
   */
  nextHop(low: number, high: number, now: number): number {
    const place = this.#effective(low, high, now);
    return place < 0 ? NO_HOP : this.#routes.hop[place] ?? NO_HOP;
  }

  /** Metric of the effective route; `Infinity` without one. */
  metric(low: number, high: number, now: number): number {
    const place = this.#effective(low, high, now);
    return place < 0 ? Infinity : this.#routes.metric[place] ?? Infinity;
  }

  /** Effective routes, for display. */
  *routes(now: number): Generator<RouteView, void, undefined> {
    for (const route of this.#routes.values()) {
      const low = this.#routes.low[route] ?? 0;
      const high = this.#routes.high[route] ?? 0;
      const place = this.#effective(low, high, now);
      if (place < 0) continue;
      yield {
        low,
        high,
        hop: this.#routes.hop[place] ?? NO_HOP,
        metric: this.#routes.metric[place] ?? 0,
        isProtected: (place & 1) === PROTECTED,
        ageMs: now - (this.#routes.refreshedAt[place] ?? 0),
      };
    }
  }

  /** Forgets what is too old. Returns how many candidates went. */
  sweep(now: number): number {
    let expired = 0;
    for (const route of this.#routes.values()) {
      for (let place = 2 * route; place < 2 * route + 2; place++) {
        if (this.#routes.hop[place] === NO_HOP || !this.#isOld(place, now)) continue;
        this.#empty(place);
        expired += 1;
      }
      this.#routes.forgetIfEmpty(route);
    }
    this.counters.routes_expired_total += expired;
    return expired;
  }

  #effective(low: number, high: number, now: number): number {
    const route = this.#routes.get(low, high);
    if (route === undefined) return -1;
    const ordinary = 2 * route + ORDINARY;
    const protectedPlace = 2 * route + PROTECTED;
    const ordinaryRank = this.#rank(ordinary, now);
    const protectedRank = this.#rank(protectedPlace, now);
    if (ordinaryRank === 0 && protectedRank === 0) return -1;
    if (ordinaryRank !== protectedRank) {
      return ordinaryRank > protectedRank ? ordinary : protectedPlace;
    }
    const isShorter =
      (this.#routes.metric[ordinary] ?? 0) < (this.#routes.metric[protectedPlace] ?? 0);
    return isShorter ? ordinary : protectedPlace;
  }

  /** 2 usable, 1 only when there is nothing better, 0 not at all. */
  #rank(place: number, now: number): number {
    const hop = this.#routes.hop[place] ?? NO_HOP;
    if (hop === NO_HOP || this.#isOld(place, now)) return 0;
    const state = this.#hops.state(hop);
    return state === HopState.Live ? 2 : state === HopState.Suspected ? 1 : 0;
  }

  // --- Changing --------------------------------------------------------------------------------

  /** Sets the slot if it is empty or the offer is better, else lets the offer keep it alive. */
  #offer(
    low: number,
    high: number,
    slot: number,
    hop: number,
    metric: number,
    now: number,
  ): RouteChange {
    // What a failed neighbour still says neither makes a route nor keeps another's alive.
    if (!this.#isUsable(hop)) return "unusable_hop";
    const route = this.#routes.get(low, high);
    const place = route === undefined ? -1 : 2 * route + slot;
    const isOwn = this.#hops.isNode(hop, low, high);
    if (place < 0 || this.#isReplaceable(place, hop, metric, isOwn, now)) {
      return this.#put(low, high, slot, hop, metric, now);
    }
    const isSameHop = this.#routes.hop[place] === hop;
    if (!isSameHop && slot === PROTECTED) return "refreshed";
    this.#routes.refreshedAt[place] = now;
    if (isSameHop) this.#routes.carriedAt[place] = now;
    this.counters.routes_refreshed_total += 1;
    return "refreshed";
  }

  #isReplaceable(
    place: number,
    hop: number,
    metric: number,
    isOwn: boolean,
    now: number,
  ): boolean {
    const current = this.#routes.hop[place] ?? NO_HOP;
    if (current === NO_HOP || this.#isOld(place, now)) return true;
    const currentRank = this.#rank(place, now);
    const rank = this.hopState(hop) === HopState.Live ? 2 : 1;
    if (rank !== currentRank) return rank > currentRank;
    // What the hop in use says is always news: a way that became longer, or was thought shorter than it
    // is, would keep better ones out, and two nodes could each take the other for closer for ever.
    if (current === hop && !isOwn) return metric !== this.#routes.metric[place];
    // Others kept the entry alive while its own hop was silent about the node: a withdrawal got lost.
    if (current !== hop && now - (this.#routes.carriedAt[place] ?? 0) > this.#maxAgeMs) return true;
    return metric < (this.#routes.metric[place] ?? 0);
  }

  #put(
    low: number,
    high: number,
    slot: number,
    hop: number,
    metric: number,
    now: number,
  ): RouteChange {
    if (!this.#isUsable(hop)) return "unusable_hop";
    const isOwn = this.#hops.isNode(hop, low, high);
    const known = this.#routes.get(low, high);
    const holdsAlready = known !== undefined && this.#routes.hop[2 * known + slot] === hop;
    if (!isOwn && !holdsAlready && this.#hops.routes(hop) >= this.#perHopMax) {
      this.counters.drop_route_hop_limit_total += 1;
      return "limit";
    }
    const route = known ?? this.#create(low, high, isOwn, now);
    if (route === undefined) {
      this.counters.drop_route_limit_total += 1;
      return "limit";
    }
    const place = 2 * route + slot;
    this.#empty(place);
    this.#routes.hop[place] = hop;
    this.#routes.metric[place] = Math.min(metric, 0xffff);
    this.#routes.refreshedAt[place] = now;
    this.#routes.carriedAt[place] = now;
    this.#hops.gainRoute(hop);
    this.counters.routes_set_total += 1;
    return "set";
  }

  #create(low: number, high: number, isOwn: boolean, now: number): number | undefined {
    if (this.#routes.size >= this.#routesMax) {
      // A neighbour's own route always finds room; what others tell of strangers does not.
      if (!isOwn || !this.#evict(now)) return undefined;
    }
    return this.#routes.create(low, high);
  }

  /** Makes room: whatever is too old, else the farthest route that no session stands behind. */
  #evict(now: number): boolean {
    if (this.sweep(now) > 0 && this.#routes.size < this.#routesMax) return true;
    let worst = -1;
    for (const route of this.#routes.values()) {
      if (this.#routes.hop[2 * route + PROTECTED] !== NO_HOP) continue;
      if (worst < 0 || this.#isFarther(route, worst)) worst = route;
    }
    if (worst < 0) return false;
    this.#empty(2 * worst + ORDINARY);
    this.#routes.forgetIfEmpty(worst);
    this.counters.routes_evicted_total += 1;
    return true;
  }

  #isFarther(route: number, other: number): boolean {
    const metric = this.#routes.metric[2 * route] ?? 0;
    const otherMetric = this.#routes.metric[2 * other] ?? 0;
    if (metric !== otherMetric) return metric > otherMetric;
    return (this.#routes.refreshedAt[2 * route] ?? 0) < (this.#routes.refreshedAt[2 * other] ?? 0);
  }

  #removeVia(hop: number): number {
    if (this.#hops.routes(hop) === 0) return 0;
    const before = this.counters.routes_removed_total;
    for (const route of this.#routes.values()) {
      for (let place = 2 * route; place < 2 * route + 2; place++) {
        if (this.#routes.hop[place] === hop) this.#clear(place);
      }
      this.#routes.forgetIfEmpty(route);
    }
    return this.counters.routes_removed_total - before;
  }

  #clear(place: number): void {
    this.#empty(place);
    this.counters.routes_removed_total += 1;
  }

  #empty(place: number): void {
    const hop = this.#routes.hop[place] ?? NO_HOP;
    if (hop === NO_HOP) return;
    this.#hops.loseRoute(hop);
    this.#routes.hop[place] = NO_HOP;
  }

  #isUsable(hop: number): boolean {
    const state = this.#hops.state(hop);
    return state === HopState.Live || state === HopState.Suspected;
  }

  #isOld(place: number, now: number): boolean {
    return now - (this.#routes.refreshedAt[place] ?? 0) > this.#maxAgeMs;
  }
}
