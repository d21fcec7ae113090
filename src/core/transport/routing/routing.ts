/**
 * Which neighbour leads to a node (`wire.md` 9.6, 10.2, 12; promise W1): the routing table, the graph of
 * who hears whom and the withdrawals, told of what happens to peers.
 *
 * Peers that are reached without a relay are hops, by their slots. What has to be said to others goes to
 * `flood`; sessions behind a relay are led another way when that relay fails.
 */

import { type Clock, highHalf, joinHalves, lowHalf } from "../../../base/mod.ts";
import type { ConductTable } from "../peers/conduct.ts";
import { type FanOut, fanOut, fanOutStart } from "./fan_out.ts";
import { HopState, NO_HOP } from "./hop_columns.ts";
import { Neighbours } from "./neighbours.ts";
import { NodeTable } from "./node_table.ts";
import type { Peer, PeerTable } from "../peers/peers.ts";
import { RouteTable } from "./route_table.ts";
import { type FirstHops, Topology } from "./topology.ts";
import type { RouteInfo } from "../types.ts";
import { createFirstHops, RouteWithdrawals, type WithdrawalEmission } from "./withdrawal.ts";

/** What {@linkcode Routing} needs. */
export interface RoutingDeps {
  readonly peers: PeerTable;
  readonly clock: Clock;
  readonly conduct: ConductTable;
  /** Tells the other neighbours. */
  readonly flood: (emission: WithdrawalEmission) => void;
}

/** Options of {@linkcode Routing}. */
export interface RoutingOptions {
  readonly nodeId: bigint;
  readonly sessionTimeoutMs: number;
}

/** Counters of routing beside those of its parts. */
export interface RoutingCounters {
  /** Sessions behind a relay that were led through another one. */
  sessions_steered_total: number;
  routes_avoided_total: number;
}

/** Routes and edges are good for so many session timeouts. */
const AGE_TIMEOUTS = 3;

/** Routing of one node. */
export class Routing {
  readonly counters: RoutingCounters = { sessions_steered_total: 0, routes_avoided_total: 0 };
  readonly neighbours = new Neighbours();
  readonly nodes: NodeTable;
  readonly topology: Topology;
  readonly #deps: RoutingDeps;
  readonly #table: RouteTable;
  readonly #withdrawals: RouteWithdrawals;
  readonly #hops: FirstHops;

