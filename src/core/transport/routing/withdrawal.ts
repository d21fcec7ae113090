/**
 * Route withdrawals (`wire.md` 12): when to say that a node is unreachable through us, and what to make
 * of a neighbour saying so.
 *
 * Pure: it changes the routing table and the topology it was given and returns what to send. Encoding
 * and sending are the transport's.
 */

import { PairMap } from "../../../base/mod.ts";
import { HopState, NO_HOP } from "./hop_columns.ts";
import {
  ALTERNATE_SEARCHES_MAX,
  WITHDRAWAL_CASCADES_MAX,
  WITHDRAWAL_DAMPED_MAX,
  WITHDRAWAL_DAMPING_MS,
  WITHDRAWAL_HISTORY_MAX,
} from "../mesh_limits.ts";
import type { RouteTable } from "./route_table.ts";
import type { FirstHops, Topology } from "./topology.ts";

/** A withdrawal to send to every connected peer but the two named ones. */
export interface WithdrawalEmission {
  /** The node that is unreachable through us; it is not told. */
  readonly low: number;
  readonly high: number;
  /** Number to send: per sender, from 0, one counter for all destinations. */
  readonly sequence: bigint;
  /** Slot of the peer that is not told, because it said so itself or because it failed. */
  readonly exceptHop: number;
}

/** What follows from a withdrawal received. */
export type WithdrawalDecision =
  | { readonly kind: "ignored"; readonly reason: "own" | "stale" | "unknown_hop" }
  /** The route in use does not lead through the sender, or there was none. */
  | { readonly kind: "kept" }
  /** Another way was found. */
  | { readonly kind: "rerouted"; readonly hop: number }
  /** No way is left; `emission` is `undefined` when damped or too many cascades run. */
  | { readonly kind: "lost"; readonly emission: WithdrawalEmission | undefined };

/** Counters of withdrawals. */
export interface WithdrawalCounters {
  withdrawals_received_total: number;
  withdrawals_ignored_total: number;
  withdrawals_kept_total: number;
  withdrawals_rerouted_total: number;
  withdrawals_lost_total: number;
  withdrawals_emitted_total: number;
  withdrawals_damped_total: number;
  drop_withdrawal_cascade_limit_total: number;
  withdrawal_history_evicted_total: number;
}

/** What {@linkcode RouteWithdrawals} needs. */
export interface RouteWithdrawalsDeps {
  readonly routes: RouteTable;
  readonly topology: Topology;
  readonly hops: FirstHops;
}

/** Options of {@linkcode RouteWithdrawals}. */
export interface RouteWithdrawalsOptions {
  readonly selfLow: number;
  readonly selfHigh: number;
  readonly historyMax?: number;
}

/** Last sequence of each destination that one sender withdrew. */
interface History {
  readonly last: PairMap<bigint>;
  /** Destinations in the order they came, as a ring: the oldest makes room. */
  readonly order: { readonly low: number; readonly high: number }[];
  next: number;
}

interface Damped {
  readonly until: number;
  readonly isCascade: boolean;
}

/**
 * First hops as the routing table knows them.
 *
 * @param slotOf Slot of the peer with an id, or `NO_HOP`.
 */
export function createFirstHops(slotOf: FirstHops["slotOf"], routes: RouteTable): FirstHops {
  return {
    slotOf,
    isUsable: (slot) => {
      const state = routes.hopState(slot);
      return state === HopState.Live || state === HopState.Suspected;
    },
    isSuspected: (slot) => routes.hopState(slot) === HopState.Suspected,
  };
}

