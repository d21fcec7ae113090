/** What can be seen of a transport from outside: peers, ways, tables, counters. Changes nothing. */
import { type Clock, highHalf, lowHalf } from "../../base/mod.ts";
import type { Breakers } from "./peers/breakers.ts";
import type { ConductTable } from "./peers/conduct.ts";
import type { Egress } from "./routing/egress.ts";
import type { Loopback } from "./loopback.ts";
import type { PeerTable } from "./peers/peers.ts";
import type { Relay } from "./routing/relay.ts";
import type { Routing } from "./routing/routing.ts";
import type { SessionRegistry } from "./session/session_registry.ts";
import { describeStreams, type StreamInfo } from "./streams/stream_info.ts";
import type {
  DiscoveredNode,
  FailureCounts,
  PeerConduct,
  PeerInfo,
  RelayedStream,
  RouteInfo,
  TableSizes,
} from "./types.ts";
import type { WithdrawalFlood } from "./routing/withdrawal_flood.ts";

/** What {@linkcode MeshView} needs. */
export interface MeshViewDeps {
  readonly clock: Clock;
  readonly peers: PeerTable;
  readonly sessions: SessionRegistry;
  readonly routing: Routing;
  readonly withdrawals: WithdrawalFlood;
  readonly relay: Relay;
  readonly egress: Egress;
  readonly conduct: ConductTable;
  readonly breakers: Breakers;
  readonly loopback: Loopback;
}

/** Answers questions about a transport; `MeshTransport` says what each means. */
export class MeshView {
  readonly #deps: MeshViewDeps;

  constructor(deps: MeshViewDeps) {
    this.#deps = deps;
  }

  peers(): PeerInfo[] {
    const now = this.#deps.clock.now();
    return [...this.#deps.peers.values()].map((peer) => peer.info(now));
  }

  peer(nodeId: bigint): PeerInfo | undefined {
    return this.#deps.peers.get(nodeId)?.info(this.#deps.clock.now());
  }

  nextHop(nodeId: bigint): PeerInfo | undefined {
    const now = this.#deps.clock.now();
    return this.#deps.routing.nextHop(lowHalf(nodeId), highHalf(nodeId), now)?.info(now);
  }

  connectedPeers(): readonly bigint[] {
    const ids: bigint[] = [];
    const suspected: bigint[] = [];
    for (const peer of this.#deps.peers.values()) {
      if (peer.isConnected) (peer.state === "suspected" ? suspected : ids).push(peer.nodeId);
    }
    return suspected.length === 0 ? ids : [...ids, ...suspected];
  }

  streams(nodeId?: bigint): StreamInfo[] {
    const now = this.#deps.clock.now();
    const infos: StreamInfo[] = [];
    for (const peer of this.#deps.peers.values()) {
      if (peer.session === undefined || (nodeId !== undefined && peer.nodeId !== nodeId)) continue;
      infos.push(...describeStreams(peer.session, now));
    }
    return infos;
  }

  conduct(nodeId: bigint): PeerConduct | undefined {
    const peer = this.#deps.peers.get(nodeId);
    return peer === undefined ? undefined : this.#deps.conduct.describe(peer.slot);
  }

  failureCounts(): FailureCounts {
    const { connecting, connected: healthy, suspected, failed } = this.#deps.peers.counts;
    return { connecting, healthy, suspected, failed };
  }

  discoveredNodes(): DiscoveredNode[] {
    const { peers, routing } = this.#deps;
    return routing.nodes.nodes((slot) => peers.at(slot)?.nodeId ?? 0n);
  }

  routes(): RouteInfo[] {
    return this.#deps.routing.routes();
  }

  relayedStreams(): RelayedStream[] {
    return this.#deps.relay.streams.streams();
  }

  tableSizes(): TableSizes {
    const { peers, sessions, routing, relay, egress } = this.#deps;
    return {
      peers: peers.size,
      sessions: sessions.size,
      ...routing.sizes(),
      relayedPairs: relay.pairs.size,
      relayedStreams: relay.streams.size,
      waiting: egress.waiting,
    };
  }

  routingCounters(): Record<string, number> {
    const { routing, withdrawals, relay, egress, breakers, loopback } = this.#deps;
    return {
      ...routing.allCounters(),
      ...withdrawals.counters,
      ...relay.pairs.counters,
      ...relay.streams.counters,
      ...egress.counters,
      ...breakers.counters,
      ...loopback.counters,
    };
  }
}
