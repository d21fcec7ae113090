/** `net gateway exports`: channels and the subnets they may leave for. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatTable, listOf, recordOf, textOf } from "./format.ts";
import { type Look, runWatch } from "./watch.ts";

/** The verb. */
export const gatewayExportsCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "List channels and the subnets they are exported to",
    fullDescription: "Lists the export table of the running node. It counts for channels whose " +
      "visibility is exported: for what this node publishes, and on a gateway for what others do.\n\n" +
      "EXAMPLES\n  net gateway exports\n  net gateway exports --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runWatch(this, flags, { method: "gateway.exports", text: exportsText });
  },
});

function exportsText({ answer }: Look): string {
  const exports = listOf(answer.exports).map(recordOf);
  if (exports.length === 0) return "no exports";
  const rows = exports.map((entry) => [
    textOf(entry.channel) || "-",
    textOf(entry.channel_hash),
    textOf(entry.visibility) || "unknown",
    listOf(entry.targets).map(textOf).join(" "),
  ]);
  return formatTable([["CHANNEL", "HASH", "VISIBILITY", "SUBNETS"], ...rows]);
}
