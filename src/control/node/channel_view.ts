/** Channels as the methods tell of them. */
import { idToHex, NetError, toHex } from "../../base/mod.ts";
import {
  AckReason,
  type ChannelConfig,
  type ChannelEvent,
  type ChannelId,
  channelId,
  channelTag,
  offerHashesOf,
  type PublishReport,
} from "../../channel/mod.ts";
import { findNodes } from "../../core/capability/mod.ts";
import type { Node } from "../../node.ts";
import type { PublisherStatus } from "../../services/mod.ts";

/** Rows and errors of one answer. */
const ROWS_MAX = 1_000;
const ERRORS_MAX = 100;

/** The part of a node that channels are told of by. */
export type ChannelNode = Pick<Node, "channels" | "capabilities" | "mesh">;

const REASONS: Readonly<Record<number, string>> = {
  [AckReason.Ok]: "ok",
  [AckReason.Unauthorized]: "unauthorized",
  [AckReason.UnknownChannel]: "unknown channel",
  [AckReason.RateLimited]: "rate limited",
  [AckReason.TooManyChannels]: "too many channels",
};

/** Result of `channel.ls`. */
export function describeChannels(node: ChannelNode, wireHash: number | undefined): object {
  const { channels } = node;
  const rows = channels.channels().map(({ config, isKept }) =>
    describeChannel(node, config, isKept)
  );
  const chosen = wireHash === undefined
    ? rows
    : rows.filter((row) => row.wire_hash === wireHashText(wireHash));
  return {
    channels: chosen.slice(0, ROWS_MAX),
    omitted: Math.max(0, chosen.length - ROWS_MAX),
  };
}

/** One channel or prefix. */
export function describeChannel({ channels }: ChannelNode, config: ChannelConfig, isKept: boolean) {
  const id = config.isPrefix ? undefined : channelId(config.name);
  const sharers = id === undefined ? [] : channels.publisher.registry.sharersOf(id.wireHash);
  const { roster } = channels.publisher.subscribers;
  return {
    name: config.name,
    prefix: config.isPrefix,
    hash: id === undefined ? null : idToHex(id.hash),
    wire_hash: id === undefined ? null : wireHashText(id.wireHash),
    shares_wire_hash_with: sharers.filter((name) => name !== config.name),
    visibility: config.visibility,
    require_token: config.requiresToken,
    roots: config.tokenRoots.map(toHex),
    publish_tags: config.publishTags,
    subscribe_tags: config.subscribeTags,
    bind_origin: config.bindsOrigin,
    queue_groups: config.queueGroups,
    priority: config.priority,
    reliable: config.isReliable,
    rate: config.ratePerSecond ?? null,
    kept: isKept,
    subscribers: id === undefined ? null : roster.get(config.name)?.byPeer.size ?? 0,
  };
}

/** Result of `channel.publish`. */
export function describeReport(report: PublishReport): object {
  return {
    events: report.events,
    refused: report.refused,
    attempted: report.attempted,
    delivered: report.delivered,
    failed: report.errors.length,
    errors: report.errors.slice(0, ERRORS_MAX).map(({ peer, code, message }) => ({
      node_id: idToHex(peer),
      code,
      message,
    })),
  };
}

/** One event for a subscriber; text where it is text, else base64. */
export function describeEvent({ capabilities }: ChannelNode, event: ChannelEvent): object {
  const { publisher, sequence, index, bytes } = event;
  const origin = capabilities.originHashOf(publisher);
  return {
    publisher: idToHex(publisher),
    origin: origin === undefined ? null : idToHex(origin),
    sequence,
    index,
    ...payloadOf(bytes),
  };
}

/**
 * Nodes that announce the channel, or a prefix of it, and have no session with this one: a subscription
 * does not reach them.
 */
