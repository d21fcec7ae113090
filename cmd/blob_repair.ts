/** `net blob repair`: writes lost chunks again, from parity and then from other nodes. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseTarget, showProgress } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatCount, formatFields, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface BlobRepairFlags extends SharedFlags {
  readonly all?: boolean;
}

/** What a repair counts, with the words for people. */
const COUNTS = [
  ["stripes_walked", "stripes walked"],
  ["stripes_already_healthy", "already healthy"],
  ["stripes_repaired", "repaired"],
  ["chunks_restored", "chunks restored"],
  ["parity_restored", "parity restored"],
  ["stripes_unrecoverable", "unrecoverable"],
  ["replicated_stripes_skipped", "stripes without parity"],
  ["replicated_leaves_skipped", "leaves without parity"],
  ["chunks_fetched", "chunks fetched"],
  ["chunks_missing", "chunks missing"],
] as const;

/** The verb. */
export const blobRepairCommand = buildCommand<BlobRepairFlags, [string?], NetContext>({
  docs: {
    brief: "Write lost chunks of a blob again, from parity and from other nodes",
    fullDescription:
      "Reads every chunk of a blob that this node holds. What is lost or damaged is " +
      "restored from parity that is here, and then fetched from other nodes. Ends with exit code 9 " +
      "when something is still missing.\n\n" +
      "EXAMPLES\n  net blob repair b3:ADDRESS\n  net blob repair --all --json",
  },
  parameters: {
    flags: bareRecord({ all: switchFlag("Every blob that this node holds"), ...SHARED_FLAGS }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        placeholder: "TARGET",
        brief: "Address (b3:…) or blob reference in hex",
        optional: true,
      }],
    },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      if ((targetText === undefined) === !(flags.all ?? false)) {
        throw new NetError("usage", "Cannot repair: give either a TARGET or --all", {
          next: "list what is here with net blob ls",
        });
      }
      const node = await connectOrOpen(this, flags, signal);
      const { progress, onProgress } = showProgress(this, "repair", output.isQuiet);
      try {
        const totals = new Map<string, number>(COUNTS.map(([name]) => [name, 0]));
        const failures: object[] = [];
        let blobs = 0;
        for await (const target of targets(node, targetText, signal)) {
          try {
            const report = recordOf(
              await node.call("blob.repair", { target }, { signal, onProgress }),
            );
            for (const [name, sum] of totals) totals.set(name, sum + (numberOf(report[name]) ?? 0));
            blobs += 1;
            if ((numberOf(report.chunks_missing) ?? 0) > 0) {
              failures.push({ target, reason: "chunks are missing" });
            }
          } catch (error) {
            // One of many: the others may still be saved.
            if (targetText !== undefined || signal.aborted || !(error instanceof NetError)) {
              throw error;
            }
            failures.push({ target, reason: error.message });
          }
        }
        progress.end();
        const result = { blobs, ...Object.fromEntries(totals), failures };
        output.result("blob.repair", result, () =>
          formatFields([
            ["blobs", formatCount(blobs)],
            ...COUNTS.map(([name, words]): [string, string] => [
              words,
              formatCount(totals.get(name) ?? 0),
            ]),
            ...failures.slice(0, 20).map((failure): [string, string] => {
              const { target, reason } = recordOf(failure);
              return ["not whole", `${textOf(target)}: ${textOf(reason)}`];
            }),
          ]));
        if (failures.length === 0) return 0;
        output.note("connect to a node that holds what is missing, and repeat the command");
        return 9;
      } finally {
        progress.end();
        await node.close();
      }
    });
  },
});

/** The one blob, or every one that is listed. */
async function* targets(
  node: NodeCaller,
  target: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  if (target !== undefined) return yield parseTarget(target);
  for (let cursor: unknown = null; cursor !== undefined;) {
    const page = recordOf(
      await node.call("blob.list", cursor === null ? {} : { cursor }, { signal }),
    );
    for (const blob of listOf(page.blobs)) yield textOf(recordOf(blob).address);
    cursor = page.next === cursor ? undefined : page.next ?? undefined;
  }
}
