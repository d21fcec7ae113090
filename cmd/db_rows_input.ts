/** Rows that come as lines: JSON objects, or texts. */
import { NetError } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { LineReader } from "./line_reader.ts";
import type { Output } from "./output.ts";
import { printWritten, type Row, type WriteFlags } from "./db_common.ts";

/** Ids that are named one by one. */
const IDS_SHOWN = 8;

/** Rows and bytes of one call. */
const CALL_ROWS = 5_000;
const CALL_BYTES = 400 * 1024;

/** What was added so far. */
export interface AddedSums {
  readonly ids: string[];
  count: number;
  seq: number;
  token: string;
}

/** How rows are added. */
export interface AddOptions {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** One and many of what is added. */
  readonly names: readonly [string, string];
  /** Member of a row that a line which is no JSON object is taken for. */
  readonly textMember: string;
  readonly signal: AbortSignal;
}

/** Adds rows of standard input, as many at a time as came together. */
export async function addLines(
  { io }: NetContext,
  node: NodeCaller,
  output: Output,
  flags: WriteFlags,
  options: AddOptions,
): Promise<void> {
  const { signal } = options;
  const lines = new LineReader((into) => io.readStdin(into));
  const sums: AddedSums = { ids: [], count: 0, seq: -1, token: "" };
  let number = 0;
  try {
    for (;;) {
      const batch = await lines.next({ linesMax: CALL_ROWS, bytesMax: CALL_BYTES, signal });
      if (batch === undefined) break;
      const rows = batch.map((line) => rowOf(line, options.textMember, ++number))
        .filter((row) => row !== undefined);
      if (rows.length > 0) await addRows(node, rows, flags, options, sums);
    }
  } catch (error) {
    if (sums.count > 0) output.note(`${addedText(sums, options.names)}, then it ended`);
    throw error;
  }
  const { method, names } = options;
  printWritten(output, flags, method, { ...sums }, () => addedText(sums, names));
}

/** Adds rows in one call. */
export async function addRows(
  node: NodeCaller,
  rows: readonly Row[],
  flags: WriteFlags,
  { method, params, signal }: AddOptions,
  sums: AddedSums,
): Promise<void> {
  const asked = { ...params, rows, durable: flags.durable };
  const done = recordOf(await node.call(method, asked, { signal }));
  sums.ids.push(...listOf(done.ids).map(textOf));
  sums.count += numberOf(done.count) ?? rows.length;
  sums.seq = numberOf(done.seq) ?? sums.seq;
  sums.token = textOf(done.token);
}

/** What was added, for people. */
export function addedText(
  { ids, count }: AddedSums,
  [one, many]: readonly [string, string],
): string {
  if (count === 0) return "nothing to add";
  if (count === 1) return `${one} ${ids[0]}`;
  const isRun = ids.every((id, i) => i === 0 || BigInt(id) === BigInt(ids[i - 1] ?? 0) + 1n);
  const which = isRun
    ? `: ${ids[0]} to ${ids.at(-1)}`
    : ids.length <= IDS_SHOWN
    ? `: ${ids.join(" ")}`
    : "";
  return `${formatCount(count)} ${many}${which}`;
}

function rowOf(line: Uint8Array, textMember: string, number: number): Row | undefined {
  const text = new TextDecoder().decode(line).trim();
  if (text === "") return undefined;
  if (!text.startsWith("{")) return { [textMember]: text };
  try {
    const { id, title, content, tags, source } = recordOf(JSON.parse(text));
    return withoutUndefined({ id, title, content, tags, source });
  } catch (cause) {
    throw new NetError("usage", `Cannot read line ${number}: it is no JSON`, {
      cause,
      next: "write a JSON object per line, or a text that does not begin with {",
    });
  }
}

function withoutUndefined(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
}