export function offeredOutOfReach({ capabilities, mesh }: ChannelNode, id: ChannelId): bigint[] {
  const { transport } = mesh;
  const near = new Set([transport.nodeId, ...transport.connectedPeers()]);
  const found = new Set<bigint>();
  for (const hash of offerHashesOf(id)) {
    const { index } = capabilities;
    for (const nodeId of findNodes(index, { requireTags: [channelTag(hash)] }).ids()) {
      if (!near.has(nodeId) && found.size < ERRORS_MAX) found.add(nodeId);
    }
  }
  return [...found];
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function payloadOf(bytes: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: DECODER.decode(bytes) };
  } catch {
    return { base64: bytes.toBase64() };
  }
}

/** How a subscription goes at one publisher. */
export function describeStatus({ publisher, state, reason }: PublisherStatus): object {
  return {
    publisher: idToHex(publisher),
    state,
    reason: state === "refused" ? REASONS[reason] ?? `refused (${reason})` : null,
  };
}

/** Result of `channel.stats`: of all channels, or of one. */
export function describeChannelStats(node: ChannelNode, name: string | undefined): object {
  const published = describePublished(node, name);
  const subscribed = describeSubscribed(node, name);
  if (name !== undefined && published.length === 0 && subscribed.length === 0) {
    if (node.channels.publisher.registry.resolve(name) === undefined) {
      throw new NetError("not_found", `Cannot show channel "${name}": nothing is known of it`, {
        next: "see net channel ls for the channels of this node",
      });
    }
  }
  return {
    published: published.slice(0, ROWS_MAX),
    subscribed: subscribed.slice(0, ROWS_MAX),
    omitted: Math.max(0, published.length - ROWS_MAX) + Math.max(0, subscribed.length - ROWS_MAX),
    counters: Object.fromEntries(
      Object.entries(node.channels.counters()).filter(([, value]) => value !== 0),
    ),
  };
}

/** What this node published, and to whom it goes; what only its own programs wait for is no more than that. */
function describePublished({ channels, mesh }: ChannelNode, wanted: string | undefined) {
  const { publisher } = channels;
  const { roster } = publisher.subscribers;
  const isForPeers = ({ byPeer }: { readonly byPeer: ReadonlyMap<bigint, unknown> }) =>
    byPeer.size > (byPeer.has(mesh.transport.nodeId) ? 1 : 0);
  const names = new Set([
    ...publisher.publishedNames(),
    ...[...roster.values()].filter(isForPeers).map(({ channel }) => channel.name),
  ]);
  return [...names].filter((name) => wanted === undefined || name === wanted).sort().map((name) => {
    const counters = publisher.published(name)?.counters;
    const members = roster.get(name);
    return {
      channel: name,
      events: counters?.events_total ?? 0,
      bytes: counters?.bytes_total ?? 0,
      deliveries: counters?.deliveries_total ?? 0,
      failures: counters?.failures_total ?? 0,
      refused_by_rate: counters?.refused_rate_total ?? 0,
      subscribers: Array.from(members?.byPeer.values() ?? [], ({ peer, queueGroup, standing }) => ({
        node_id: idToHex(peer),
        group: queueGroup ?? null,
        token: standing !== undefined,
      })).slice(0, ROWS_MAX),
    };
  });
}

/** What programs of this machine are subscribed to, and how that goes. */
function describeSubscribed({ channels }: ChannelNode, wanted: string | undefined) {
  return Array.from(channels.subscriber.values()).filter(({ id }) =>
    wanted === undefined || id.name === wanted
  ).map(({ id, queueGroup, readers, attached }) => ({
    channel: id.name,
    group: queueGroup ?? null,
    readers: readers.length,
    waiting: readers.reduce((sum, { queue }) => sum + queue.size, 0),
    dropped: readers.reduce((sum, { queue }) => sum + queue.dropped, 0),
    publishers: Array.from(attached.values(), ({ peer, attachment, receiver }) => ({
      node_id: idToHex(peer),
      state: attachment.state,
      reason: attachment.state === "refused" ? REASONS[attachment.reason] ?? "refused" : null,
      reliable: receiver.isReliable,
    })),
  }));
}

function wireHashText(wireHash: number): string {
  return wireHash.toString(16).padStart(4, "0");
}
