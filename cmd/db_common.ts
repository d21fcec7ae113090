/** What the db verbs share: flags, reading rows, changing one, and lines as rows. */
import { buildCommand } from "@stricli/core";
import { connectNode, connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import {
  bareRecord,
  durationFlag,
  listFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { sinceFlag } from "./log_common.ts";
import { type Output, toDocument } from "./output.ts";
import { wholeFlag } from "./rpc_common.ts";
import { runVerb, type VerbScope } from "./verb.ts";

/** Time a node has to answer: the first use folds the logs. */
export const DB_ANSWER_MS = 60_000;

/** How long a reader waits for the write of a token unless `--timeout` says otherwise. */
const TOKEN_WAIT_MS = 5_000;

/** How a data folder is opened by verbs that make nothing. */
export const ROWS_FOR_READING = { isForReading: true, wanted: "rows" } as const;

/** One row of an answer. */
export type Row = Readonly<Record<string, unknown>>;

/** Values of the flags of whatever changes rows. */
export interface WriteFlags extends SharedFlags {
  readonly durable?: boolean;
  readonly token?: boolean;
}

/** Flags of whatever changes rows. */
export const WRITE_FLAGS = {
  durable: switchFlag("Wait until the change is on the device"),
  token: switchFlag("Print a token for --after instead of a line for people"),
} as const;

/** Values of the flags of whatever reads rows. */
export interface AfterFlags extends SharedFlags {
  readonly after?: string;
}

/** Flags of whatever reads rows. */
export const AFTER_FLAG = textFlag(
  "TOKEN",
  "Wait until the change that printed this token is there, at most --timeout",
);

/** Values of the flags that choose among rows of any kind. */
export interface ChooseFlags extends AfterFlags {
  readonly where?: readonly string[];
  readonly limit?: string;
  readonly lines?: boolean;
}

/** Values of flags about times of rows. */
export interface TimeFlags {
  readonly since?: string;
  readonly until?: string;
  readonly changedSince?: string;
}

/** A condition on rows. */
export const ROW_WHERE_FLAG = listFlag(
  "EXPR",
  "Only those that satisfy this, such as 'created>=-2h && !(id<10)'; repeatable",
);

/** Flags about times of rows. */
export const TIME_FLAGS = {
  since: textFlag("WHEN", "Only those made since then: 10m, 2026-01-31T12:00:00Z"),
  until: textFlag("WHEN", "Only those made until then"),
  changedSince: textFlag("WHEN", "Only those that changed since then"),
} as const;

/** Flags of listings. */
export const LIST_FLAGS = {
  limit: textFlag("N", "So many at most"),
  lines: switchFlag("Print a JSON document per row, as the verbs that add rows read them"),
} as const;

/** Time a node has to answer, and rows proposed, while somebody waits for a completion. */
const PROPOSE_MS = 500;
const PROPOSED_MAX = 100;

/**
 * The argument that is a row's id.
 *
 * @param listMethod Method that lists such rows: those that changed last are proposed.
 */
export function idArgument(listMethod: string) {
  return {
    parse: parseRowId,
    placeholder: "ID",
    brief: "Its number",
    async proposeCompletions(this: NetContext, partial: string): Promise<readonly string[]> {
      const signal = AbortSignal.timeout(PROPOSE_MS);
      try {
        const node = await connectNode(this, this.typed ?? {}, signal);
        const ids: string[] = [];
        try {
          const params = { limit: PROPOSED_MAX, order: "id-desc" };
          await node.call(listMethod, params, {
            signal,
            onProgress: (report) =>
              void ids.push(
                ...listOf(recordOf(report).rows).map((row) => textOf(recordOf(row).id)),
              ),
          });
        } finally {
          await node.close();
        }
        return ids.filter((id) => id.startsWith(partial));
      } catch {
        // Whoever presses Tab wants proposals or nothing.
        return [];
      }
    },
  } as const;
}

/**
 * A row's id as it is sent: decimal text below 2^64.
 *
 * @throws RangeError for anything else, in the words that stand behind the argument's name.
 */
export function parseRowId(text: string): string {
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n) return String(BigInt(text));
  throw new RangeError("must be a number, 0 to 2^64 - 1");
}

/** Parameters of a reader: the token it waits for, and how long. */
export function afterParams({ after, timeout }: AfterFlags) {
  if (after === undefined) return {};
  return { after, timeout_ms: durationFlag("--timeout", timeout) ?? TOKEN_WAIT_MS };
}

/** Flags about times as conditions. */
export function timeConditions({ since, until, changedSince }: TimeFlags): string[] {
  const condition = (field: string, flag: string, text: string | undefined) => {
    const ms = sinceFlag(text, Date.now(), flag);
    return ms === undefined ? [] : [`${field}${new Date(ms).toISOString()}`];
  };
  return [
    ...condition("created>=", "--since", since),
    ...condition("created<=", "--until", until),
    ...condition("updated>=", "--changed-since", changedSince),
  ];
}

/** A condition that a field has this value, or any of these; none where none was given. */
export function condition(
  field: string,
  operator: "=" | "~",
  ...values: readonly (string | undefined)[]
): string[] {
  const parts = values.filter((value) => value !== undefined)
    .map((value) => `${field}${operator}${JSON.stringify(value)}`);
  return parts.length === 0 ? [] : [parts.join(" || ")];
}

/** How a listing is shown. */
export interface ListOptions {
  /** Words of the verb joined by dots, and the method. */
  readonly method: string;
  /** Schema of a row as a document of its own. */
  readonly rowSchema: string;
  /** Member of the document. */
  readonly member: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly table: (rows: readonly Row[]) => string;
}

/** Runs a verb that lists rows. */
export async function runList(
  context: NetContext,
  flags: ChooseFlags,
  { method, rowSchema, member, params, table }: ListOptions,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const asked = {
      ...params,
      ...afterParams(flags),
      limit: wholeFlag("--limit", flags.limit),
    };
    const node = await connectOrOpen(context, flags, signal, ROWS_FOR_READING);
    const rows: Row[] = [];
    const onProgress = (report: unknown) => {
      const part = listOf(recordOf(report).rows).map(recordOf);
      if (!flags.lines) return void rows.push(...part);
      const lines = part.map((row) => `${toDocument(rowSchema, row)}\n`);
      context.io.writeOut(lines.join(""));
    };
    try {
      const result = recordOf(await node.call(method, asked, { signal, onProgress }));
      const { total, shown } = result;
      if (!flags.lines) output.result(method, { [member]: rows, total }, () => table(rows));
      const left = (numberOf(total) ?? 0) - (numberOf(shown) ?? 0);
      if (left > 0) output.note(`${formatCount(left)} more; see them with a larger --limit`);
    } finally {
      await node.close();
    }
  }, waitBounds(flags));
}

