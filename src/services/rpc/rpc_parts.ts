/** What the parts of the call service need, each as small as it can be. */
import type { Clock } from "../../base/mod.ts";
import type { ChannelConfig, ChannelId, PeerFacts } from "../../channel/mod.ts";
import type { MeshTransport } from "../../core/transport/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { JoinBudget, LinkCounters } from "../../rpc/mod.ts";
import type { MembershipAnswer } from "../channels/mod.ts";
import type { Allowances } from "./allowances.ts";
import type { SilenceWatch } from "./silence_watch.ts";

/** The part of the transport that calls use. */
export type RpcTransport = Pick<
  MeshTransport,
  "nodeId" | "peer" | "openSendStream" | "receiveStream" | "acceptStream" | "probe"
>;

/** The part of the channel service that calls use: membership, and names of channels. */
export interface RpcChannels {
  /** Asks a peer for a channel; the result gives the request up, `undefined` when too many wait. */
  ask(
    peer: bigint,
    channel: ChannelId,
    onAnswer: (answer: MembershipAnswer) => void,
  ): (() => void) | undefined;
  /** Tells a peer that a channel is not wanted any more. */
  withdraw(peer: bigint, channel: ChannelId): void;
  /** Registers a channel or prefix; the result takes it away. */
  lend(config: ChannelConfig): () => void;
  /** Peers subscribed to a channel. */
  peersOn(name: string): Iterable<bigint>;
}

/** What announcements say of peers, and this node of itself. */
export interface RpcAnnouncements {
  /** Tags of a peer's latest announcement; `undefined` without one. */
  tagsOf(peer: bigint): readonly string[] | undefined;
  /** Sends this node's announcement to a peer once more. */
  announceTo(peer: bigint): void;
  /** Calls back when a node announced something; the result stops that. */
  onAnnounced(handler: (nodeId: bigint) => void): () => void;
  /**
   * Replaces what this node says of calls: that it takes long bodies, and the services it offers.
   *
   * @throws NetError `limit` when that is too much for an announcement; nothing has changed then.
   */
  offer(services: readonly string[]): void;
  /** Nodes that announce a service, this one included, in no order. */
  nodesOffering(service: string): Iterable<bigint>;
  /** Moves on with every change of what is announced, or of who admits whom. */
  readonly version: number;
}

/** Makes sessions with nodes that are known only by what they announced. */
export interface RpcReach {
  /**
   * Makes sure that there is a session.
   *
   * @throws NetError `unreachable` or `limit`; `data.why` says the reason in words.
   */
  reach(peer: bigint): Promise<void>;
  /** False for a node that is not worth trying now. */
  mayReach(peer: bigint): boolean;
}

/** What links share. */
export interface LinkParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly transport: RpcTransport;
  /** Origin hash of this node. */
  readonly originHash: bigint;
  readonly facts: Pick<PeerFacts, "isOurs" | "originHashOf">;
  readonly channels: RpcChannels;
  readonly announcements: RpcAnnouncements;
  readonly reach: Pick<RpcReach, "reach">;
  readonly counters: LinkCounters;
  readonly budget: JoinBudget;
  readonly allowances: Allowances;
  readonly watch: SilenceWatch;
}
