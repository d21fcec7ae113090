/** `net node forget`: drops what a node knows of a peer, its pin above all. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { PEER_ARGUMENT } from "./peer_argument.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** The verb. */
export const nodeForgetCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Forget a peer and the identity it proved",
    fullDescription:
      "Forgets a peer of the running node: its addresses, and the identity it proved, " +
      "without which\nnobody else is taken for it.\n\nEXAMPLES\n  net node forget 31a56ab7724a0b59",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [{ ...PEER_ARGUMENT, brief: "Node id of the peer, whole" }],
    },
  },
  async func(flags, peer) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(await node.call("node.forget", { peer }, { signal }));
        output.result("node.forget", result, () => `forgot ${textOf(result.forgotten)}`);
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
