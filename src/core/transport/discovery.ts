/**
 * Pingwaves and what is learned from them: which nodes exist and through which peer they are reached
 * (`wire.md` 10, 9.6). The whole two-slot routing table builds on this.
 */

import type { Clock } from "../../base/mod.ts";
import { highHalf, joinHalves, lowHalf, PairMap } from "../../base/mod.ts";
import type { TransportCounters } from "./counters.ts";
import { DISCOVERED_MAX, PINGWAVE_HOPS_MAX, PINGWAVE_TTL, PINGWAVES_SEEN_MAX } from "./limits.ts";
import type { Peer, PeerTable } from "./peers.ts";
import { encodePingwave, forwardPingwave, PINGWAVE_BYTES } from "./pingwave.ts";

/** A node heard of through a peer. */
export interface DiscoveredNode {
  readonly nodeId: bigint;
  readonly via: bigint;
  readonly hops: number;
  readonly seenAt: number;
}

interface Entry {
  readonly low: number;
  readonly high: number;
  via: Peer;
  hops: number;
  seenAt: number;
}

/** Offsets inside a pingwave that are read without decoding it. */
const SEQUENCE_AT = 32;
const TTL_AT = 40;
const HOPS_AT = 41;
const HEALTH_AT = 63;

/** Learns from and passes on pingwaves. */
export class Discovery {
  readonly #peers: PeerTable;
  readonly #counters: TransportCounters;
  readonly #clock: Clock;
  readonly #nodeId: bigint;
  readonly #maxAgeMs: number;
  readonly #nodes = new PairMap<Entry>(64);
  /** (origin, sequence) pairs seen, in two generations so that forgetting is one assignment. */
  #seen = new Set<string>();
  #seenBefore = new Set<string>();
  #sequence = 0n;

  constructor(
    deps: {
      readonly peers: PeerTable;
      readonly counters: TransportCounters;
      readonly clock: Clock;
    },
    options: { readonly nodeId: bigint; readonly sessionTimeoutMs: number },
  ) {
    this.#peers = deps.peers;
    this.#counters = deps.counters;
    this.#clock = deps.clock;
    this.#nodeId = options.nodeId;
    this.#maxAgeMs = 3 * options.sessionTimeoutMs;
  }

  /** Nodes heard of and not yet forgotten. */
  nodes(): DiscoveredNode[] {
    return [...this.#nodes.values()].map((entry) => ({
      nodeId: joinHalves(entry.low, entry.high),
      via: entry.via.nodeId,
      hops: entry.hops,
      seenAt: entry.seenAt,
    }));
  }

  /** The peer to hand a packet for this node to. */
  nextHop(low: number, high: number): Peer | undefined {
    const direct = this.#peers.getByHalves(low, high);
    if (direct?.isConnected && direct.route.relayTo === undefined) return direct;
    const entry = this.#nodes.get(low, high);
    if (entry === undefined || this.#clock.now() - entry.seenAt > this.#maxAgeMs) return undefined;
    return entry.via.isConnected ? entry.via : undefined;
  }

  /** A pingwave of this node's own. */
  createPingwave(): Uint8Array {
    this.#sequence += 1n;
    return encodePingwave({
      originId: this.#nodeId,
      sequence: this.#sequence,
      ttl: PINGWAVE_TTL,
      timestampUs: BigInt(Math.floor(this.#clock.wallMs() * 1000)),
    });
  }

  /**
   * Takes a pingwave in; returns the peers it has to be passed on to, its bytes already changed for that.
   *
   * @param bytes The 72 bytes of the datagram; changed in place when they are to be forwarded.
   */
  receive(bytes: Uint8Array, from: Peer | undefined): readonly Peer[] {
    const counters = this.#counters;
    const view = new DataView(bytes.buffer, bytes.byteOffset, PINGWAVE_BYTES);
    const low = view.getUint32(0, true);
    const high = view.getUint32(4, true);
    const hops = view.getUint8(HOPS_AT);
    if (
      hops > PINGWAVE_HOPS_MAX || view.getUint8(HEALTH_AT) > 3 ||
      (low === lowHalf(this.#nodeId) && high === highHalf(this.#nodeId))
    ) {
      counters.drop_pingwave_invalid_total += 1;
      return [];
    }
    if (from === undefined) {
      counters.drop_pingwave_unowned_total += 1;
      return [];
    }
    const key = bytes.subarray(0, SEQUENCE_AT + 8).toHex();
    if (this.#seen.has(key) || this.#seenBefore.has(key)) {
      counters.drop_pingwave_seen_total += 1;
      return [];
    }
    if (this.#seen.size >= PINGWAVES_SEEN_MAX) {
      this.#seenBefore = this.#seen;
      this.#seen = new Set();
    }
    this.#seen.add(key);
    if (!this.#learn(low, high, from, hops)) {
      counters.drop_pingwave_limit_total += 1;
      return [];
    }
    counters.pingwaves_accepted_total += 1;
    if (view.getUint8(TTL_AT) === 0) return [];
    const towardOrigin = this.nextHop(low, high);
    const next: Peer[] = [];
    for (const peer of this.#peers.values()) {
      if (peer === from || peer === towardOrigin || !peer.isConnected || !peer.ownsAddress) {
        continue;
      }
      next.push(peer);
    }
    if (next.length > 0) {
      forwardPingwave(bytes);
      counters.pingwaves_forwarded_total += next.length;
    }
    return next;
  }

  /** Forgets what went through the peer. */
  forgetVia(peer: Peer): void {
    for (const entry of this.#nodes.values()) {
      if (entry.via === peer) this.#nodes.delete(entry.low, entry.high);
    }
  }

  /** Forgets the way to `low`/`high` if it goes through the peer (`wire.md` 12). */
  withdraw(low: number, high: number, peer: Peer): void {
    if (this.#nodes.get(low, high)?.via === peer) this.#nodes.delete(low, high);
  }

  /** Forgets what is too old. */
  sweep(): void {
    const now = this.#clock.now();
    for (const entry of this.#nodes.values()) {
      if (now - entry.seenAt > this.#maxAgeMs) this.#nodes.delete(entry.low, entry.high);
    }
  }

  #learn(low: number, high: number, via: Peer, hops: number): boolean {
    const entry = this.#nodes.get(low, high);
    const now = this.#clock.now();
    if (entry === undefined) {
      if (this.#nodes.size >= DISCOVERED_MAX) return false;
      this.#nodes.set(low, high, { low, high, via, hops, seenAt: now });
      return true;
    }
    // A next hop is replaced by a strictly shorter way, or when it can no longer be used.
    if (hops < entry.hops || !entry.via.isConnected) {
      entry.via = via;
      entry.hops = hops;
    }
    entry.seenAt = now;
    return true;
  }
}
