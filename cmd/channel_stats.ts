/** `net channel stats`: what was published and received on channels, and who is subscribed. */
import { buildCommand } from "@stricli/core";
import { CHANNEL_ARGUMENT } from "./channel_common.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import {
  formatCompact,
  formatCount,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { type Answer, type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

/** The verb. */
export const channelStatsCommand = buildCommand<WatchFlags, [string?], NetContext>({
  docs: {
    brief: "Show what was published and received, and who is subscribed",
    fullDescription:
      "Shows channels that this node published on, or that peers are subscribed to " +
      "here: events and bytes, deliveries to subscribers, those that failed, events above the " +
      "channel's rate. Below, channels that programs of this machine are subscribed to: readers, " +
      "events that wait for them, events they were too slow for, and how it goes at each " +
      "publisher. --json has the subscribers and all counters.\n\n" +
      "EXAMPLES\n  net channel stats\n  net channel stats room/lobby --watch",
  },
  parameters: {
    flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }),
    positional: {
      kind: "tuple",
      parameters: [{ ...CHANNEL_ARGUMENT, optional: true, brief: "Only this channel" }],
    },
  },
  async func(flags, channel) {
    const params = channel === undefined ? {} : { channel };
    await runWatch(this, flags, { method: "channel.stats", params, text: statsText });
  },
});

/** Human text of a `channel.stats` result. */
export function statsText({ answer }: Pick<Look, "answer">): string {
  const published = listOf(answer.published).map(recordOf);
  const subscribed = listOf(answer.subscribed).map(recordOf);
  const parts: string[] = [];
  if (published.length > 0) parts.push(publishedTable(published));
  if (subscribed.length > 0) parts.push(subscribedTable(subscribed));
  return parts.length === 0 ? "nothing published, nothing subscribed to" : parts.join("\n\n");
}

function publishedTable(published: readonly Answer[]): string {
  const rows = published.map((channel) => [
    textOf(channel.channel),
    countText(channel.events),
    formatCompact(numberOf(channel.bytes) ?? 0),
    countText(channel.deliveries),
    countText(channel.failures),
    countText(channel.refused_by_rate),
    String(listOf(channel.subscribers).length),
  ]);
  const heading = ["PUBLISHED", "EVENTS", "BYTES", "DELIVERED", "FAILED", "OVER RATE", "SUBS"];
  return formatTable([heading, ...rows], { right: [1, 2, 3, 4, 5, 6] });
}

function subscribedTable(subscribed: readonly Answer[]): string {
  const rows = subscribed.flatMap((channel) => {
    const publishers = listOf(channel.publishers).map(recordOf);
    const cells = [
      textOf(channel.channel),
      textOf(channel.group) || "-",
      textOf(channel.readers),
      countText(channel.waiting),
      countText(channel.dropped),
    ];
    if (publishers.length === 0) return [[...cells, "-", "nobody offers it"]];
    return publishers.map((publisher, i) => [
      ...(i === 0 ? cells : ["", "", "", "", ""]),
      textOf(publisher.node_id),
      publisher.state === "refused" ? textOf(publisher.reason) : textOf(publisher.state),
    ]);
  });
  const heading = ["SUBSCRIBED", "GROUP", "READERS", "WAITING", "MISSED", "PUBLISHER", "STATE"];
  return formatTable([heading, ...rows], { right: [2, 3, 4] });
}

function countText(value: unknown): string {
  return formatCount(numberOf(value) ?? 0);
}
