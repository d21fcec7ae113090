/** `net bus poll`: prints events of the bus, to their end or as they come, and remembers where it is. */
import { buildCommand } from "@stricli/core";
import { isMissing, NetError, toNetError } from "../src/base/mod.ts";
import { absolutePath, readUpTo } from "../src/config/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  choiceFlag,
  listFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { explainWrite } from "./input.ts";
import { type Output, toDocument } from "./output.ts";
import { wholeFlag } from "./rpc_common.ts";
import { runVerb } from "./verb.ts";

/** A cursor has an id for each shard; no bus has that many. */
const CURSOR_BYTES_MAX = 4 * 1024 * 1024;

const ORDERS = ["shard", "time"] as const;

interface PollFlags extends SharedFlags {
  readonly where?: string;
  readonly limit?: string;
  readonly order?: (typeof ORDERS)[number];
  readonly shard?: readonly string[];
  readonly cursor?: string;
  readonly cursorFile?: string;
  readonly follow?: boolean;
}

/** The verb. */
export const busPollCommand = buildCommand<PollFlags, [], NetContext>({
  docs: {
    brief: "Print events of the bus, and remember where it is",
    fullDescription: "Prints what the bus has, each event as a line, from the oldest on, or from " +
      "where a cursor says; --follow goes on with what comes. With --cursor-file the place is read " +
      "from a file, and written to it after what was printed, so that the next run goes on there " +
      "and each event is printed at least once.\n\n" +
      "--where compares fields of events: 'level==error && (n>3 || tags.0==x) && !done'; a JSON " +
      'filter ({"$and":[…]}) is taken too. With --json each event is a document, the cursor the ' +
      "last one, and events that are gone by retention are a document " +
      '{"kind":"lag",…}.\n\n' +
      "EXAMPLES\n  net bus poll\n  net bus poll --where 'level==error' --limit 100 --json\n" +
      "  net bus poll --follow --cursor-file app.cursor",
  },
  parameters: {
    flags: bareRecord({
      where: textFlag("EXPR", "Only events that satisfy this"),
      limit: textFlag("N", "End after so many events"),
      order: choiceFlag(ORDERS, "Order within a page: by shard, or by time; default: shard"),
      shard: listFlag("N", "Only this shard; repeatable"),
      cursor: textFlag("TEXT", "Go on where this cursor says"),
      cursorFile: textFlag(
        "FILE",
        "Read the cursor from a file, if it is there, and keep it there",
      ),
      follow: switchFlag("Go on with what comes, until Ctrl-C"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const file = flags.cursorFile === undefined
        ? undefined
        : absolutePath(flags.cursorFile, this.io.cwd);
      if (file !== undefined && flags.cursor !== undefined) {
        throw new NetError(
          "usage",
          "Cannot use --cursor and --cursor-file: both say where to begin",
          {
            next: "give --cursor-file alone",
          },
        );
      }
      const params = {
        cursor: flags.cursor ?? (file === undefined ? undefined : await readCursor(file)),
        limit: wholeFlag("--limit", flags.limit),
        where: flags.where,
        order: flags.order === "time" ? "insertion_ts" : "none",
        shards: flags.shard?.map((text) => wholeFlag("--shard", text, { min: 0, max: 65_535 })),
        follow: flags.follow ?? false,
      };
      const node = await connectNode(this, flags, signal);
      const onProgress = async (report: unknown) => {
        await printPage(this, output, recordOf(report));
        const { cursor } = recordOf(report);
        if (file !== undefined && typeof cursor === "string") await writeCursor(file, cursor);
      };
      try {
        const result = recordOf(await node.call("bus.poll", params, { signal, onProgress }));
        const { next, has_more: hasMore, peer } = result;
        if (typeof peer === "string" && numberOf(result.events) === 0) {
          output.note(`what is published here is kept by node ${peer}: poll there`);
        }
        if (file !== undefined && typeof next === "string") await writeCursor(file, next);
        if (output.isJson) {
          const fields = { kind: "cursor", cursor: next, has_more: hasMore };
          this.io.writeOut(`${toDocument("bus.poll", fields)}\n`);
        } else if (file === undefined && typeof next === "string") {
          output.note(`go on with --cursor ${next}`);
        }
      } finally {
        await node.close();
      }
    }, { isEndless: flags.follow ?? false });
  },
});

async function printPage(
  { io }: NetContext,
  output: Output,
  report: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { items, missed, failed, away } = report;
  if (typeof away === "string") output.note(`waiting for the bus: ${away}`);
  for (const row of listOf(missed).map(recordOf)) {
    const count = numberOf(row.events) ?? 0;
    if (output.isJson) {
      io.writeOut(`${toDocument("bus.poll", { kind: "lag", shard: row.shard, events: count })}\n`);
    } else {
      const what = count === 1 ? "1 event is" : `${formatCount(count)} events are`;
      output.warn(`${what} gone from shard ${textOf(row.shard)}: they were forgotten or damaged`);
    }
  }
  for (const row of listOf(failed).map(recordOf)) {
    output.warn(`shard ${textOf(row.shard)} gives nothing: ${textOf(row.error)}`);
  }
  const lines = listOf(items).map(recordOf).map((event) =>
    output.isJson
      ? `${toDocument("bus.poll", { kind: "event", ...event })}\n`
      : `${lineOf(event, io.isStdoutTerminal)}\n`
  );
  if (lines.length > 0) await io.writeOutBytes(new TextEncoder().encode(lines.join("")));
}

/** One event as a line; on a terminal without what could steer it. */
function lineOf(event: Readonly<Record<string, unknown>>, isTerminal: boolean): string {
  const { text, base64, omitted_bytes: omitted } = event;
  if (typeof text === "string") return isTerminal ? textOf(text.replace(/\t/g, "  ")) : text;
  return omitted === undefined ? `base64:${textOf(base64)}` : `too long: ${textOf(omitted)} bytes`;
}

async function readCursor(path: string): Promise<string | undefined> {
  try {
    const text = new TextDecoder().decode(await readUpTo(path, CURSOR_BYTES_MAX)).trim();
    return text === "" ? undefined : text;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw toNetError(error, `Cannot read cursor "${path}"`);
  }
}

/** The old one or the new one, whole, also after a crash. */
async function writeCursor(path: string, cursor: string): Promise<void> {
  try {
    await Deno.writeTextFile(`${path}.new`, `${cursor}\n`, { mode: 0o600 });
    await Deno.rename(`${path}.new`, path);
  } catch (error) {
    throw explainWrite(error, "Cannot keep cursor", path);
  }
}
