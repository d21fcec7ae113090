/**
 * How a channel is to be run by its publisher (`identity-and-channels.md` 9, features CH-03 to CH-07, CH-15,
 * TK-09).
 *
 * `max_rate_pps`, of which the specification says no more than its name (promise I3): events of the channel
 * per second, counted once however many subscribers get them. The publisher's own node enforces it with a
 * token bucket that holds one second's worth. What exceeds it is refused before anything is sent: `publish`
 * fails with `limit` and says when to try again, `publishAll` takes as many as there is room for and reports
 * the rest as refused; both are counted. Subscribers don't see the limit and enforce nothing.
 */
import { NetError } from "../base/mod.ts";
import { CHANNEL_NAME_BYTES_MAX, isValidEntityId } from "../core/crypto/mod.ts";
import { type ChannelId, requireChannelId } from "./channel_id.ts";
import { RATE_MAX, TAG_BYTES_MAX, TAGS_REQUIRED_MAX, TOKEN_ROOTS_MAX } from "./limits.ts";
import type { Visibility } from "./subnet/mod.ts";

/** Who may take part in queue groups. */
export const QUEUE_GROUP_POLICIES = ["unrestricted", "deny", "token-bound"] as const;
/** One of {@linkcode QUEUE_GROUP_POLICIES}. */
export type QueueGroupPolicy = (typeof QUEUE_GROUP_POLICIES)[number];

/** What can be said of a channel; what is left out has its default. */
export interface ChannelOptions {
  /** `global` when left out. */
  readonly visibility?: Visibility;
  /** Tags this node must announce to publish. */
  readonly publishTags?: readonly string[];
  /** Tags a subscriber must announce; it says so itself, so this finds matches and keeps nobody out. */
  readonly subscribeTags?: readonly string[];
  /** Demands a token chain of subscribers and publisher. */
  readonly requiresToken?: boolean;
  /** Entities whose word begins a chain, 32 bytes each; any of them demands chains. */
  readonly tokenRoots?: readonly Uint8Array[];
  /** The name behind the prefix must be the subscriber's origin hash; on prefixes only. */
  readonly bindsOrigin?: boolean;
  /** `unrestricted` when left out. */
  readonly queueGroups?: QueueGroupPolicy;
  /** 0 to 255, in the header of its packets; 0 when left out. */
  readonly priority?: number;
  /** Lost events are sent again; false when left out. */
  readonly isReliable?: boolean;
  /** Events per second; no limit when left out. */
  readonly ratePerSecond?: number;
}

/** How one channel, or all below a prefix, are run. */
export interface ChannelConfig {
  /** Name of the channel, or the prefix with its last `/` or `.`. */
  readonly name: string;
  readonly isPrefix: boolean;
  readonly visibility: Visibility;
  readonly publishTags: readonly string[];
  readonly subscribeTags: readonly string[];
  readonly requiresToken: boolean;
  readonly tokenRoots: readonly Uint8Array[];
  readonly bindsOrigin: boolean;
  readonly queueGroups: QueueGroupPolicy;
  readonly priority: number;
  readonly isReliable: boolean;
  readonly ratePerSecond: number | undefined;
}

/**
 * The configuration of a channel.
 *
 * @throws NetError `usage` when the name or an option is not what it must be.
 *
 * @example
 * ```ts
 * import { createChannelConfig } from "./channel_config.ts";
 * const config = createChannelConfig("room/lobby", { isReliable: true });
 * console.assert(config.visibility === "global" && !config.requiresToken);
 * ```
 */
export function createChannelConfig(name: string, options: ChannelOptions = {}): ChannelConfig {
  requireChannelId(name);
  if (options.bindsOrigin) refuse(name, "only a prefix can bind names to their subscribers");
  return createConfig(name, false, options);
}

/**
 * The configuration of all channels whose names begin with a prefix.
 *
 * @param prefix Ends with the `/` or `.` behind a whole segment or word, as in `logs/`.
 * @throws NetError `usage` when the prefix or an option is not what it must be.
 */
export function createPrefixConfig(prefix: string, options: ChannelOptions = {}): ChannelConfig {
  if (!isChannelPrefix(prefix)) {
    refuse(prefix, "a prefix is the beginning of names up to and with a / or .");
  }
  return createConfig(prefix, true, options);
}

/** True for what may stand in front of a name's last part. */
export function isChannelPrefix(text: string): boolean {
  if (!/[/.]$/.test(text) || text.length >= CHANNEL_NAME_BYTES_MAX) return false;
  try {
    requireChannelId(`${text}x`);
    return true;
  } catch {
    return false;
  }
}

/** The channel that a configuration is of; `undefined` for a prefix. */
export function configChannel(config: ChannelConfig): ChannelId | undefined {
  return config.isPrefix ? undefined : requireChannelId(config.name);
}

function createConfig(name: string, isPrefix: boolean, options: ChannelOptions): ChannelConfig {
  const { priority = 0, ratePerSecond, tokenRoots = [] } = options;
  if (!Number.isInteger(priority) || priority < 0 || priority > 255) {
    refuse(name, `its priority is ${priority}, must be 0 to 255`);
  }
  if (
    ratePerSecond !== undefined &&
    (!Number.isInteger(ratePerSecond) || ratePerSecond < 1 || ratePerSecond > RATE_MAX)
  ) refuse(name, `its rate is ${ratePerSecond}, must be 1 to ${RATE_MAX} events per second`);
  if (tokenRoots.length > TOKEN_ROOTS_MAX) {
    refuse(name, `it has ${tokenRoots.length} token roots, must be at most ${TOKEN_ROOTS_MAX}`);
  }
  if (!tokenRoots.every(isValidEntityId)) refuse(name, "a token root is no entity id");
  return {
    name,
    isPrefix,
    visibility: options.visibility ?? "global",
    publishTags: requireTags(name, options.publishTags),
    subscribeTags: requireTags(name, options.subscribeTags),
    requiresToken: options.requiresToken === true || tokenRoots.length > 0,
    tokenRoots,
    bindsOrigin: options.bindsOrigin ?? false,
    queueGroups: options.queueGroups ?? "unrestricted",
    priority,
    isReliable: options.isReliable ?? false,
    ratePerSecond,
  };
}

function requireTags(name: string, tags: readonly string[] = []): readonly string[] {
  if (tags.length > TAGS_REQUIRED_MAX) {
    refuse(name, `it demands ${tags.length} tags, must be at most ${TAGS_REQUIRED_MAX}`);
  }
  if (tags.some((tag) => tag === "" || tag.length > TAG_BYTES_MAX)) {
    refuse(name, `a tag it demands is empty or longer than ${TAG_BYTES_MAX} characters`);
  }
  return tags;
}

function refuse(name: string, why: string): never {
  throw new NetError("usage", `Cannot configure channel "${name.slice(0, 80)}": ${why}`, {
    next: "see net channel create --help",
  });
}
