/** `net blob pin` and `net blob unpin`: keeps a blob or a chunk whatever happens, or no longer. */
import { buildCommand } from "@stricli/core";
import { parseTarget, TARGET_ARGUMENT } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

const ANSWER_MS = 30_000;

/** The verb that keeps. */
export const blobPinCommand = pinCommand("pin", {
  brief: "Keep a blob or a chunk whatever happens",
  fullDescription:
    "Keeps a blob with all its chunks, or one chunk, on this node: no collection, no full store " +
    "and no policy takes it, and net blob rm refuses it.\n\n" +
    "EXAMPLES\n  net blob pin b3:ADDRESS",
});

/** The verb that lets go. */
export const blobUnpinCommand = pinCommand("unpin", {
  brief: "Take the pin of a blob or a chunk back",
  fullDescription: "Takes a pin back; what else keeps the blob or the chunk goes on doing so.\n\n" +
    "EXAMPLES\n  net blob unpin b3:ADDRESS\n  net blob why b3:ADDRESS",
});

function pinCommand(
  verb: "pin" | "unpin",
  docs: { readonly brief: string; readonly fullDescription: string },
) {
  return buildCommand<SharedFlags, [string], NetContext>({
    docs,
    parameters: {
      flags: bareRecord(SHARED_FLAGS),
      positional: { kind: "tuple", parameters: [TARGET_ARGUMENT] },
    },
    async func(flags, targetText) {
      await runVerb(this, flags, async ({ output, signal }) => {
        const target = parseTarget(targetText);
        const node = await connectOrOpen(this, flags, signal);
        try {
          const result = recordOf(await node.call(`blob.${verb}`, { target }, { signal }));
          output.result(
            `blob.${verb}`,
            result,
            () => `${verb}ned ${textOf(result.what)} ${textOf(result.target)}`,
          );
        } finally {
          await node.close();
        }
      }, { timeoutMs: ANSWER_MS });
    },
  });
}
