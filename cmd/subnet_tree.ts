/** `net subnet tree`: subnets by the ones they lie in. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { listOf, numberOf, recordOf, textOf } from "./format.ts";
import { type Look, runWatch } from "./watch.ts";

/** The verb. */
export const subnetTreeCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Show how subnets lie in each other",
    fullDescription: "Shows the subnets that this node and its peers are in as a tree, with the " +
      "number of nodes of each.\n\nEXAMPLES\n  net subnet tree\n  net subnet tree --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runWatch(this, flags, { method: "subnet.tree", text: treeText });
  },
});

function treeText({ answer }: Look): string {
  return listOf(answer.subnets).map(recordOf).map((subnet) => {
    const indent = "  ".repeat(numberOf(subnet.depth) ?? 0);
    const count = numberOf(subnet.member_count) ?? 0;
    const nodes = count === 0 ? "" : `  ${count} node${count === 1 ? "" : "s"}`;
    return `${indent}${textOf(subnet.subnet)}${nodes}${subnet.is_local === true ? ", here" : ""}`;
  }).join("\n");
}
