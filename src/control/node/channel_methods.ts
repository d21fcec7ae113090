/** Methods about channels; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { fromHex, idToHex, NetError, utf8 } from "../../base/mod.ts";
import {
  AckReason,
  type ChannelEvent,
  createChannelConfig,
  createPrefixConfig,
  FAILURE_POLICIES,
  QUEUE_GROUP_POLICIES,
  TAGS_REQUIRED_MAX,
  TOKEN_CHAIN_BYTES_MAX,
  TOKEN_ROOTS_MAX,
  VISIBILITIES,
} from "../../channel/mod.ts";
import { CHANNEL_NAME_BYTES_MAX } from "../../core/crypto/mod.ts";
import { MAX_EVENT_BYTES } from "../../core/transport/mod.ts";
import {
  type ChannelSubscription,
  type PublisherStatus,
  refusalError,
} from "../../services/mod.ts";
import { type CallContext, defineMethod, type Method } from "../method.ts";
import {
  type ChannelNode,
  describeChannel,
  describeChannels,
  describeChannelStats,
  describeEvent,
  describeReport,
  describeStatus,
  offeredOutOfReach,
} from "./channel_view.ts";
import { resolvePeer } from "./peer_ref.ts";

const NAME = v.pipe(v.string(), v.minLength(1), v.maxLength(CHANNEL_NAME_BYTES_MAX));
/** A token chain in hex. */
export const CHAIN = v.pipe(v.string(), v.maxLength(2 * TOKEN_CHAIN_BYTES_MAX));
const TAGS = v.optional(v.pipe(v.array(v.string()), v.maxLength(TAGS_REQUIRED_MAX)), []);
const WHOLE = v.pipe(v.number(), v.integer(), v.minValue(1));

/** Events of one publish: as many as fit the line of a request with room to spare. */
const PUBLISH_EVENTS_MAX = 4_096;
/** Events and bytes of one message to a subscriber. */
const BATCH_EVENTS_MAX = 256;
const BATCH_BYTES_MAX = 65_536;
/** A publisher that was named and refused so often in a row means it. */
const REFUSALS_MAX = 2;

/** The methods about channels. */
export function channelMethods(node: ChannelNode): readonly Method[] {
  return [
    defineMethod({
      name: "channel.ls",
      access: "privileged",
      summary: "Channels this node runs, or those that share the 16 bits of a packet header",
      isReadOnly: true,
      params: v.object({ wire_hash: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{4}$/))) }),
      handle: ({ wire_hash }) =>
        describeChannels(node, wire_hash === undefined ? undefined : parseInt(wire_hash, 16)),
    }),
    defineMethod({
      name: "channel.create",
      access: "privileged",
      summary: "Run a channel or a prefix of channels, or change its rules",
      isReadOnly: false,
      params: v.object({
        name: NAME,
        prefix: v.optional(v.boolean(), false),
        visibility: v.optional(v.picklist(VISIBILITIES)),
        require_token: v.optional(v.boolean()),
        roots: v.optional(v.pipe(v.array(v.string()), v.maxLength(TOKEN_ROOTS_MAX)), []),
        publish_tags: TAGS,
        subscribe_tags: TAGS,
        bind_origin: v.optional(v.boolean()),
        queue_groups: v.optional(v.picklist(QUEUE_GROUP_POLICIES)),
        priority: v.optional(v.number()),
        reliable: v.optional(v.boolean()),
        rate: v.optional(v.number()),
      }),
      handle: async (params) => {
        const create = params.prefix ? createPrefixConfig : createChannelConfig;
        const config = create(params.name, {
          visibility: params.visibility,
          requiresToken: params.require_token,
          tokenRoots: params.roots.map(readRoot),
          publishTags: params.publish_tags,
          subscribeTags: params.subscribe_tags,
          bindsOrigin: params.bind_origin,
          queueGroups: params.queue_groups,
          priority: params.priority,
          isReliable: params.reliable,
          ratePerSecond: params.rate,
        });
        await node.channels.create(config);
        return describeChannel(node, config, true);
      },
    }),
    defineMethod({
      name: "channel.rm",
      access: "privileged",
      summary: "Run a channel, or a prefix, no longer",
      isReadOnly: false,
      params: v.object({ name: NAME }),
      handle: async ({ name }) => {
        if (await node.channels.remove(name)) return { removed: name };
        throw new NetError("not_found", `Cannot remove channel "${name}": it is not there`, {
          next: "see net channel ls for those that are",
        });
      },
    }),
    defineMethod({
      name: "channel.publish",
      access: "privileged",
      summary: "Send events to the subscribers of a channel",
      isReadOnly: false,
      params: v.object({
        channel: NAME,
        events: v.pipe(v.array(v.string()), v.maxLength(PUBLISH_EVENTS_MAX)),
        encoding: v.optional(v.picklist(["utf8", "base64"]), "utf8"),
        on_failure: v.optional(v.picklist(FAILURE_POLICIES)),
        max_inflight: v.optional(v.pipe(WHOLE, v.maxValue(1_024))),
        chain: v.optional(CHAIN),
      }),
      handle: async (params, { signal }) => {
        const { channel, encoding, on_failure: onFailure, max_inflight: maxInflight } = params;
        const events = params.events.map((text) => readEvent(text, encoding));
        if (params.chain !== undefined) {
          node.channels.publisher.setPublishChain(channel, readChain(params.chain));
        }
        const options = { onFailure, maxInflight, signal };
        return describeReport(await node.channels.publish(channel, events, options));
      },
    }),
    defineMethod({
      name: "channel.subscribe",
      access: "privileged",
      summary: "Get the events of a channel as progress, until cancelled or so many came",
      isReadOnly: false,
      isOpenEnded: true,
      params: v.object({
        channel: NAME,
        from: v.optional(v.pipe(v.array(v.string()), v.maxLength(64))),
        group: v.optional(v.string()),
        chain: v.optional(CHAIN),
        count: v.optional(WHOLE),
        overflow: v.optional(v.picklist(["drop_oldest", "drop_newest"])),
      }),
      handle: ({ channel, from, group, chain, count, overflow }, context) => {
        const publishers = from?.map((text) => resolvePeer(node, text, "Cannot subscribe at"));
        requireConnected(node, publishers ?? []);
        const subscription = node.channels.subscribe(channel, {
          from: publishers,
          queueGroup: group,
          chain: chain === undefined ? undefined : readChain(chain),
          overflow,
        });
        return streamEvents(node, subscription, count ?? Infinity, context);
      },
    }),
    defineMethod({
      name: "channel.stats",
      access: "privileged",
      summary: "What was published and received, subscribers, publishers, drops",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({ channel: v.optional(NAME) }),
      handle: ({ channel }) => describeChannelStats(node, channel),
    }),
  ];
}

