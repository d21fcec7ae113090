/** `net log verify`, `net log repair` and `net log compact`. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { showProgress } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatBytes, formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { FOLDER_FLAG, LOG_ARGUMENT, LOGS_FOR_READING, rangeText } from "./log_common.ts";
import { type Output, toDocument } from "./output.ts";
import { runVerb } from "./verb.ts";

/** Damaged ranges and events that are named. */
const RANGES_SHOWN = 10;
/** What a log that is damaged makes of the exit code. */
const INTEGRITY_EXIT = 9;

type Row = Readonly<Record<string, unknown>>;

interface VerifyFlags extends SharedFlags {
  readonly folder?: string;
}

interface RepairFlags extends VerifyFlags {
  readonly discard?: boolean;
}

const OPTIONAL_LOG = { ...LOG_ARGUMENT, optional: true } as const;

/** The verb that looks. */
export const logVerifyCommand = buildCommand<VerifyFlags, [string?], NetContext>({
  docs: {
    brief: "Check every event of a log against its checksum",
    fullDescription:
      "Reads all of a log, checks every event against its checksum, and says which " +
      "numbers are damaged. The exit code is 9 when there are any. Nothing is changed. With --folder " +
      "it is the files of a log, or of all logs below a folder, that are checked, also those of " +
      "the Rust core, and everything that a crash left in them counts.\n\n" +
      "EXAMPLES\n  net log verify app/orders\n  net log verify app/orders --json\n" +
      "  net log verify --folder /backup/logs",
  },
  parameters: {
    flags: bareRecord({ folder: FOLDER_FLAG, ...SHARED_FLAGS }),
    positional: { kind: "tuple", parameters: [OPTIONAL_LOG] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      if (flags.folder !== undefined) {
        requireNoName(channel);
        const options = { isRepairing: false, isKeepingTaken: false, verb: "log.verify", signal };
        return await checkFolders(this, output, flags.folder, options);
      }
      const name = requireName(channel);
      const node = await connectOrOpen(this, flags, signal, LOGS_FOR_READING);
      const { progress, onProgress } = showProgress(this, `verify ${name}`, output.isQuiet);
      try {
        const verdict = recordOf(
          await node.call("log.verify", { channel: name }, { signal, onProgress }),
        );
        progress.end();
        output.result("log.verify", verdict, () => verdictText(verdict));
        if (verdict.intact === true) return 0;
        output.note(`take the damage out with net log repair ${name}`);
        return INTEGRITY_EXIT;
      } finally {
        progress.end();
        await node.close();
      }
    });
  },
});

/** The verb that mends. */
export const logRepairCommand = buildCommand<RepairFlags, [string?], NetContext>({
  docs: {
    brief: "Take what is damaged or torn out of a log",
    fullDescription:
      "Takes what is damaged or torn out of a log, so that it is sound and stays so; " +
      "other events keep their numbers, and readers of a running node go on. What is taken out is " +
      "copied into a folder beside the log, unless --discard says otherwise. With --folder it is " +
      "the log, or all logs, of a folder that no node runs on, also of the Rust core.\n\n" +
      "EXAMPLES\n  net log repair app/orders\n  net log repair --folder /backup/logs",
  },
  parameters: {
    flags: bareRecord({
      folder: FOLDER_FLAG,
      discard: switchFlag("Keep no copy of what is taken out"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [OPTIONAL_LOG] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const isKeepingTaken = flags.discard !== true;
      if (flags.folder !== undefined) {
        requireNoName(channel);
        const options = { isRepairing: true, isKeepingTaken, verb: "log.repair", signal };
        return await checkFolders(this, output, flags.folder, options);
      }
      const params = { channel: requireName(channel), keep_taken: isKeepingTaken };
      const node = await connectOrOpen(this, flags, signal, LOGS_FOR_READING);
      const { progress, onProgress } = showProgress(this, `repair ${channel}`, output.isQuiet);
      try {
        const result = recordOf(await node.call("log.repair", params, { signal, onProgress }));
        progress.end();
        const check = { ...recordOf(result.after), ...result };
        output.result("log.repair", result, () => checkText(check));
        return recordOf(result.after).sound === true ? 0 : INTEGRITY_EXIT;
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
      const node = await connectOrOpen(this, flags, signal, LOGS_FOR_READING);
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

async function checkFolders(
  context: NetContext,
  output: Output,
  folder: string,
  { verb, ...options }: {
    readonly verb: string;
    readonly isRepairing: boolean;
    readonly isKeepingTaken: boolean;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const path = absolutePath(folder, context.io.cwd);
  let isSound = true;
  await context.doors.checkLogs(path, {
    ...options,
    onChecked: (found) => {
      const check = recordOf(found);
      if (check.sound !== true) isSound = false;
      context.io.writeOut(
        output.isJson
          ? `${toDocument(verb, check)}\n`
          : `${checkText({ ...check, folder: path })}\n`,
      );
    },
  });
  return isSound ? 0 : INTEGRITY_EXIT;
}

/** Human text of what a folder's check found. */
export function checkText(check: Row): string {
  const name = textOf(check.channel) || textOf(check.folder);
  const before = recordOf(check.before);
  const head = `${name}: ${count(check.events)} events, ${formatBytes(numberOf(check.bytes) ?? 0)}`;
  if (check.before !== undefined && check.before !== null) {
    if (before.sound === true) return `${head}, was sound already`;
    const taken = typeof check.taken === "string" ? `\ncopies of it are in ${check.taken}` : "";
    return `${head}, repaired: ${faultText(before)}${taken}`;
  }
  return check.sound === true ? `${head}, sound` : `${head}, ${faultText(check)}`;
}

/** What is wrong with a folder. */
function faultText(report: Row): string {
  const damaged = numberOf(report.damaged) ?? 0;
  const seqs = listOf(report.damaged_events).slice(0, RANGES_SHOWN).map(recordOf)
    .map(({ seq }) => textOf(seq)).join(", ");
  const torn = numberOf(report.torn_bytes) ?? 0;
  const cut = numberOf(report.cut) ?? 0;
  const words = [
    damaged === 0 ? "" : `${formatCount(damaged)} damaged${seqs === "" ? "" : ` (${seqs})`}`,
    cut === 0 ? "" : `${formatCount(cut)} not written whole`,
    torn === 0 ? "" : `${formatBytes(torn)} torn at the end`,
    report.times === "complete" ? "" : "times missing",
    report.manifest_sound === true ? "" : "manifest missing or wrong",
    listOf(report.leftovers).length === 0 ? "" : "left over by a crash: " +
      listOf(report.leftovers).map(textOf).join(", "),
  ];
  // A note about what was verified may be stale, which opening the log puts right.
  return words.filter((word) => word !== "").join("; ") || "notes of an unclean end";
}

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

function requireName(channel: string | undefined): string {
  if (channel !== undefined) return channel;
  throw new NetError("usage", "Cannot run: CHANNEL is missing", {
    next: "name a log, or a folder with --folder; see net log ls",
  });
}

function requireNoName(channel: string | undefined): void {
  if (channel === undefined) return;
  throw new NetError("usage", `Cannot use "${channel}" and --folder: both say which log`, {
    next: `give --folder alone, with the folder of one log or one above several`,
  });
}