/** Decides about withdrawals. */
export class RouteWithdrawals {
  readonly counters: WithdrawalCounters = {
    withdrawals_received_total: 0,
    withdrawals_ignored_total: 0,
    withdrawals_kept_total: 0,
    withdrawals_rerouted_total: 0,
    withdrawals_lost_total: 0,
    withdrawals_emitted_total: 0,
    withdrawals_damped_total: 0,
    drop_withdrawal_cascade_limit_total: 0,
    withdrawal_history_evicted_total: 0,
  };
  readonly #deps: RouteWithdrawalsDeps;
  readonly #options: RouteWithdrawalsOptions;
  readonly #historyMax: number;
  readonly #histories = new Map<number, History>();
  /** Emissions of the last second, oldest first, by destination and excluded peer. */
  readonly #damped = new Map<string, Damped>();
  #cascades = 0;
  #sequence = 0n;

  constructor(deps: RouteWithdrawalsDeps, options: RouteWithdrawalsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#historyMax = options.historyMax ?? WITHDRAWAL_HISTORY_MAX;
  }

  /** Cascades running now. */
  cascadesActive(now: number): number {
    this.#forgetDamped(now);
    return this.#cascades;
  }

  /** A new session with the neighbour: its sequences may start over. */
  onNewSession(hop: number): void {
    this.#histories.delete(hop);
  }

  /** The neighbour was forgotten. */
  onHopRemoved(hop: number): void {
    this.#histories.delete(hop);
  }

