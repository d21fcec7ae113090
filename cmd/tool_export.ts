/** `net tool export`: the tools of the mesh in the format of a provider of models. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { textOf } from "./format.ts";
import { escapeControls } from "./output.ts";
import {
  callPaged,
  filterParams,
  TOOL_ANSWER_MS,
  TOOL_FILTER_FLAGS,
  type ToolFilterFlags,
} from "./tool_common.ts";
import { runVerb } from "./verb.ts";

const FORMATS = ["openai", "anthropic", "gemini", "mcp"] as const;

interface ToolExportFlags extends SharedFlags, ToolFilterFlags {
  readonly format: (typeof FORMATS)[number];
}

/** The verb. */
export const toolExportCommand = buildCommand<ToolExportFlags, [], NetContext>({
  docs: {
    brief: "Print tools as a provider of models wants them",
    fullDescription: "Prints the newest version of each tool as a JSON list in the format of a " +
      "provider of models, to be given to its API. With --json the list is a member of the usual " +
      "document.\n\n" +
      "EXAMPLES\n  net tool export --format openai > tools.json\n" +
      "  net tool export --format mcp --tag web\n" +
      "  net tool export --format anthropic --tool web_search --json",
  },
  parameters: {
    flags: bareRecord({
      format: {
        kind: "enum" as const,
        values: FORMATS,
        brief: "Whose form they are printed in",
      },
      ...TOOL_FILTER_FLAGS,
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const { format } = flags;
        const params = { format, ...filterParams(flags) };
        const { tools, incomplete } = await callPaged(node, "tool.export", params, signal);
        output.result(
          "tool.export",
          { format, tools, incomplete },
          () => escapeControls(JSON.stringify(tools, null, 2)),
        );
        for (const tool of incomplete) {
          output.warn(
            `${
              textOf(tool)
            } has a schema too large for its announcement: its arguments are not told`,
          );
        }
      } finally {
        await node.close();
      }
    }, { timeoutMs: TOOL_ANSWER_MS });
  },
});
