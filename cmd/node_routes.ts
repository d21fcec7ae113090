/** `net node routes`: the ways to other nodes that the running node knows. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import { formatDuration, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

/** The verb. */
export const nodeRoutesCommand = buildCommand<WatchFlags, [], NetContext>({
  docs: {
    brief: "List the ways to other nodes",
    fullDescription: "Lists the ways to other nodes: the peer that packets are handed to, the " +
      "number of hops, the metric (smaller is better) and when the way was last confirmed. A " +
      "suspected way leads through a peer that is silent, and there is no other. A protected one " +
      "is bound to that peer's identity, not only to its address.\n\n" +
      "EXAMPLES\n  net node routes\n  net node routes --watch\n  net node routes --json",
  },
  parameters: { flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }) },
  async func(flags) {
    await runWatch(this, flags, { method: "node.routes", text: routesText });
  },
});

function routesText({ answer }: Look): string {
  const routes = listOf(answer.routes).map(recordOf);
  if (routes.length === 0) return "no routes";
  const rows = routes.map((route) => [
    textOf(route.destination),
    route.via === route.destination ? "direct" : textOf(route.via),
    textOf(route.hops) || "?",
    textOf(route.metric),
    route.suspected === true ? "suspected" : "live",
    route.protected === true ? "yes" : "no",
    formatDuration(numberOf(route.age_ms) ?? 0),
  ]);
  return formatTable([
    ["DESTINATION", "VIA", "HOPS", "METRIC", "STATE", "PROTECTED", "AGE"],
    ...rows,
  ], {
    right: [2, 3],
  });
}
