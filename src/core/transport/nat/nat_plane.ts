/** The parts of traversal tied together on one transport (`nrpc.md` 16); who a node is comes from above. */
import type { Clock, RandomBytes } from "../../../base/mod.ts";
import { DirectConnector, type DirectConnectorDeps } from "./connector.ts";
import { PunchCoordinator } from "./coordinator.ts";
import { isDirect } from "./coordinators.ts";
import { createNatCounters, type NatCounters } from "./counters.ts";
import type { MeshTransport } from "../mesh_transport.ts";
import { Puncher } from "./puncher.ts";
import { RendezvousPlane } from "./rendezvous.ts";
import type { PeerKnowledge } from "./search.ts";
import type { NatStats, PortMappingState } from "./types.ts";
import { formatAddress } from "../address.ts";
import type { SocketAddress } from "../types.ts";
import { encodeRendezvous, type Rendezvous } from "../wire/nat_frames.ts";
import { SUBPROTOCOL_RENDEZVOUS } from "../wire/subprotocols.ts";

/** What {@linkcode NatPlane} needs. */
export interface NatPlaneDeps extends Pick<DirectConnectorDeps, "own" | "isRelayCapable"> {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly transport: MeshTransport;
  /** What is known of a node to be reached. */
  readonly know: (peer: bigint) => Promise<PeerKnowledge>;
  /** The address a node announced. */
  readonly reflexOf: (nodeId: bigint) => SocketAddress | undefined;
}

const STREAM_ID = BigInt(SUBPROTOCOL_RENDEZVOUS);

/** Traversal on one transport. */
export class NatPlane {
  readonly counters: NatCounters = createNatCounters();
  /** Introduces others; on unless switched off. */
  readonly coordinator: PunchCoordinator;
  readonly connector: DirectConnector;
  readonly #transport: MeshTransport;
  readonly #puncher: Puncher;
  readonly #rendezvous: RendezvousPlane;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: NatPlaneDeps) {
    const { clock, transport, reflexOf } = deps;
    const { counters } = this;
    this.#transport = transport;
    const send = (to: bigint, message: Rendezvous) =>
      transport.sendMessage(to, SUBPROTOCOL_RENDEZVOUS, STREAM_ID, encodeRendezvous(message));
    this.coordinator = new PunchCoordinator({
      clock,
      counters,
      peer: (nodeId) => transport.peer(nodeId),
      reflexOf,
      send,
    });
    this.#puncher = new Puncher({
      clock,
      counters,
      sendKeepAlive: (punchId, to) => transport.sendKeepAlive(punchId, to),
      listen: (handler) => transport.setKeepAliveHandler(handler),
      directSessionAgeMs: (nodeId) => {
        const peer = transport.peer(nodeId);
        return peer !== undefined && isDirect(peer) ? peer.sessionAgeMs : undefined;
      },
    });
    this.#rendezvous = new RendezvousPlane({
      ...deps,
      nodeId: transport.nodeId,
      counters,
      coordinator: this.coordinator,
      puncher: this.#puncher,
      send,
    });
    this.connector = new DirectConnector({
      ...deps,
      counters,
      rendezvous: this.#rendezvous,
      canPunch: () => this.#unsubscribe !== undefined,
    });
  }

  /** Begins to take messages of others; before that this node neither punches nor introduces. */
  start(): void {
    this.#unsubscribe ??= this.#transport.onMessage(
      SUBPROTOCOL_RENDEZVOUS,
      ({ from, payload }) => this.#rendezvous.receive(from, payload),
    );
  }

  /** Ends trains and what was asked; idempotent. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#rendezvous.stop();
    this.#puncher.stop();
  }

  /** Statistics under the names of the specification. */
  stats({ external, renewals }: PortMappingState): NatStats {
    const { counters } = this;
    return {
      punches_attempted: counters.punches_attempted,
      punches_succeeded: counters.punches_succeeded,
      punches_failed: counters.punches_attempted - counters.punches_succeeded,
      relay_fallbacks: counters.relay_fallbacks,
      port_mapping_active: external !== undefined,
      port_mapping_external: external === undefined ? null : formatAddress(external),
      port_mapping_renewals: renewals,
      upgrades_attempted: counters.upgrades_attempted,
      upgrades_succeeded: counters.upgrades_succeeded,
      upgrades_deferred_busy: counters.upgrades_deferred_busy,
      punch_timeouts: counters.punch_timeouts,
      punch_rejections: counters.punch_rejections,
      rendezvous_no_relay: counters.rendezvous_no_relay,
    };
  }
}
