/** `net log verify`, `net log compact` and `net log repair`. */
import { buildCommand } from "@stricli/core";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatBytes, formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { showProgress } from "./blob_common.ts";
import { LOG_ARGUMENT, rangeText } from "./log_common.ts";
import { runVerb } from "./verb.ts";

/** Damaged ranges that are named. */
const RANGES_SHOWN = 10;
/** What a log that is damaged makes of the exit code. */
const INTEGRITY_EXIT = 9;

type Row = Readonly<Record<string, unknown>>;

/** The verb that looks. */
export const logVerifyCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Check every event of a log against its checksum",
    fullDescription:
      "Reads all of a log, checks every event against its checksum, and says which " +
      "numbers are damaged. The exit code is 9 when there are any. Nothing is changed.\n\n" +
      "EXAMPLES\n  net log verify app/orders\n  net log verify app/orders --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [LOG_ARGUMENT] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal, { isForReading: true });
      const { progress, onProgress } = showProgress(this, `verify ${channel}`, output.isQuiet);
      try {
        const verdict = recordOf(
          await node.call("log.verify", { channel }, { signal, onProgress }),
        );
        progress.end();
        output.result("log.verify", verdict, () => verdictText(verdict));
        return verdict.intact === true ? 0 : INTEGRITY_EXIT;
      } finally {
        progress.end();
        await node.close();
      }
    });
  },
});

/** The verb that makes room. */
export const logCompactCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Forget what a log's rules allow, and give the space back",
    fullDescription:
      "Runs retention now and writes the log anew without what is gone or damaged. A " +
      "crash in the middle leaves the old one or the new one, whole. The numbers of events stay.\n\n" +
      "EXAMPLES\n  net log compact app/orders",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [LOG_ARGUMENT] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal, { isForReading: true });
      const { progress, onProgress } = showProgress(this, `compact ${channel}`, output.isQuiet);
      try {
        const done = recordOf(await node.call("log.compact", { channel }, { signal, onProgress }));
        progress.end();
        output.result("log.compact", done, () => compactText(done));
      } finally {
        progress.end();
        await node.close();
      }
    });
  },
});

/** Human text of a `log.verify` result. */
export function verdictText(verdict: Row): string {
  const ranges = listOf(verdict.damaged_ranges);
  const head = `${textOf(verdict.channel)}: ${count(verdict.read_events)} events, ${
    formatBytes(numberOf(verdict.read_bytes) ?? 0)
  }`;
  if (verdict.intact === true) return `${head}, all intact`;
  const shown = ranges.slice(0, RANGES_SHOWN).map(rangeText).join(", ");
  const more = ranges.length > RANGES_SHOWN ? ` and ${ranges.length - RANGES_SHOWN} more` : "";
  const damaged = numberOf(verdict.damaged) ?? 0;
  return `${head}, ${formatCount(damaged)} damaged${shown === "" ? "" : `: ${shown}${more}`}`;
}

function compactText(done: Row): string {
  const before = numberOf(done.bytes_before) ?? 0;
  const after = numberOf(done.bytes) ?? 0;
  return `${textOf(done.channel)}: forgot ${count(done.swept_events)} events, ${
    formatBytes(before)
  } before, ${formatBytes(after)} now`;
}

function count(value: unknown): string {
  return formatCount(numberOf(value) ?? 0);
}