  /**
   * A direct neighbour failed: its routes go, other ways are looked for, and all others are told.
   *
   * @param low Id of the neighbour.
   * @returns What to send: first that the neighbour is gone, unless the same was said within the last
   * second, then which nodes behind it are.
   */
  onHopFailed(hop: number, low: number, high: number, now: number): WithdrawalEmission[] {
    const { routes, topology } = this.#deps;
    const behind = routes.destinationsVia(hop, ALTERNATE_SEARCHES_MAX, now);
    routes.failHop(hop);
    topology.removeNeighbour(hop, low, high);
    const emissions: WithdrawalEmission[] = [];
    const own = this.#emit(low, high, hop, false, now);
    if (own !== undefined) emissions.push(own);
    // Others may still hear the neighbour; what they then say of it, or the graph now, leads round.
    if (routes.nextHop(low, high, now) === NO_HOP) this.#reroute(hop, low, high, now);
    for (const node of behind) {
      if (routes.nextHop(node.low, node.high, now) !== NO_HOP) continue;
      if (this.#reroute(hop, node.low, node.high, now) !== NO_HOP) continue;
      const emission = this.#emit(node.low, node.high, hop, true, now);
      if (emission !== undefined) emissions.push(emission);
    }
    return emissions;
  }

  /**
   * A neighbour fell silent: where another way is known it is used (promise W1). The old one is given up
   * for those nodes, and comes back with their next pingwave if it is the shorter one.
   *
   * @returns How many nodes are reached another way now.
   */
  onHopSuspected(hop: number, now: number): number {
    const { routes, topology, hops } = this.#deps;
    let rerouted = 0;
    for (const { low, high } of routes.destinationsVia(hop, ALTERNATE_SEARCHES_MAX, now)) {
      const path = topology.findAlternate(low, high, hop, hops, now);
      if (path === undefined || hops.isSuspected(path.hop)) continue;
      if (routes.onAlternate(low, high, path.hop, path.edges + 1, now) === "set") rerouted += 1;
    }
    return rerouted;
  }

  /** A neighbour says that a node is unreachable through it. */
  onReceived(
    hop: number,
    senderLow: number,
    senderHigh: number,
    low: number,
    high: number,
    sequence: bigint,
    now: number,
  ): WithdrawalDecision {
    const { counters } = this;
    counters.withdrawals_received_total += 1;
    const ignored = this.#whyIgnored(hop, senderLow, senderHigh, low, high, sequence);
    if (ignored !== undefined) {
      counters.withdrawals_ignored_total += 1;
      return { kind: "ignored", reason: ignored };
    }
    const { routes, topology } = this.#deps;
    topology.removeEdge(senderLow, senderHigh, low, high);
    const isAffected = routes.withdraw(low, high, hop);
    if (!isAffected || routes.nextHop(low, high, now) !== NO_HOP) {
      counters.withdrawals_kept_total += 1;
      return { kind: "kept" };
    }
    const other = this.#reroute(hop, low, high, now);
    if (other !== NO_HOP) {
      counters.withdrawals_rerouted_total += 1;
      return { kind: "rerouted", hop: other };
    }
    counters.withdrawals_lost_total += 1;
    return { kind: "lost", emission: this.#emit(low, high, hop, true, now) };
  }

  #whyIgnored(
    hop: number,
    senderLow: number,
    senderHigh: number,
    low: number,
    high: number,
    sequence: bigint,
  ): "own" | "stale" | "unknown_hop" | undefined {
    const { selfLow, selfHigh } = this.#options;
    if (low === selfLow && high === selfHigh) return "own";
    if (low === senderLow && high === senderHigh) return "own";
    if (this.#deps.routes.hopState(hop) === HopState.Absent) return "unknown_hop";
    return this.#isFresh(hop, low, high, sequence) ? undefined : "stale";
  }

  #isFresh(hop: number, low: number, high: number, sequence: bigint): boolean {
    let history = this.#histories.get(hop);
    if (history === undefined) {
      history = { last: new PairMap<bigint>(8), order: [], next: 0 };
      this.#histories.set(hop, history);
    }
    const last = history.last.get(low, high);
    if (last !== undefined) {
      if (sequence <= last) return false;
    } else if (history.order.length < this.#historyMax) history.order.push({ low, high });
    else {
      const oldest = history.order[history.next];
      if (oldest !== undefined) history.last.delete(oldest.low, oldest.high);
      history.order[history.next] = { low, high };
      history.next = (history.next + 1) % this.#historyMax;
      this.counters.withdrawal_history_evicted_total += 1;
    }
    history.last.set(low, high, sequence);
    return true;
  }

  /** A live direct session, else a path of the topology with another first hop. */
  #reroute(hop: number, low: number, high: number, now: number): number {
    const { routes, topology, hops } = this.#deps;
    const direct = hops.slotOf(low, high);
    if (direct !== NO_HOP && direct !== hop && hops.isUsable(direct)) {
      return routes.onDirectSession(direct, now) === "set" ? direct : NO_HOP;
    }
    const path = topology.findAlternate(low, high, hop, hops, now);
    if (path === undefined) return NO_HOP;
    // A pingwave over as many edges would give hops + 2, which is one more than the edges.
    const change = routes.onAlternate(low, high, path.hop, path.edges + 1, now);
    return change === "set" ? path.hop : NO_HOP;
  }

  #emit(
    low: number,
    high: number,
    exceptHop: number,
    isCascade: boolean,
    now: number,
  ): WithdrawalEmission | undefined {
    this.#forgetDamped(now);
    const key = `${low},${high},${exceptHop}`;
    if (this.#damped.has(key)) {
      this.counters.withdrawals_damped_total += 1;
      return undefined;
    }
    const isTooMuch = isCascade
      ? this.#cascades >= WITHDRAWAL_CASCADES_MAX
      : this.#damped.size >= WITHDRAWAL_DAMPED_MAX;
    if (isTooMuch) {
      this.counters.drop_withdrawal_cascade_limit_total += 1;
      return undefined;
    }
    this.#damped.set(key, { until: now + WITHDRAWAL_DAMPING_MS, isCascade });
    if (isCascade) this.#cascades += 1;
    this.counters.withdrawals_emitted_total += 1;
    return { low, high, sequence: this.#sequence++, exceptHop };
  }

  #forgetDamped(now: number): void {
    // Entries are kept in the order of their time, so the first that is still young ends the walk.
    for (const [key, { until, isCascade }] of this.#damped) {
      if (until > now) return;
      this.#damped.delete(key);
      if (isCascade) this.#cascades -= 1;
    }
  }
}
