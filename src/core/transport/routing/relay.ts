/**
 * Packets for others (`wire.md` 9.3, 9.4; promises W2, W7, 93): which neighbour they are handed to, and
 * why some are not.
 *
 * Nothing behind the routing header is changed, and nothing is believed of it; the header inside is read
 * only to recognise loops, to keep statistics, and to find the partner of a Rust endpoint.
 */

import { type ConductTable, Misconduct } from "../peers/conduct.ts";
import type { TransportCounters } from "../counters.ts";
import type { Egress } from "./egress.ts";
import { FLAG_HANDSHAKE } from "../wire/header.ts";
import { LoopGuard } from "./loop_guard.ts";
import type { Peer, PeerTable } from "../peers/peers.ts";
import { type RateLimits, STRANGERS, TrafficKind } from "../peers/rate_limits.ts";
import { RelayedPairs } from "./relayed_pairs.ts";
import { RelayedStreams } from "./relayed_streams.ts";
import {
  forwardRoutingHeader,
  ROUTING_HEADER_BYTES,
  type RoutingHeader,
} from "../wire/routing_header.ts";
import { GatePlace, type RelayGate } from "./relay_gate.ts";
import type { Routing } from "./routing.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode Relay} needs. */
export interface RelayDeps {
  readonly counters: TransportCounters;
  readonly egress: Egress;
  readonly peers: PeerTable;
  readonly routing: Routing;
  readonly rates: RateLimits;
  readonly conduct: ConductTable;
  /** Datagrams lie here. */
  readonly memory: Uint8Array;
}

/** Options of {@linkcode Relay}. */
export interface RelayOptions {
  /** Low half of this node's id. */
  readonly routingId: number;
  /** Unpredictable; for the loop guard. */
  readonly seed: number;
}

const FLAGS_AT = 3;
const SESSION_AT = 24;
const STREAM_AT = 32;

/** Relays packets. */
export class Relay {
  readonly pairs = new RelayedPairs();
  readonly streams = new RelayedStreams();
  readonly #deps: RelayDeps;
  readonly #routingId: number;
  readonly #guard: LoopGuard;
  readonly #view: DataView;
  readonly #place: GatePlace;

  constructor(deps: RelayDeps, options: RelayOptions) {
    this.#deps = deps;
    this.#routingId = options.routingId;
    this.#guard = new LoopGuard(options.seed);
    const { memory } = deps;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.#place = new GatePlace(this.#view);
  }

  /** Who decides on packets of channels; nobody does without one. */
  set gate(gate: RelayGate | undefined) {
    this.#place.gate = gate;
  }

  /**
   * Takes a packet with a routing header that is not for this node.
   *
   * @param at Start of the routing header; it is changed in place when the packet is passed on.
   */
  receive(
    at: number,
    length: number,
    routing: RoutingHeader,
    from: SocketAddress,
    now: number,
  ): void {
    const { counters, conduct, egress, memory, peers, rates, routing: table } = this.#deps;
    const view = this.#view;
    const owner = peers.ownerOf(from);
    const ownerSlot = owner?.slot ?? STRANGERS;
    const packetAt = at + ROUTING_HEADER_BYTES;
    const packetLength = length - ROUTING_HEADER_BYTES;
    const stream = this.streams.find(
      view.getUint32(packetAt + STREAM_AT, true),
      view.getUint32(packetAt + STREAM_AT + 4, true),
      now,
    );
    const next = table.nextHop(routing.destinationLow, routing.destinationHigh, now);
    const isHandshake = (view.getUint8(packetAt + FLAGS_AT) & FLAG_HANDSHAKE) !== 0;
    if (routing.source === this.#routingId || (next !== undefined && next === owner)) {
      // What claims to come from here, and what would go back to where it came from, goes in circles.
      counters.drop_relay_loop_total += 1;
      conduct.note(ownerSlot, Misconduct.Loop);
    } else if (routing.ttl === 0) {
      counters.drop_relay_ttl_total += 1;
      conduct.note(ownerSlot, Misconduct.SpentTtl);
    } else if (next === undefined) counters.drop_relay_no_route_total += 1;
    else if (!rates.take(ownerSlot, TrafficKind.Relay, length, now)) {
      counters.drop_relay_limit_total += 1;
      conduct.note(ownerSlot, Misconduct.Flood);
    } else if (
      // Handshakes have no counter; there are few of them, and their time-to-live ends a loop.
      !isHandshake && !this.#guard.admit(view, routing.source, packetAt, packetLength)
    ) {
      counters.drop_relay_loop_total += 1;
      conduct.note(ownerSlot, Misconduct.Loop);
    } else if (
      !this.#place.admits(
        packetAt,
        packetLength,
        owner,
        routing.source,
        routing.destinationLow,
        routing.destinationHigh,
      )
    ) counters.drop_relay_gate_total += 1;
    else {
      const to = next.address;
      if (isHandshake) this.pairs.onHandshake(from, to, now);
      else if (this.pairs.isCurious(now)) {
        const low = view.getUint32(packetAt + SESSION_AT, true);
        const high = view.getUint32(packetAt + SESSION_AT + 4, true);
        this.pairs.onRelayed(from, to, low, high, now);
      }
      forwardRoutingHeader(memory, at);
      counters.relay_routed_total += 1;
      if (egress.relay(at, length, next.slot, to)) this.streams.onPassed(stream, length);
      else this.streams.onDropped(stream);
      return;
    }
    this.streams.onDropped(stream);
  }

  /**
   * Takes a packet without a routing header whose session is not one of ours: it may come from an
   * endpoint that is relayed through here and doesn't wrap what it sends (`wire.md` 9.4).
   *
   * @returns True when it was such a packet, passed on or dropped for a limit.
   */
  receiveUnwrapped(
    at: number,
    length: number,
    sessionLow: number,
    sessionHigh: number,
    from: SocketAddress,
    now: number,
  ): boolean {
    const { counters, conduct, egress, peers, rates } = this.#deps;
    const to = this.pairs.partnerOf(from, sessionLow, sessionHigh, now);
    if (to === undefined) return false;
    const owner = peers.ownerOf(from);
    const slot = owner?.slot ?? STRANGERS;
    const hop = peers.ownerOf(to);
    if (hop === undefined || !rates.take(slot, TrafficKind.Relay, length, now)) {
      counters.drop_relay_unwrapped_total += 1;
      conduct.note(slot, Misconduct.Flood);
      return true;
    }
    if (!this.#place.admits(at, length, owner, owner?.low ?? 0, hop.low, hop.high)) {
      counters.drop_relay_unwrapped_total += 1;
      return true;
    }
    counters.relay_unwrapped_total += 1;
    egress.relay(at, length, hop.slot, hop.address);
    return true;
  }

  /** The peer is forgotten: what waits for it is dropped. */
  onGone(peer: Peer): void {
    this.#deps.egress.closeHop(peer.slot);
  }

  /** Forgets what is too old. */
  sweep(now: number): void {
    this.pairs.sweep(now);
    this.streams.sweep(now);
  }
}
