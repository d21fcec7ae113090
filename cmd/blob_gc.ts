/** `net blob gc`: removes chunks that nothing needs. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseDuration } from "../src/config/mod.ts";
import { timeText } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { runVerb } from "./verb.ts";

interface BlobGcFlags extends SharedFlags {
  readonly dryRun?: boolean;
  readonly diskPressure?: boolean;
  readonly retention?: string;
}

/** Chunks that a dry run names for people; `--json` has more. */
const SHOWN_MAX = 50;

/** The verb. */
export const blobGcCommand = buildCommand<BlobGcFlags, [], NetContext>({
  docs: {
    brief: "Remove chunks that nothing needs",
    fullDescription:
      "Removes chunks that no blob refers to, that nobody pinned or holds, and that are older than " +
      "the retention. A node does so by itself; this does it now. --disk-pressure lets the age not " +
      "count, and nothing else. --dry-run lists what would go.\n\n" +
      "EXAMPLES\n  net blob gc --dry-run\n  net blob gc --retention 1h\n  net blob gc --disk-pressure",
  },
  parameters: {
    flags: bareRecord({
      dryRun: switchFlag("List what would go and remove nothing"),
      diskPressure: switchFlag("Take young chunks too"),
      retention: textFlag("DURATION", "Age from which chunks go; default: the node's, 24h"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = {
        dry_run: flags.dryRun ?? false,
        disk_pressure: flags.diskPressure ?? false,
        ...retentionParam(flags.retention),
      };
      const node = await connectOrOpen(this, flags, signal);
      try {
        const report = recordOf(await node.call("blob.gc", params, { signal }));
        output.result("blob.gc", report, () => reportText(report));
        const young = numberOf(recordOf(report.kept).fresh) ?? 0;
        if (young > 0) {
          output.note(
            `${formatCounted(young, "chunk")} ${young === 1 ? "is" : "are"} too young to go: ` +
              "see --retention and --disk-pressure",
          );
        }
      } finally {
        await node.close();
      }
    });
  },
});

function retentionParam(text: string | undefined): { readonly retention_ms?: number } {
  if (text === undefined) return {};
  const ms = parseDuration(text);
  if (ms !== undefined) return { retention_ms: ms };
  throw new NetError(
    "usage",
    `Cannot use --retention: value is "${text}", must be a duration of at most 30d`,
    { next: "write for example --retention 24h" },
  );
}

function reportText(report: Readonly<Record<string, unknown>>): string {
  if (report.dry_run !== true) {
    const removed = formatCounted(numberOf(report.removed) ?? 0, "chunk");
    return `removed ${removed}, freed ${formatBytes(numberOf(report.freed_bytes) ?? 0)}`;
  }
  const count = numberOf(report.candidate_count) ?? 0;
  const total = `${formatCounted(count, "chunk")} would go, ` +
    formatBytes(numberOf(report.candidate_bytes) ?? 0);
  const rows = listOf(report.candidates).slice(0, SHOWN_MAX).map(recordOf).map((chunk) => [
    textOf(chunk.hash),
    formatBytes(numberOf(chunk.size) ?? 0),
    timeText(chunk.first_seen),
  ]);
  if (rows.length === 0) return total;
  const more = count > rows.length ? [`… and ${formatCount(count - rows.length)} more`] : [];
  return [formatTable([["HASH", "SIZE", "FIRST SEEN"], ...rows]), ...more, total].join("\n");
}
