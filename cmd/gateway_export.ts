/** `net gateway export`: lets a channel leave for other subnets. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { listOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** The verb. */
export const gatewayExportCommand = buildCommand<
  SharedFlags,
  [string, ...string[]],
  NetContext
>({
  docs: {
    brief: "Export a channel to subnets",
    fullDescription:
      "Exports a channel to subnets and all that lies in them, from now on and over " +
      "restarts. The channel must have the visibility exported, here and on the nodes that publish it.\n\n" +
      "EXAMPLES\n  net gateway export room/lobby 2.1\n  net gateway export room/lobby 2 3.7",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "array",
      minimum: 2,
      parameter: {
        parse: String,
        placeholder: "CHANNEL SUBNET...",
        brief: "Name of the channel, or hash: and 16 digits; then subnets, such as 2.1",
      },
    },
  },
  async func(flags, channel, ...targets) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(
          await node.call("gateway.export", { channel, targets }, { signal }),
        );
        output.result(
          "gateway.export",
          result,
          () => `${channel} is exported to ${listOf(result.targets).map(textOf).join(", ")}`,
        );
        const visibility = textOf(result.visibility);
        if (visibility !== "exported") {
          const now = visibility === "" ? "is not known here" : `has the visibility ${visibility}`;
          output.warn(
            `the channel ${now}, must have exported to cross by this table: ` +
              `run net channel create ${channel} --visibility exported`,
          );
        }
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
