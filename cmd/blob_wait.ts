/** `net blob wait`: waits until a published blob is folded and as durable as was asked. */
import { buildCommand } from "@stricli/core";
import { receiptText } from "./blob_durability.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Values of its flags. */
interface WaitFlags extends SharedFlags {
  readonly wait?: string;
}

/** The verb. */
export const blobWaitCommand = buildCommand<WaitFlags, [string], NetContext>({
  docs: {
    brief: "Wait until a published blob is folded and durable",
    fullDescription:
      "Waits for what a token of net log append --blob stands for: the event is on " +
      "the device and in every fold that the node has of the log, the blob is here, and as many " +
      "other nodes as were asked for hold every chunk of it.\n\n" +
      "EXAMPLES\n  net blob wait TOKEN\n  net blob wait TOKEN --wait 5m --json",
  },
  parameters: {
    flags: bareRecord({
      wait: textFlag("DURATION", "How long it may take, such as 30s; default: 1m"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, placeholder: "TOKEN", brief: "Token of the append" }],
    },
  },
  async func(flags, token) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const waitMs = durationFlag("--wait", flags.wait);
      const node = await connectOrOpen(this, flags, signal, { isForReading: true });
      try {
        const params = waitMs === undefined ? { token } : { token, wait_ms: waitMs };
        const answer = recordOf(await node.call("blob.wait", params, { signal }));
        output.result("blob.wait", answer, () => {
          const receipt = recordOf(answer.receipt ?? {});
          return answer.receipt === null ? "it is here and folded" : receiptText(receipt);
        });
      } finally {
        await node.close();
      }
    });
  },
});
