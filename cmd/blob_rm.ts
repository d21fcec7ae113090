/** `net blob rm`: removes a blob from this node. */
import { buildCommand } from "@stricli/core";
import { parseTarget, TARGET_ARGUMENT } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatBytes, numberOf, recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time to remove the chunk files of a large blob. */
const ANSWER_MS = 60_000;

interface BlobRmFlags extends SharedFlags {
  readonly force?: boolean;
}

/** The verb. */
export const blobRmCommand = buildCommand<BlobRmFlags, [string], NetContext>({
  docs: {
    brief: "Remove a blob from this node",
    fullDescription:
      "Removes a blob from this node; copies on other nodes stay. One that is pinned or " +
      "held is refused without --force; what holds its chunks keeps them all the same. The hash of a " +
      "chunk removes that chunk, unless a blob refers to it.\n\n" +
      "EXAMPLES\n  net blob rm b3:ADDRESS\n  net blob rm b3:ADDRESS --force",
  },
  parameters: {
    flags: bareRecord({
      force: switchFlag("Remove it although it is pinned or held"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [TARGET_ARGUMENT] },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = parseTarget(targetText);
      const node = await connectOrOpen(this, flags, signal);
      try {
        const result = recordOf(
          await node.call("blob.remove", { target, force: flags.force ?? false }, { signal }),
        );
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
