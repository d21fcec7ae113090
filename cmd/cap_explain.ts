/** `net cap explain`: why a node is or is not among those that `net cap find` finds. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { QUERY_FLAGS, type QueryFlags, REQUIRED_ARGUMENT, toQuery } from "./cap_query.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, listFlag, SHARED_FLAGS } from "./flags.ts";
import { listOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface ExplainFlags extends QueryFlags {
  readonly redact?: readonly string[];
}

/** The verb. */
export const capExplainCommand = buildCommand<ExplainFlags, string[], NetContext>({
  docs: {
    brief: "Show why a node can or cannot do something",
    fullDescription: "Puts every condition of net cap find to one node and shows which hold, and " +
      "what the node has to do with each. The first argument is the node, its id or the first " +
      "digits; the others are asked for. The exit code is 4 when the node does not match.\n\n" +
      "EXAMPLES\n" +
      "  net cap explain 31a5 gpu 'hardware.memory_gb>=32'\n" +
      "  net cap explain 31a5 --where '!decommissioned && owner==ada' --redact owner",
  },
  parameters: {
    flags: bareRecord({
      ...QUERY_FLAGS,
      redact: listFlag("KEY", "Hide the values of this metadata key; repeatable"),
      ...SHARED_FLAGS,
    }),
    positional: {
      ...REQUIRED_ARGUMENT,
      parameter: {
        ...REQUIRED_ARGUMENT.parameter,
        placeholder: "PEER [TAG...]",
        brief: "Node id or its first digits, then what is asked for as in net cap find",
      },
    },
  },
  async func(flags, ...words) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const [peer, ...required] = words;
      if (peer === undefined) {
        throw new NetError("usage", "Cannot explain: PEER is missing", {
          next: "see net cap find for the nodes that are known",
        });
      }
      const query = { ...toQuery(flags, required), node: peer, redact: flags.redact };
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(await node.call("cap.explain", query, { signal }));
        output.result("cap.explain", result, () => explainText(result));
        return result.matches === true ? 0 : 4;
      } finally {
        await node.close();
      }
    });
  },
});

/** Human text of a `cap.explain` result. */
export function explainText(result: Readonly<Record<string, unknown>>): string {
  const verdict = result.matches === true ? "matches" : "does not match";
  const lines = listOf(result.lines).map((line) => `  ${textOf(line)}`.trimEnd());
  return [`${textOf(result.node_id)} ${verdict}`, ...lines].join("\n");
}
