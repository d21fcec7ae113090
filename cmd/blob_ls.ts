/** `net blob ls`: lists the blobs that this node holds. */
import { buildCommand } from "@stricli/core";
import { timeText } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatBytes, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time one page has. */
const ANSWER_MS = 30_000;

/** Blobs of one listing; more than anyone reads, and a bound against a node that never ends. */
const BLOBS_MAX = 1_000_000;

/** The verb. */
export const blobLsCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "List the blobs that this node holds",
    fullDescription: "Lists the blobs that this node holds.\n\n" +
      "EXAMPLES\n  net blob ls\n  net blob ls --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal);
      try {
        const blobs: unknown[] = [];
        let cursor: unknown;
        do {
          const page = recordOf(
            await node.call("blob.list", cursor === undefined ? {} : { cursor }, { signal }),
          );
          const isStuck = page.next === cursor;
          blobs.push(...listOf(page.blobs));
          cursor = isStuck ? undefined : page.next ?? undefined;
        } while (cursor !== undefined && blobs.length < BLOBS_MAX);
        output.result("blob.ls", { blobs }, () => blobTable(blobs));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function blobTable(blobs: readonly unknown[]): string {
  if (blobs.length === 0) return "no blobs";
  const rows = blobs.map(recordOf).map((blob) => [
    textOf(blob.address),
    formatBytes(numberOf(blob.size) ?? 0),
    textOf(blob.chunks),
    timeText(blob.created_at),
  ]);
  return formatTable([["ADDRESS", "SIZE", "CHUNKS", "CREATED"], ...rows]);
}
