/** `net node ticket`: prints a ticket that lets another node join. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

interface NodeTicketFlags extends SharedFlags {
  readonly expires?: string;
  readonly label?: string;
}

/** The verb. */
export const nodeTicketCommand = buildCommand<NodeTicketFlags, [], NetContext>({
  docs: {
    brief: "Print a ticket that lets another node join",
    fullDescription: "Prints a ticket that lets another node join. Whoever holds it can join, so " +
      "pass it on like a password.\n\n" +
      "EXAMPLES\n  net node ticket\n  net node ticket --expires 1h\n" +
      "  net node ticket | ssh other net node start --join -",
  },
  parameters: {
    flags: bareRecord({
      expires: textFlag("DURATION", "Time the ticket stays valid, such as 30m, 1h or 7d"),
      label: textFlag("TEXT", "Name inside the ticket"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const expiresMs = durationFlag("--expires", flags.expires);
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(
          await node.call("node.ticket", {
            ...(expiresMs === undefined ? {} : { expires_secs: Math.ceil(expiresMs / 1000) }),
            ...(flags.label === undefined ? {} : { label: flags.label }),
          }, { signal }),
        );
        output.result("node.ticket", result, () => textOf(result.ticket));
        output.note("whoever holds this ticket can join: pass it on like a password");
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