/** Sends events as they come; a caller that reads slowly is waited for. */
async function streamEvents(
  node: ChannelNode,
  subscription: ChannelSubscription,
  countMax: number,
  context: CallContext,
): Promise<object> {
  const { queue, channel, options } = subscription;
  const statuses: PublisherStatus[] = [];
  let refusal: NetError | undefined;
  subscription.onStatus.on((status) => {
    if (statuses.length < BATCH_EVENTS_MAX) statuses.push(status);
    if (options.from !== undefined && isFinal(status)) {
      refusal = refusalError(channel.name, idToHex(status.publisher), status.reason);
    }
    queue.wake();
  });
  let received = 0;
  try {
    const outOfReach = options.from === undefined ? offeredOutOfReach(node, channel) : [];
    await context.send({ waiting: true, out_of_reach: outOfReach.map(idToHex) });
    while (received < countMax && !queue.isClosed) {
      if (refusal !== undefined) throw refusal;
      for (const status of statuses.splice(0)) {
        await context.send({ status: describeStatus(status) });
      }
      const events = takeBatch(subscription, countMax - received);
      if (events.length > 0) {
        received += events.length;
        await context.send({
          events: events.map((event) => describeEvent(node, event)),
          dropped: queue.dropped,
        });
        continue;
      }
      if (statuses.length === 0) await queue.ready(context.signal);
    }
    return { channel: channel.name, received, dropped: queue.dropped };
  } finally {
    subscription.close();
  }
}

/** True for a refusal that asking again will not change. */
function isFinal({ state, reason, refusals }: PublisherStatus): boolean {
  if (state !== "refused") return false;
  return refusals >= REFUSALS_MAX || reason === AckReason.RateLimited;
}

function takeBatch({ queue }: ChannelSubscription, countMax: number): ChannelEvent[] {
  const events: ChannelEvent[] = [];
  let bytes = 0;
  while (events.length < Math.min(countMax, BATCH_EVENTS_MAX) && bytes < BATCH_BYTES_MAX) {
    const event = queue.take();
    if (event === undefined) break;
    events.push(event);
    bytes += event.bytes.length;
  }
  return events;
}

function requireConnected({ mesh }: ChannelNode, publishers: readonly bigint[]): void {
  const connected = mesh.transport.connectedPeers();
  for (const publisher of publishers) {
    if (connected.includes(publisher) || publisher === mesh.transport.nodeId) continue;
    throw new NetError(
      "unreachable",
      `Cannot subscribe at ${idToHex(publisher)}: no session with it`,
      { next: "see net node peers for the nodes that are connected" },
    );
  }
}

function readEvent(text: string, encoding: "utf8" | "base64"): Uint8Array {
  if (encoding === "utf8") return utf8(text);
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new NetError("usage", "Cannot publish event: it is no base64", {
      cause,
      next: `give events of at most ${MAX_EVENT_BYTES} bytes as base64, or as text`,
    });
  }
}

/** The bytes of a {@linkcode CHAIN}. */
export function readChain(hex: string): Uint8Array {
  const chain = fromHex(hex);
  if (chain !== undefined) return chain;
  throw new NetError("usage", "Cannot use token: it is no hex", {
    next: "give a token as net token issue printed it",
  });
}

function readRoot(hex: string): Uint8Array {
  const root = fromHex(hex, 32);
  if (root !== undefined) return root;
  throw new NetError("usage", "Cannot use token root: it must be 64 hex digits", {
    next: "see the entity id of a node with net identity show",
  });
}
