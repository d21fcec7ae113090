/** What the parts of the channel service need, each as small as it can be. */
import type { Clock, RandomBytes } from "../../base/mod.ts";
import type {
  ChannelConfig,
  PeerFacts,
  RevocationFloors,
  UnregisteredPolicy,
  Visibility,
} from "../../channel/mod.ts";
import type { Identity } from "../../core/crypto/mod.ts";
import type { MeshTransport } from "../../core/transport/mod.ts";
import type { Log } from "../../observe/mod.ts";

/** The part of the transport that channels use. */
export type ChannelTransport = Pick<
  MeshTransport,
  | "nodeId"
  | "connectedPeers"
  | "sendMessage"
  | "openSendStream"
  | "receiveStream"
  | "onMessage"
  | "onPeerChange"
>;

/** Where in the tree of subnets channels are seen. */
export interface ChannelReach {
  /** Whether a peer may see a channel that this node publishes. */
  isVisible(visibility: Visibility, peer: bigint, hash: bigint): boolean;
}

/** Tokens that this node keeps. */
export interface ChannelTokens {
  readonly revocations: RevocationFloors;
  /** A chain by which this node may publish on a channel; `undefined` when it keeps none. */
  publishChain(hash: bigint): Uint8Array | undefined;
}

/** Configurations kept over restarts. */
export interface ChannelMemory {
  readChannels(): Promise<readonly ChannelConfig[]>;
  writeChannel(config: ChannelConfig): Promise<void>;
  removeChannel(name: string): Promise<void>;
}

/** What nodes announce, as far as channels are concerned. */
export interface ChannelAnnouncements {
  /** Tags this node announces. */
  ownTags(): readonly string[];
  /**
   * Replaces the tags that this node announces about channels.
   *
   * @throws NetError `limit` when that is too much for an announcement; nothing has changed then.
   */
  setTags(tags: readonly string[]): void;
  /** Calls back with all tags of another node whenever they change, none when they no longer hold. */
  onTags(handler: (nodeId: bigint, tags: readonly string[]) => void): () => void;
}

/** What the publisher's and the subscriber's side share. */
export interface ChannelParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly transport: ChannelTransport;
  readonly identity: Pick<Identity, "entityId" | "originHash">;
  readonly facts: PeerFacts;
  readonly reach: ChannelReach;
  readonly tokens: ChannelTokens;
}

/** How a node treats channels that nobody configured. */
export interface ChannelPolicies {
  /** Publishing on one opens it to everybody with `allow`, with a warning first with `warn`. */
  readonly unregistered: UnregisteredPolicy;
  readonly defaultVisibility: Visibility;
  readonly channelsPerPeerMax: number;
}
