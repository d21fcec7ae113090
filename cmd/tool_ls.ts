/** `net tool ls`: lists the tools of the mesh. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatTable, listOf, recordOf, textOf } from "./format.ts";
import {
  callPaged,
  filterParams,
  TOOL_ANSWER_MS,
  TOOL_FILTER_FLAGS,
  type ToolFilterFlags,
} from "./tool_common.ts";
import { runVerb } from "./verb.ts";

interface ToolLsFlags extends SharedFlags, ToolFilterFlags {}

/** Letters of a description in a row of 80. */
const BRIEF_MAX = 40;

/** The verb. */
export const toolLsCommand = buildCommand<ToolLsFlags, [], NetContext>({
  docs: {
    brief: "List the tools that nodes of the mesh offer",
    fullDescription: "Lists the tools that nodes of the mesh announced, this one included, by id " +
      "and version. NODES is how many offer it.\n\n" +
      "EXAMPLES\n  net tool ls\n  net tool ls --tag web --tag research\n  net tool ls --json",
  },
  parameters: { flags: bareRecord({ ...TOOL_FILTER_FLAGS, ...SHARED_FLAGS }) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const { tools } = await callPaged(node, "tool.ls", filterParams(flags), signal);
        output.result("tool.ls", { tools }, () => toolTable(tools));
      } finally {
        await node.close();
      }
    }, { timeoutMs: TOOL_ANSWER_MS });
  },
});

/** Tools as rows. */
export function toolTable(tools: readonly unknown[]): string {
  if (tools.length === 0) return "no tools";
  const rows = tools.map(recordOf).map((tool) => [
    textOf(tool.tool_id),
    textOf(tool.version),
    textOf(tool.node_count),
    listOf(tool.tags).map(textOf).join(",") || "-",
    shorten(textOf(tool.description)),
  ]);
  return formatTable([["TOOL", "VERSION", "NODES", "TAGS", "WHAT IT DOES"], ...rows], {
    right: [2],
    columnsMax: 100,
  });
}

function shorten(text: string): string {
  const letters = [...text];
  return letters.length <= BRIEF_MAX ? text : `${letters.slice(0, BRIEF_MAX - 1).join("")}…`;
}
