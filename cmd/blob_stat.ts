/** `net blob stat`: what is known of one blob. */
import { buildCommand } from "@stricli/core";
import { parseTarget, timeText } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatBytes, formatFields, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time to look here and to ask peers. */
const ANSWER_MS = 30_000;

/** The verb. */
export const blobStatCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Show size, chunks and place of one blob",
    fullDescription: "Shows size, chunks and place of one blob.\n\n" +
      "EXAMPLES\n  net blob stat b3:ADDRESS\n  net blob stat b3:ADDRESS --json",
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
        const blob = recordOf(await node.call("blob.stat", { target }, { signal }));
        output.result("blob.stat", blob, () =>
          formatFields([
            ["address", textOf(blob.address)],
            ["reference", textOf(blob.blob_ref)],
            ["size", sizeText(numberOf(blob.size) ?? 0)],
            ["chunks", textOf(blob.chunks)],
            ["here", blob.local === true ? "yes" : "no"],
            ["created", timeText(blob.created_at)],
          ]));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function sizeText(size: number): string {
  return size < 1024 ? formatBytes(size) : `${formatBytes(size)} (${size} bytes)`;
}
