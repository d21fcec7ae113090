/** What the log verbs share: the argument that is a channel, places in a log, numbers and sizes in flags. */
import { NetError, pause } from "../src/base/mod.ts";
import { parseDuration } from "../src/config/mod.ts";
import type { Io } from "./io.ts";
import type { NodeCaller } from "./doors.ts";
import { textFlag } from "./flags.ts";
import { formatBytes, formatDuration, numberOf, recordOf, textOf } from "./format.ts";
import { proposeFrom } from "./proposals.ts";

/** Time a node has to answer: opening a large log that was not closed well reads its end. */
export const LOG_ANSWER_MS = 30_000;

/** How a data folder is opened by verbs that make nothing. */
export const LOGS_FOR_READING = { isForReading: true, wanted: "logs" } as const;

/** How often a waiting reader looks for a log. */
const THERE_LOOK_MS = 100;

/** Names of the running node's logs. */
const proposeLogs = proposeFrom({ method: "log.ls", list: "logs", field: "channel" });

/** A log that must be named. */
export const LOG_ARGUMENT = {
  parse: String,
  placeholder: "CHANNEL",
  brief: "Channel whose log it is, such as app/orders",
  proposeCompletions: proposeLogs,
} as const;

/** Folder of a log that no node runs. */
export const FOLDER_FLAG = textFlag(
  "DIR",
  "Folder of one log, or of many, instead of the node's; also one of the Rust core",
);

/** A condition on events that are JSON. */
export const WHERE_FLAG = textFlag(
  "EXPR",
  "Only events that are JSON and satisfy this, such as 'kind==order && total>=10'",
);

/**
 * Where reading begins: a number, `start` or `end`.
 *
 * @throws NetError `usage` for anything else.
 */
export function fromFlag(text: string | undefined): number | "start" | "end" | undefined {
  if (text === undefined || text === "start" || text === "end") return text;
  const seq = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(seq)) return seq;
  throw new NetError(
    "usage",
    `Cannot use --from: value is "${text}", must be a sequence number, start or end`,
    { next: "see FIRST and NEXT in net log ls for the numbers there are" },
  );
}

/**
 * A moment: a time, or a duration before now.
 *
 * @returns Unix milliseconds.
 * @throws NetError `usage` for anything else.
 */
export function sinceFlag(
  text: string | undefined,
  nowMs = Date.now(),
  flag = "--since",
): number | undefined {
  if (text === undefined) return undefined;
  const agoMs = parseDuration(text);
  if (agoMs !== undefined && /[a-z]$/.test(text)) return nowMs - agoMs;
  const at = Date.parse(text);
  if (!Number.isNaN(at) && text.includes("-")) return at;
  throw new NetError(
    "usage",
    `Cannot use ${flag}: value is "${text}", must be a time or a duration before now`,
    { next: `write for example ${flag} 10m or ${flag} 2026-01-31T12:00:00Z` },
  );
}

/** Waits until a log is there: it was, it came, or it is not in time. */
export async function untilThere(
  io: Io,
  node: NodeCaller,
  channel: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<"there" | "came" | "absent"> {
  const deadline = io.now() + waitMs;
  for (let isFirst = true;; isFirst = false) {
    try {
      await node.call("log.stat", { channel }, { signal });
      return isFirst ? "there" : "came";
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== "not_found") throw error;
    }
    if (io.now() >= deadline) return "absent";
    await pause(THERE_LOOK_MS, signal);
  }
}

/** Retention of a log in an answer, in few words. */
export function retentionText(value: unknown): string {
  const { events_max, bytes_max, age_max_ms } = recordOf(value);
  const [events, bytes, age] = [events_max, bytes_max, age_max_ms].map(numberOf);
  const words = [
    events === undefined ? "" : `${events} events`,
    bytes === undefined ? "" : formatBytes(bytes),
    age === undefined ? "" : formatDuration(age),
  ];
  return words.filter((word) => word !== "").join(", ") || "all";
}

/** Range of numbers in an answer: `5`, or `5 to 9`. */
export function rangeText(range: unknown): string {
  const { from, to } = recordOf(range);
  return from === to ? textOf(from) : `${textOf(from)} to ${textOf(to)}`;
}
