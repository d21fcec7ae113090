/** `net identity show`: who this node is. */
import { buildCommand } from "@stricli/core";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatFields, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time the node, or the data folder's lock, has to answer. */
const ANSWER_MS = 10_000;

/** The verb. */
export const identityShowCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Show the public identity of this node",
    fullDescription: "Shows the public identity of this node, running or not.\n\n" +
      "EXAMPLES\n  net identity show\n  net identity show --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal);
      try {
        const result = recordOf(await node.call("identity.show", {}, { signal }));
        output.result("identity.show", result, () =>
          formatFields([
            ["node", textOf(result.node_id)],
            ["entity", textOf(result.entity_id)],
            ["origin", textOf(result.origin_hash)],
            ["routing", textOf(result.routing_id)],
            ["noise key", textOf(result.noise_public_key)],
          ]));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
