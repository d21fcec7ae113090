/** `net gateway unexport`: keeps a channel in its subnet again. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { listOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** The verb. */
export const gatewayUnexportCommand = buildCommand<
  SharedFlags,
  [string, ...string[]],
  NetContext
>({
  docs: {
    brief: "End the export of a channel",
    fullDescription: "Ends the export of a channel to the subnets named, or to all of them.\n\n" +
      "EXAMPLES\n  net gateway unexport room/lobby\n  net gateway unexport room/lobby 2.1",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "array",
      minimum: 1,
      parameter: {
        parse: String,
        placeholder: "CHANNEL [SUBNET...]",
        brief: "Name of the channel, or hash: and 16 digits; then subnets, none for all",
      },
    },
  },
  async func(flags, channel, ...targets) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const params = { channel, targets };
        const result = recordOf(await node.call("gateway.unexport", params, { signal }));
        const left = listOf(result.targets).map(textOf);
        output.result(
          "gateway.unexport",
          result,
          () =>
            left.length === 0
              ? `${channel} is no longer exported`
              : `${channel} is still exported to ${left.join(", ")}`,
        );
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
