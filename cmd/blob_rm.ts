/** `net blob rm`: removes a blob from this node. */
import { buildCommand } from "@stricli/core";
import { parseTarget } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatBytes, numberOf, recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time to remove the chunk files of a large blob. */
const ANSWER_MS = 60_000;

/** The verb. */
export const blobRmCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Remove a blob from this node",
    fullDescription: "Removes a blob from this node; copies on other nodes stay.\n\n" +
      "EXAMPLES\n  net blob rm b3:ADDRESS",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, placeholder: "TARGET", brief: "Address (b3:…) or blob reference in hex" },
      ],
    },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = parseTarget(targetText);
      const node = await connectOrOpen(this, flags, signal);
      try {
        const result = recordOf(await node.call("blob.remove", { target }, { signal }));
        output.result(
          "blob.rm",
          result,
          () => `removed ${target}, freed ${formatBytes(numberOf(result.freed_bytes) ?? 0)}`,
        );
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
