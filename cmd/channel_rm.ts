/** `net channel rm`: runs a channel no longer. */
import { buildCommand } from "@stricli/core";
import { CHANNEL_ANSWER_MS, CHANNEL_ARGUMENT } from "./channel_common.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** The verb. */
export const channelRmCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Run a channel no longer",
    fullDescription: "Removes a channel or a prefix of this node; its subscribers get no more " +
      "events.\n\nEXAMPLES\n  net channel rm room/lobby\n  net channel rm logs/",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [CHANNEL_ARGUMENT] },
  },
  async func(flags, name) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(await node.call("channel.rm", { name }, { signal }));
        output.result("channel.rm", result, () => `removed ${textOf(result.removed)}`);
      } finally {
        await node.close();
      }
    }, { timeoutMs: CHANNEL_ANSWER_MS });
  },
});
