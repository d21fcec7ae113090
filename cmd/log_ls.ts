/** `net log ls` and `net log stat`: the logs that a node keeps. */
import { buildCommand } from "@stricli/core";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import {
  formatBytes,
  formatCount,
  formatFields,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { LOG_ANSWER_MS, LOG_ARGUMENT, LOGS_FOR_READING, retentionText } from "./log_common.ts";
import { runVerb } from "./verb.ts";

/** Logs of one listing; a bound against a node that never ends. */
const LOGS_MAX = 100_000;

type Row = Readonly<Record<string, unknown>>;

/** The verb that lists. */
export const logLsCommand = buildCommand<SharedFlags, [string?], NetContext>({
  docs: {
    brief: "List the logs of this node",
    fullDescription:
      "Lists the logs that this node keeps, or those whose names begin with PREFIX. " +
      "NEXT is the number that the next event gets, FIRST the first one that is still there. " +
      "Without a running node the data folder is read.\n\n" +
      "EXAMPLES\n  net log ls\n  net log ls app/\n  net log ls --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [{
        ...LOG_ARGUMENT,
        optional: true,
        placeholder: "PREFIX",
        brief: "Only names that begin with this",
      }],
    },
  },
  async func(flags, prefix) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal, LOGS_FOR_READING);
      try {
        const logs: unknown[] = [];
        let after: unknown;
        do {
          const page = recordOf(await node.call("log.ls", { prefix, after }, { signal }));
          const isStuck = page.next === after;
          logs.push(...listOf(page.logs));
          after = isStuck ? undefined : page.next ?? undefined;
        } while (after !== undefined && logs.length < LOGS_MAX);
        output.result("log.ls", { logs }, () => logTable(logs));
      } finally {
        await node.close();
      }
    }, { timeoutMs: LOG_ANSWER_MS });
  },
});

/** The verb that shows one. */
export const logStatCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Show what is known of a log",
    fullDescription:
      "Shows a log: its events and bytes, what of it is on the device, its rules, and " +
      "what is wrong with it. A reader that wants to miss nothing over a crash of the machine goes " +
      "on from the first number that was not on the device.\n\n" +
      "EXAMPLES\n  net log stat app/orders\n  net log stat app/orders --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [LOG_ARGUMENT] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal, LOGS_FOR_READING);
      try {
        const log = recordOf(await node.call("log.stat", { channel }, { signal }));
        output.result("log.stat", log, () => statText(log));
        if (textOf(log.failure) !== "") output.warn(textOf(log.failure));
      } finally {
        await node.close();
      }
    }, { timeoutMs: LOG_ANSWER_MS });
  },
});

/** Logs as rows. */
export function logTable(logs: readonly unknown[]): string {
  if (logs.length === 0) return "no logs";
  const rows = logs.map(recordOf).map((log) =>
    log.kept === undefined ? closedRow(log) : [
      textOf(log.channel),
      textOf(log.kept),
      countText(log.events),
      textOf(log.first_seq),
      textOf(log.next_seq),
      formatBytes(numberOf(log.bytes) ?? 0),
      textOf(log.fsync),
      retentionText(log.retention),
      stateText(log),
    ]
  );
  const heading = ["LOG", "ON", "EVENTS", "FIRST", "NEXT", "SIZE", "FSYNC", "KEEPS", "STATE"];
  return formatTable([heading, ...rows], { right: [2, 3, 4, 5] });
}

/** A log that could not be opened. */
function closedRow(log: Row): string[] {
  return [textOf(log.channel), "", "", "", "", "", "", "", textOf(log.failure)];
}

/** Human text of one log. */
export function statText(log: Row): string {
  const next = numberOf(log.next_seq) ?? 0;
  const persisted = numberOf(log.persisted_seq) ?? 0;
  return formatFields([
    ["log", textOf(log.channel)],
    ["kept", log.kept === "disk" ? "on disk" : "in memory"],
    ["events", countText(log.events)],
    ["first", textOf(log.first_seq)],
    ["next", textOf(log.next_seq)],
    ["on device", next === persisted ? "all" : `below ${persisted}, ${next - persisted} to go`],
    ["size", `${formatBytes(numberOf(log.bytes) ?? 0)} (${textOf(log.bytes)} bytes)`],
    ["fsync", textOf(log.fsync)],
    ["keeps", retentionText(log.retention)],
    ["generation", textOf(log.generation)],
    ["state", stateText(log)],
  ]);
}

function stateText(log: Row): string {
  if (textOf(log.failure) !== "") return "failed";
  const damaged = numberOf(log.damaged) ?? 0;
  return damaged === 0 ? "ok" : `${formatCount(damaged)} damaged`;
}

function countText(value: unknown): string {
  return formatCount(numberOf(value) ?? 0);
}