  constructor(deps: RoutingDeps, { nodeId, sessionTimeoutMs }: RoutingOptions) {
    this.#deps = deps;
    const maxAgeMs = AGE_TIMEOUTS * sessionTimeoutMs;
    const self = { selfLow: lowHalf(nodeId), selfHigh: highHalf(nodeId) };
    const table = this.#table = new RouteTable({ maxAgeMs });
    this.topology = new Topology({ ...self, maxAgeMs });
    this.nodes = new NodeTable({ maxAgeMs });
    const hops = createFirstHops((low, high) => deps.peers.slotOf(low, high), table);
    this.#hops = hops;
    this.#withdrawals = new RouteWithdrawals(
      { routes: table, topology: this.topology, hops },
      self,
    );
  }

  // --- Looking up ------------------------------------------------------------------------------

  /** The neighbour to hand a packet for this node to. */
  nextHop(low: number, high: number, now: number): Peer | undefined {
    const slot = this.#table.nextHop(low, high, now);
    return slot === NO_HOP ? undefined : this.#deps.peers.at(slot);
  }

  /**
   * Neighbours to pass on to what a node says of itself: not back, not towards it, and of very many some.
   *
   * @param turn Number of this message among those of its origin.
   */
  passOnTo(origin: bigint, from: bigint, turn: number, bounds: FanOut): bigint[] {
    const { neighbours } = this;
    const { size } = neighbours;
    const low = lowHalf(origin);
    const towards = this.nextHop(low, highHalf(origin), this.#deps.clock.now());
    const start = fanOutStart(low, turn, size, bounds);
    const chosen: bigint[] = [];
    for (let i = 0; i < fanOut(size, bounds); i++) {
      const peer = neighbours.at((start + i) % size);
      if (peer === undefined || peer === towards || !peer.isNeighbour) continue;
      if (peer.nodeId !== from && peer.nodeId !== origin) chosen.push(peer.nodeId);
    }
    return chosen;
  }

  /** Routes in use, for display. */
  routes(): RouteInfo[] {
    const now = this.#deps.clock.now();
    return [...this.#table.routes(now)].map((route) => ({
      nodeId: joinHalves(route.low, route.high),
      via: this.#idOf(route.hop),
      metric: route.metric,
      isProtected: route.isProtected,
      isSuspected: this.#table.hopState(route.hop) === HopState.Suspected,
      ageMs: route.ageMs,
    }));
  }

  /** Sizes of the tables. */
  sizes(): { readonly routes: number; readonly edges: number; readonly nodes: number } {
    return {
      routes: this.#table.size,
      edges: this.topology.edgeCount,
      nodes: this.nodes.size,
    };
  }

  /** Counters of all parts, by the names of metrics. */
  allCounters(): Record<string, number> {
    return {
      ...this.counters,
      ...this.#table.counters,
      ...this.topology.counters,
      ...this.#withdrawals.counters,
    };
  }

  // --- Peers -----------------------------------------------------------------------------------

  /** The peer has a session, a first or another one, and showed that it holds the keys. */
  onSession(peer: Peer): void {
    const now = this.#deps.clock.now();
    this.#withdrawals.onNewSession(peer.slot);
    if (peer.isNeighbour) {
      const state = this.#table.hopState(peer.slot);
      if (state === HopState.Absent) this.#table.addHop(peer.slot, peer.low, peer.high);
      else if (state === HopState.Failed) this.#table.recoverHop(peer.slot, now);
      this.#table.onDirectSession(peer.slot, now);
      this.#judgeHop(peer);
      this.neighbours.add(peer);
      return;
    }
    // It was a neighbour before, and is behind a relay now.
    this.#removeHop(peer);
    const relay = this.#deps.peers.ownerOf(peer.address);
    if (relay !== undefined) {
      this.#table.onRoutedSession(peer.low, peer.high, relay.slot, now);
    }
  }

  /** The peer is suspected, or no longer. */
  onSuspicion(peer: Peer, isSuspected: boolean): void {
    this.#judgeHop(peer);
    if (!isSuspected) return;
    if (this.neighbours.has(peer)) this.#leadAround(peer);
    else if (peer.relayTo !== undefined) this.#steer(peer, true);
  }

  /** The failure detector gave the peer up. */
  onFailed(peer: Peer): void {
    const now = this.#deps.clock.now();
    if (!this.neighbours.delete(peer)) return;
    for (const emission of this.#withdrawals.onHopFailed(peer.slot, peer.low, peer.high, now)) {
      this.#deps.flood(emission);
    }
    this.#steerAll(peer);
  }

  /** A failed peer is back: only the route to itself is (`wire.md` 9.6). */
  onRecovered(peer: Peer): void {
    if (!peer.isNeighbour) return;
    this.#table.recoverHop(peer.slot, this.#deps.clock.now());
    this.neighbours.add(peer);
  }

  /** The peer lost its session and is expected back: avoided until then. */
  onSessionLost(peer: Peer): void {
    this.#table.suspectHop(peer.slot, true);
    if (this.neighbours.has(peer)) this.#leadAround(peer);
  }

  /** A neighbour is reached at another address: so are those behind it. */
  onMoved(): void {
    const { peers } = this.#deps;
    for (let slot = 0; slot < peers.slotsEnd; slot++) {
      const peer = peers.at(slot);
      if (peer?.relayTo === undefined) continue;
      if (peers.ownerOf(peer.address) === undefined) this.#steer(peer, false);
    }
  }

  /** The peer is forgotten and its slot free. */
  onGone(peer: Peer): void {
    this.onFailed(peer);
    this.#removeHop(peer);
    this.#withdrawals.onHopRemoved(peer.slot);
    this.nodes.forgetVia(peer.slot);
  }

  /** An authentic heartbeat of a neighbour: the way to itself is good. */
  onHeartbeat(peer: Peer): void {
    this.#judgeHop(peer);
    this.#table.refreshHop(peer.slot, this.#deps.clock.now());
  }

  // --- What neighbours tell --------------------------------------------------------------------

  /** Which peers packets may be handed to. */
  get hops(): FirstHops {
    return this.#hops;
  }

  /** A pingwave of a node came from a neighbour and was accepted. */
  onPingwave(
    from: Peer,
    low: number,
    high: number,
    hopCount: number,
    latencyMs: number,
    now: number,
  ): void {
    this.topology.onPingwave(from.slot, from.low, from.high, low, high, latencyMs, now);
    // A neighbour's own word keeps its own route; the other slot is for a way round it.
    if (from.low === low && from.high === high) this.#table.refreshHop(from.slot, now);
    else this.#table.onPingwave(low, high, from.slot, hopCount, now);
  }

  /** A signed announcement of a node came from a peer, over so many hops. */
  onAnnouncement(origin: bigint, via: Peer, hopCount: number): void {
    const now = this.#deps.clock.now();
    const { slot, isNeighbour } = via;
    this.#table.onAnnouncement(
      lowHalf(origin),
      highHalf(origin),
      slot,
      hopCount,
      isNeighbour,
      now,
    );
  }

  /** A peer says that a node is unreachable through it. */
  onWithdrawal(from: Peer, destination: bigint, sequence: bigint): void {
    const now = this.#deps.clock.now();
    const low = lowHalf(destination);
    const high = highHalf(destination);
    const decision = this.#withdrawals.onReceived(
      from.slot,
      from.low,
      from.high,
      low,
      high,
      sequence,
      now,
    );
    if (decision.kind === "ignored") return;
    const peer = this.#deps.peers.getByHalves(low, high);
    if (peer?.relayTo !== undefined && this.#isLedThrough(peer, from)) {
      this.#steer(peer, true);
    }
    if (decision.kind === "lost" && decision.emission !== undefined) {
      this.#deps.flood(decision.emission);
    }
  }

  /** Forgets what is too old; once per heartbeat interval. */
  sweep(now: number): void {
    this.#table.sweep(now);
    this.topology.sweep(now);
    this.nodes.sweep(now);
  }

  // --- Within ----------------------------------------------------------------------------------

  /** Silence and poor conduct both let others go first. */
  #judgeHop(peer: Peer): void {
    const isAvoided = peer.state === "suspected" || this.#deps.conduct.isPoor(peer.slot);
    this.#table.suspectHop(peer.slot, isAvoided);
  }

  /** Leads what goes through a silent neighbour through others, where that is possible. */
  #leadAround(peer: Peer): void {
    const now = this.#deps.clock.now();
    this.counters.routes_avoided_total += this.#withdrawals.onHopSuspected(peer.slot, now);
    this.#steerAll(peer);
  }

  /** Sessions behind this relay are led another way. */
  #steerAll(relay: Peer): void {
    const { peers } = this.#deps;
    for (let slot = 0; slot < peers.slotsEnd; slot++) {
      const peer = peers.at(slot);
      if (peer?.relayTo === undefined) continue;
      if (this.#isLedThrough(peer, relay)) this.#steer(peer, false);
    }
  }

  /**
   * Sends a session's packets through the neighbour that the table names instead of the relay they took.
   *
   * That is safe: the session is sealed end to end, and the new first hop is a live neighbour. If it
   * leads nowhere the session fails as it would have.
   *
   * @param isLookedFor The way in use is known to be bad: the graph is asked if the table has no other.
   */
  #steer(peer: Peer, isLookedFor: boolean): void {
    const { peers, clock } = this.#deps;
    const now = clock.now();
    const { low, high, relayTo } = peer;
    const relay = peers.ownerOf(peer.address);
    let hop = this.nextHop(low, high, now);
    if (isLookedFor && (hop === undefined || hop === relay)) {
      const relaySlot = relay?.slot ?? NO_HOP;
      const path = this.topology.findAlternate(low, high, relaySlot, this.#hops, now);
      hop = path === undefined ? undefined : peers.at(path.hop);
    }
    if (hop === undefined || hop === relay || !hop.isNeighbour) return;
    if (this.#table.hopState(hop.slot) !== HopState.Live) return;
    peers.setRoute(peer, { address: hop.address, relayTo }, false);
    this.#table.onRoutedSession(low, high, hop.slot, now);
    this.counters.sessions_steered_total += 1;
  }

  #isLedThrough(peer: Peer, relay: Peer): boolean {
    return this.#deps.peers.ownerOf(peer.address) === relay;
  }

  #removeHop(peer: Peer): void {
    this.neighbours.delete(peer);
    this.#table.removeHop(peer.slot);
    this.topology.removeNeighbour(peer.slot, peer.low, peer.high);
  }

  #idOf(slot: number): bigint {
    return this.#deps.peers.at(slot)?.nodeId ?? 0n;
  }
}
