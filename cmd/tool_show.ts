/** `net tool show`: one tool, what it takes and who offers it. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatFields, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { TOOL_ANSWER_MS } from "./tool_common.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

/** The verb. */
export const toolShowCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Show one tool: what it takes and who offers it",
    fullDescription:
      "Shows one tool, every version of it: description, schemas, nodes that offer " +
      "it. A schema too large for an announcement is named, and only the nodes themselves have it." +
      "\n\nEXAMPLES\n  net tool show web_search\n  net tool show web_search --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, placeholder: "ID", brief: "Id of the tool" }],
    },
  },
  async func(flags, tool) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const answer = recordOf(await node.call("tool.show", { tool }, { signal }));
        output.result("tool.show", answer, () => {
          const versions = listOf(answer.versions).map(recordOf);
          return versions.map(toolText).join("\n\n");
        });
        const more = numberOf(answer.omitted) ?? 0;
        if (more > 0) output.note(`${more} older versions are not shown`);
      } finally {
        await node.close();
      }
    }, { timeoutMs: TOOL_ANSWER_MS });
  },
});

function toolText(tool: Answer): string {
  const omitted = listOf(tool.omitted).map(textOf);
  const long = (member: string) =>
    omitted.includes(member) ? "too large for an announcement" : textOf(tool[member]);
  const yes = (value: unknown) => value === true ? "yes" : "no";
  return formatFields([
    ["tool", textOf(tool.tool_id)],
    ["name", textOf(tool.name)],
    ["version", textOf(tool.version)],
    ["description", long("description")],
    ["tags", listOf(tool.tags).map(textOf).join(", ")],
    ["requires", listOf(tool.requires).map(textOf).join(", ")],
    ["takes about", timeText(tool.estimated_time_ms)],
    ["streams", yes(tool.streaming)],
    ["stateless", yes(tool.stateless)],
    ["input", long("input_schema")],
    ["output", long("output_schema")],
    ["pricing", long("pricing_terms")],
    ["offered by", providersText(tool)],
  ]);
}

function timeText(ms: unknown): string {
  const time = numberOf(ms) ?? 0;
  return time === 0 ? "" : `${time} ms`;
}

function providersText(tool: Answer): string {
  const providers = listOf(tool.providers).map(textOf);
  const more = (numberOf(tool.node_count) ?? 0) - providers.length;
  return providers.join(" ") + (more > 0 ? ` and ${more} more` : "");
}
