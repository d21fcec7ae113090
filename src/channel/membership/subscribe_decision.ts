/**
 * Whether a peer may subscribe to a channel (`identity-and-channels.md` 11, features CH-04 to CH-07, CH-10,
 * CH-14, TK-09): the tests in their order, the first that fails decides. Pure; what is known of the peer and
 * of the node is handed in.
 */
import type { ChannelConfig } from "../channel_config.ts";
import { type ChannelId, queueGroupHash } from "../channel_id.ts";
import type { ChannelRegistry } from "../channel_registry.ts";
import { idToHex } from "../../base/mod.ts";
import { AckReason, type SubscribeMessage } from "./membership_wire.ts";

/** What becomes of requests for channels where a node has no registry at all. */
export type UnregisteredPolicy = "warn" | "allow" | "deny";

/** What a chain has to prove. */
export interface ChainQuestion {
  readonly presenter: Uint8Array;
  /** The channel's, or that of one of its queue groups. */
  readonly hash: bigint;
  readonly roots: readonly Uint8Array[];
}

/** What is known when somebody wants to subscribe. */
export interface SubscribeFacts<Standing> {
  readonly isThrottled: boolean;
  readonly isSubscribed: boolean;
  /** Channels the peer is subscribed to, and may be. */
  readonly channels: number;
  readonly channelsMax: number;
  /** `undefined` where the node keeps none. */
  readonly registry: ChannelRegistry | undefined;
  readonly unregistered: UnregisteredPolicy;
  /** Whether the peer's subnet may see channels of this configuration. */
  readonly isVisible: (config: ChannelConfig) => boolean;
  /** Proven or pinned; `undefined` when neither. */
  readonly entityId: Uint8Array | undefined;
  readonly originHash: bigint | undefined;
  /** False where the node keeps no tokens. */
  readonly hasTokens: boolean;
  /** What the peer announced; `undefined` when it did not. */
  readonly tags: readonly string[] | undefined;
  /** What a chain proves; `undefined` when that is nothing. */
  readonly verifyChain: (chain: Uint8Array, question: ChainQuestion) => Standing | undefined;
}

/** Which test failed; for counters. */
export type SubscribeRefusal =
  | "throttled"
  | "too_many_channels"
  | "unregistered"
  | "unknown_channel"
  | "subnet"
  | "origin"
  | "no_tokens"
  | "identity"
  | "queue_group"
  | "tags"
  | "chain";

/** The answer. */
export type SubscribeDecision<Standing> =
  | {
    readonly isAccepted: true;
    /** `undefined` where nothing is registered. */
    readonly config: ChannelConfig | undefined;
    /** What the chain proved; `undefined` where none was needed. */
    readonly standing: Standing | undefined;
  }
  | { readonly isAccepted: false; readonly refusal: SubscribeRefusal; readonly reason: AckReason };

/** Decides. */
export function decideSubscribe<Standing>(
  { channel, chain, queueGroup }: Pick<SubscribeMessage, "channel" | "chain" | "queueGroup">,
  facts: SubscribeFacts<Standing>,
): SubscribeDecision<Standing> {
  const { registry, entityId } = facts;
  if (facts.isThrottled) return refuse("throttled", AckReason.RateLimited);
  if (!facts.isSubscribed && facts.channels >= facts.channelsMax) {
    return refuse("too_many_channels", AckReason.TooManyChannels);
  }
  if (registry === undefined) {
    if (facts.unregistered === "deny") return refuse("unregistered", AckReason.Unauthorized);
    return { isAccepted: true, config: undefined, standing: undefined };
  }
  const resolved = registry.resolve(channel.name);
  if (resolved === undefined) return refuse("unknown_channel", AckReason.UnknownChannel);
  const { config, suffix } = resolved;
  const accept = (standing?: Standing) => ({ isAccepted: true, config, standing } as const);
  if (!facts.isVisible(config)) return unauthorized("subnet");
  if (config.bindsOrigin && !isOwnName(suffix, facts.originHash)) return unauthorized("origin");
  const isGroupGated = queueGroup !== undefined && config.queueGroups !== "unrestricted";
  const isGroupBound = isGroupGated && config.queueGroups === "token-bound";
  const needsChain = config.requiresToken || isGroupBound;
  if (needsChain && !facts.hasTokens) return unauthorized("no_tokens");
  const isFiltered = config.subscribeTags.length > 0;
  if (!needsChain && !isGroupGated && !isFiltered) return accept();
  if ((needsChain || isGroupGated) && entityId === undefined) return unauthorized("identity");
  if (isGroupGated && !isGroupBound) return unauthorized("queue_group");
  if (isGroupBound && chain.length === 0) return unauthorized("queue_group");
  if (isFiltered && !hasEvery(facts.tags, config.subscribeTags)) return unauthorized("tags");
  if (!needsChain || entityId === undefined) return accept();
  const hash = chainHash(channel, config, queueGroup);
  const question = { presenter: entityId, hash, roots: config.tokenRoots };
  const standing = facts.verifyChain(chain, question);
  return standing === undefined ? unauthorized("chain") : accept(standing);
}

/**
 * The hash a subscriber's tokens have to name: where groups are bound to tokens, a member's name its group
 * and need not name the channel, because a request carries one chain only.
 */
export function chainHash(
  channel: ChannelId,
  config: ChannelConfig,
  queueGroup: string | undefined,
): bigint {
  return queueGroup !== undefined && config.queueGroups === "token-bound"
    ? queueGroupHash(channel.name, queueGroup)
    : channel.hash;
}

/** True when all wanted tags are there. */
export function hasEvery(tags: readonly string[] | undefined, wanted: readonly string[]): boolean {
  return wanted.every((tag) => tags?.includes(tag));
}

/** True when the part behind the prefix is the peer's origin hash, as 16 digits. */
function isOwnName(suffix: string | undefined, originHash: bigint | undefined): boolean {
  return suffix !== undefined && originHash !== undefined && suffix === idToHex(originHash);
}

function unauthorized(refusal: SubscribeRefusal) {
  return refuse(refusal, AckReason.Unauthorized);
}

function refuse(refusal: SubscribeRefusal, reason: AckReason) {
  return { isAccepted: false, refusal, reason } as const;
}
