/** `net bus stats`: what the bus took, handed over and dropped. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import {
  formatCount,
  formatFields,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { type Answer, type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

/** The verb. */
export const busStatsCommand = buildCommand<WatchFlags, [], NetContext>({
  docs: {
    brief: "Show what the bus took, handed over and dropped",
    fullDescription:
      "Shows the engine that keeps the bus's events, and what was counted since the " +
      "node started: events taken, handed over, dropped after they were taken, and never taken " +
      "because the bus was full (refused), thinned out (sampled) or no shard was there (unrouted). " +
      "WAITING are events in a ring, TARGET how many make a batch. With --bus mesh or --bus-accept of " +
      "net node start it says which node gets the events, and which nodes feed this one: events " +
      "kept (FED), those that came again and were known (REPEATS), those their node gave up (GAPS), and " +
      'batches that could not be kept (REFUSED); "not let in" are batches of nodes that may not.\n\n' +
      "EXAMPLES\n  net bus stats\n  net bus stats --watch\n  net bus stats --json",
  },
  parameters: { flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }) },
  async func(flags) {
    await runWatch(this, flags, {
      method: "bus.stats",
      text: statsText,
      check: ({ answer }, output) => {
        const { detail } = recordOf(answer.health);
        if (typeof detail === "string") output.warn(detail);
      },
    });
  },
});

/** Human text of a `bus.stats` result. */
export function statsText({ answer, before, seconds }: Look): string {
  const rate = (name: string) => {
    const total = numberOf(answer[name]) ?? 0;
    const earlier = before === undefined ? undefined : numberOf(before[name]);
    const text = formatCount(total);
    return earlier === undefined || seconds <= 0
      ? text
      : `${text}  (${formatCount((total - earlier) / seconds)}/s)`;
  };
  const isZero = (name: string) => (numberOf(answer[name]) ?? 0) === 0;
  const feed = recordOf(answer.feed);
  const sums = formatFields([
    ["engine", textOf(answer.engine)],
    ["taken", rate("ingested")],
    ["handed over", rate("dispatched")],
    ["batches", rate("batches")],
    ["dropped", rate("dropped")],
    ...["refused", "sampled", "unrouted"].filter((name) => !isZero(name))
      .map((name) => [name, rate(name)] as const),
    ...feedFields(feed),
  ]);
  const tables = [shardTable(listOf(answer.shards).map(recordOf)), ...sourceTable(feed)];
  return [sums, ...tables].join("\n\n");
}

/** Whom the bus feeds and who may feed it, if there are such nodes. */
function feedFields({ peer, is_connected, accept, events, not_allowed }: Answer) {
  const fields: [string, string][] = [];
  if (typeof peer === "string") {
    fields.push(["feeds", `${peer}${is_connected === true ? "" : "  (not connected)"}`]);
  }
  const accepted = Array.isArray(accept) ? accept.map(textOf).join(", ") : textOf(accept);
  if (accepted !== "") {
    fields.push(["fed by", accepted], ["fed", formatCount(numberOf(events) ?? 0)]);
  }
  const turnedAway = numberOf(not_allowed) ?? 0;
  if (turnedAway > 0) fields.push(["not let in", formatCount(turnedAway)]);
  return fields;
}

/** What came from whom. */
function sourceTable(feed: Answer): readonly string[] {
  const sources = listOf(feed.sources).map(recordOf);
  if (sources.length === 0) return [];
  const rows = sources.map((source) => [
    textOf(source.node),
    source.listening === true ? "feeds" : "away",
    ...["events", "repeats", "gaps", "refused"].map((name) =>
      formatCount(numberOf(source[name]) ?? 0)
    ),
  ]);
  const heading = ["NODE", "STATE", "FED", "REPEATS", "GAPS", "REFUSED"];
  return [formatTable([heading, ...rows], { right: [2, 3, 4, 5] })];
}

function shardTable(shards: readonly Answer[]): string {
  const count = (value: unknown) => formatCount(numberOf(value) ?? 0);
  const rows = shards.map((shard) => [
    textOf(shard.shard),
    textOf(shard.state),
    count(shard.ingested),
    count(shard.dropped),
    count(shard.waiting),
    count(shard.batch_target),
  ]);
  const heading = ["SHARD", "STATE", "TAKEN", "DROPPED", "WAITING", "TARGET"];
  return formatTable([heading, ...rows], { right: [0, 2, 3, 4, 5] });
}
