/** `net blob scrub`: reads every chunk and finds what is damaged, missing or misnamed. */
import { buildCommand } from "@stricli/core";
import { ERROR_FACES, NetError } from "../src/base/mod.ts";
import { parseSize } from "../src/config/mod.ts";
import { showProgress } from "./blob_common.ts";
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
import type { Output } from "./output.ts";
import { runVerb } from "./verb.ts";

interface BlobScrubFlags extends SharedFlags {
  readonly repair?: boolean;
  readonly convert?: boolean;
  readonly fresh?: boolean;
  readonly rate?: string;
  readonly status?: boolean;
}

/** Findings that are shown to people; `--json` has more. */
const SHOWN_MAX = 50;

/** The verb. */
export const blobScrubCommand = buildCommand<BlobScrubFlags, [], NetContext>({
  docs: {
    brief: "Read every chunk, and find what is damaged or missing",
    fullDescription:
      "Reads every chunk of this node and checks its hash. A damaged chunk is removed; --repair gets " +
      "it again, from parity or from peers, and does the same for chunks that a blob needs and that " +
      "are missing. A scrub that was broken off goes on where it stopped. The verb ends with 9 when " +
      "something is lost.\n\n" +
      "EXAMPLES\n  net blob scrub\n  net blob scrub --repair --rate 20M\n" +
      "  net blob scrub --convert\n  net blob scrub --status --json",
  },
  parameters: {
    flags: bareRecord({
      repair: switchFlag("Get damaged and missing chunks again, name misnamed ones"),
      convert: switchFlag("Encrypt or decrypt chunks, as the node stores new ones"),
      fresh: switchFlag("Begin anew, not where the last one stopped"),
      rate: textFlag("SIZE", "Bytes to read per second; default: the node's, 50M"),
      status: switchFlag("Only say how far it is, or how the last one ended"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = {
        repair: flags.repair ?? false,
        convert: flags.convert ?? false,
        fresh: flags.fresh ?? false,
        ...rateParam(flags.rate),
      };
      const node = await connectOrOpen(this, flags, signal);
      const { progress, onProgress } = showProgress(this, "scrub", output.isQuiet);
      try {
        if (flags.status) {
          const status = recordOf(await node.call("blob.scrub_status", {}, { signal }));
          output.result("blob.scrub_status", status, () => statusText(status));
          return 0;
        }
        const report = recordOf(await node.call("blob.scrub", params, { signal, onProgress }));
        progress.end();
        output.result("blob.scrub", report, () => reportText(report));
        return verdictOf(report, output);
      } finally {
        progress.end();
        await node.close();
      }
    });
  },
});

function rateParam(text: string | undefined): { readonly bytes_per_second?: number } {
  if (text === undefined) return {};
  const bytes = parseSize(text);
  if (bytes !== undefined && bytes > 0) return { bytes_per_second: bytes };
  throw new NetError("usage", `Cannot use --rate: value is "${text}", must be a size`, {
    next: "write for example --rate 20M",
  });
}

/** The exit code, and what to do about what is lost. */
function verdictOf(report: Readonly<Record<string, unknown>>, output: Output): number {
  const lost = numberOf(report.lost) ?? 0;
  const unreadable = numberOf(report.unreadable) ?? 0;
  if (lost > 0) {
    output.note(
      `lost ${formatCounted(lost, "chunk")}: get them again with net blob scrub --repair, or put ` +
        "their blobs again",
    );
  }
  if (unreadable > 0) {
    output.note(
      `${formatCounted(unreadable, "chunk")} could not be read: check the disk, scrub again`,
    );
  }
  return lost + unreadable > 0 ? ERROR_FACES.integrity.exit : 0;
}

function reportText(report: Readonly<Record<string, unknown>>): string {
  const findings = listOf(report.findings).map(recordOf);
  const rows = findings.slice(0, SHOWN_MAX).map((finding) => [
    textOf(finding.kind),
    finding.repaired === true ? "repaired" : "-",
    textOf(finding.name),
  ]);
  const table = rows.length === 0 ? [] : [formatTable([["WHAT", "NOW", "NAME"], ...rows])];
  const more = findings.length > rows.length
    ? [`… and ${formatCount(findings.length - rows.length)} more`]
    : [];
  return [...table, ...more, countsText(report)].join("\n");
}

function statusText(status: Readonly<Record<string, unknown>>): string {
  if (status.scrub === null) return "there was no scrub yet";
  const scrub = recordOf(status.scrub);
  const ended = scrub.ended_at === null ? "broken off" : `ended ${textOf(scrub.ended_at)}`;
  const state = status.running === true ? "running" : ended;
  return `started ${textOf(scrub.started_at)}, ${state}: ${countsText(scrub)}`;
}

function countsText(report: Readonly<Record<string, unknown>>): string {
  const count = (name: string) => numberOf(report[name]) ?? 0;
  const found = [
    "corrupt",
    "missing",
    "unreadable",
    "repaired",
    "converted",
    "strangers",
    "renamed",
  ]
    .filter((name) => count(name) > 0).map((name) => `${formatCount(count(name))} ${name}`);
  const read = `${formatCounted(count("chunks"), "chunk")}, ${formatBytes(count("bytes"))}`;
  return `read ${read}: ${found.length === 0 ? "all sound" : found.join(", ")}`;
}
