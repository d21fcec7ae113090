/** `net gateway stats`: what the gateway of the running node let pass and kept in. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import { formatCount, formatFields, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

/** What a reason to keep a packet in is called. */
const REASONS: Readonly<Record<string, string>> = {
  ttl_expired: "TTL expired",
  subnet_local: "channel is subnet-local",
  not_ancestor: "destination is not ancestor of source",
  not_exported: "channel not exported to destination subnet",
  unknown_subnet: "unknown subnet",
};

/** The verb. */
export const gatewayStatsCommand = buildCommand<WatchFlags, [], NetContext>({
  docs: {
    brief: "Show what crossed between subnets, and what did not",
    fullDescription:
      "Shows what a node started with --gateway let pass between subnets and what it " +
      "kept in, by reason. Only packets of channels that it relays into another subnet are counted.\n\n" +
      "EXAMPLES\n  net gateway stats\n  net gateway stats --watch",
  },
  parameters: { flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }) },
  async func(flags) {
    await runWatch(this, flags, { method: "gateway.stats", text: statsText });
  },
});

function statsText({ answer }: Look): string {
  if (answer.gateway_installed !== true) {
    return "this node is no gateway: start it with net node start --gateway";
  }
  const drops = Object.entries(recordOf(answer.drops)).filter(([, count]) => count !== 0);
  return formatFields([
    ["subnet", textOf(answer.local_subnet)],
    ["subnets seen", listOf(answer.peer_subnets).map(textOf).join(", ")],
    ["exports", textOf(answer.export_rules)],
    ["forwarded", formatCount(numberOf(answer.forwarded) ?? 0)],
    ["dropped", formatCount(numberOf(answer.dropped) ?? 0)],
    ...drops.map(([reason, count]) =>
      [`  ${REASONS[reason] ?? reason}`, formatCount(numberOf(count) ?? 0)] as const
    ),
  ]);
}