/** How a watch is shown. */
export interface WatchRowsOptions {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly line: (row: Row) => string;
}

/** Runs a verb that prints rows as they come, change and go. */
export async function runRowWatch(
  context: NetContext,
  flags: ChooseFlags,
  { method, params, line }: WatchRowsOptions,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const asked = {
      ...params,
      ...afterParams(flags),
      count: wholeFlag("--limit", flags.limit),
    };
    const node = await connectNode(context, flags, signal);
    const onProgress = (report: unknown) => {
      const { changes, watching, rows } = recordOf(report);
      const lines = listOf(changes).map(recordOf).map((row) =>
        output.isJson
          ? `${toDocument(method, row)}\n`
          : `${textOf(row.change).padEnd(7)}  ${line(row)}\n`
      );
      if (lines.length > 0) context.io.writeOut(lines.join(""));
      if (watching === true) {
        output.note(`${formatCount(numberOf(rows) ?? 0)} now, waiting for changes`);
      }
    };
    try {
      await node.call(method, asked, { signal, onProgress });
    } finally {
      await node.close();
    }
  }, { isEndless: true });
}

/** What a verb that changes one row is made of. */
export interface ChangeOptions {
  /** Words of the verb joined by dots, and the method. */
  readonly method: string;
  readonly id: ReturnType<typeof idArgument>;
  readonly brief: string;
  readonly full: string;
  readonly examples: readonly string[];
  /** What is printed for people. */
  readonly text: (result: Row) => string;
}

/** A verb that changes the row of an id and needs nothing more. */
export function changeCommand(
  { method, id: argument, brief, full, examples, text }: ChangeOptions,
) {
  return buildCommand<WriteFlags, [string], NetContext>({
    docs: {
      brief,
      fullDescription: `${full}\n\nEXAMPLES\n${examples.map((line) => `  ${line}`).join("\n")}`,
    },
    parameters: {
      flags: bareRecord({ ...WRITE_FLAGS, ...SHARED_FLAGS }),
      positional: { kind: "tuple", parameters: [argument] },
    },
    async func(flags, id) {
      await runChange(this, flags, method, { id }, text);
    },
  });
}

/** Runs a verb that makes one change. */
export async function runChange(
  context: NetContext,
  flags: WriteFlags,
  method: string,
  params: Readonly<Record<string, unknown>>,
  text: (result: Row) => string,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const node = await connectOrOpen(context, flags, signal);
    try {
      const asked = { ...params, durable: flags.durable };
      const result = recordOf(await node.call(method, asked, { signal }));
      printWritten(output, flags, method, result, text);
    } finally {
      await node.close();
    }
  }, { timeoutMs: DB_ANSWER_MS });
}

/** Prints what a change answered, or its token. */
export function printWritten(
  output: Output,
  flags: WriteFlags,
  method: string,
  result: Row,
  text: (result: Row) => string,
): void {
  output.result(method, result, () => flags.token ? textOf(result.token) : text(result));
}

/** Runs a verb that shows one answer. */
export async function runShow(
  context: NetContext,
  flags: AfterFlags,
  method: string,
  params: Readonly<Record<string, unknown>>,
  text: (result: Row) => string,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const node = await connectOrOpen(context, flags, signal, ROWS_FOR_READING);
    try {
      const asked = { ...params, ...afterParams(flags) };
      const result = recordOf(await node.call(method, asked, { signal }));
      output.result(method, result, () => text(result));
    } finally {
      await node.close();
    }
  }, waitBounds(flags));
}

/** Runs a body with the node, or with its data folder. */
export async function withDb(
  context: NetContext,
  flags: SharedFlags,
  body: (scope: VerbScope & { readonly node: NodeCaller }) => Promise<void>,
): Promise<void> {
  await runVerb(context, flags, async (scope) => {
    const node = await connectOrOpen(context, flags, scope.signal);
    try {
      await body({ ...scope, node });
    } finally {
      await node.close();
    }
  });
}

/** With `--after` the node keeps the time limit, and its own error says more. */
function waitBounds({ after }: AfterFlags) {
  return after === undefined ? { timeoutMs: DB_ANSWER_MS } : { graceMs: 2_000 };
}

/** The beginning of a time in a row, for tables: to the second. */
export function shortTime(value: unknown): string {
  return textOf(value).replace(/\.\d+Z$/, "Z");
}

/** A text that fits a column. */
export function shortText(value: unknown, columns: number): string {
  const text = typeof value === "string" ? textOf(value.replace(/\s+/g, " ")) : textOf(value);
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}
