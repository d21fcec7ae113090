/** `net db memories …`: memories of the node's database. */
import { buildCommand, buildRouteMap } from "@stricli/core";
import {
  AFTER_FLAG,
  type AfterFlags,
  changeCommand,
  type ChooseFlags,
  condition,
  idArgument,
  LIST_FLAGS,
  parseRowId,
  printWritten,
  type Row,
  ROW_WHERE_FLAG,
  runList,
  runRowWatch,
  runShow,
  shortText,
  shortTime,
  TIME_FLAGS,
  timeConditions,
  type TimeFlags,
  withDb,
  WRITE_FLAGS,
  type WriteFlags,
} from "./db_common.ts";
import { addedText, addLines, addRows } from "./db_rows_input.ts";
import { ORDERS } from "./db_tasks.ts";
import { NetError } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, choiceFlag, listFlag, SHARED_FLAGS, switchFlag, textFlag } from "./flags.ts";
import { formatFields, formatTable, listOf, recordOf, textOf } from "./format.ts";
import { readInput } from "./input.ts";

/** Longest content from a file; larger things are blobs. */
const CONTENT_BYTES_MAX = 512 * 1024;
const CONTENT_COLUMNS = 50;
const TAG_COLUMNS = 24;

const MEMORY_ID = idArgument("db.memories.ls");

interface StoreFlags extends WriteFlags {
  readonly id?: string;
  readonly tag?: readonly string[];
  readonly source?: string;
}

interface LsFlags extends ChooseFlags, TimeFlags {
  readonly order?: (typeof ORDERS)[number];
  readonly text?: string;
  readonly tag?: readonly string[];
  readonly anyTag?: readonly string[];
  readonly source?: string;
  readonly pinned?: boolean;
  readonly unpinned?: boolean;
}

const FILTER_FLAGS = {
  where: ROW_WHERE_FLAG,
  text: textFlag("TEXT", "Only contents that contain this, whatever the case of its letters"),
  tag: listFlag("TAG", "Only those with this tag; repeatable, for all of them"),
  anyTag: listFlag("TAG", "Only those with one of these tags; repeatable"),
  source: textFlag("TEXT", "Only those from this source"),
  pinned: switchFlag("Only pinned ones"),
  unpinned: switchFlag("Only those that are not pinned"),
  ...TIME_FLAGS,
} as const;

const storeCommand = buildCommand<StoreFlags, [string], NetContext>({
  docs: {
    brief: "Store a memory, or one for each line of standard input",
    fullDescription:
      "Stores CONTENT, or with @FILE what is in that file, under the number behind the highest " +
      "one, or under --id: one that is there gets the new content, tags and source, and stays " +
      "pinned. With - each line of standard input is a memory: a JSON object with content, and id, " +
      "tags and source if it is to have them, as net db memories ls --lines prints them; or a " +
      "content.\n\n" +
      "EXAMPLES\n  net db memories store 'the key is under the mat' --tag home --tag keys\n" +
      "  net db memories store @notes.txt --source notes\n" +
      "  net db memories ls --lines | net db memories store - --family other",
  },
  parameters: {
    flags: bareRecord({
      id: {
        ...textFlag("ID", "Number of the memory; default: behind the highest"),
        parse: parseRowId,
      },
      tag: listFlag("TAG", "Tag; repeatable"),
      source: textFlag("TEXT", "Where it comes from; default: cli"),
      ...WRITE_FLAGS,
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        placeholder: "CONTENT",
        brief: "The text; @FILE, or - for lines of standard input",
      }],
    },
  },
  async func(flags, given) {
    await withDb(this, flags, async ({ node, output, signal }) => {
      const options = {
        method: "db.memories.store",
        params: {},
        names: ["stored memory", "memories stored"],
        textMember: "content",
        signal,
      } as const;
      if (given === "-") return await addLines(this, node, output, flags, options);
      const sums = { ids: [], count: 0, seq: -1, token: "" };
      const content = given.startsWith("@") ? await contentOf(this, given.slice(1)) : given;
      const row = {
        ...(flags.id === undefined ? {} : { id: flags.id }),
        content,
        tags: flags.tag ?? [],
        source: flags.source ?? "cli",
      };
      await addRows(node, [row], flags, options, sums);
      const text = () => addedText(sums, options.names);
      printWritten(output, flags, options.method, sums, text);
    });
  },
});

const retagCommand = buildCommand<WriteFlags, [string, ...string[]], NetContext>({
  docs: {
    brief: "Give a memory other tags",
    fullDescription:
      "Gives a memory these tags instead of those it has; without one it has none.\n\n" +
      "EXAMPLES\n  net db memories retag 3 home keys\n  net db memories retag 3",
  },
  parameters: {
    flags: bareRecord({ ...WRITE_FLAGS, ...SHARED_FLAGS }),
    positional: {
      kind: "array",
      minimum: 1,
      parameter: { parse: String, placeholder: "ID [TAG...]", brief: "Its number, then its tags" },
    },
  },
  async func(flags, id, ...tags) {
    await withDb(this, flags, async ({ node, output, signal }) => {
      const params = { id: requireRowId(id), tags, durable: flags.durable };
      const result = recordOf(await node.call("db.memories.retag", params, { signal }));
      printWritten(output, flags, "db.memories.retag", result, changedText);
    });
  },
});

const pinCommand = changeCommand({
  method: "db.memories.pin",
  id: MEMORY_ID,
  brief: "Pin a memory",
  full: "Pins a memory: a mark that stays when it is stored again.",
  examples: ["net db memories pin 3"],
  text: changedText,
});

const unpinCommand = changeCommand({
  method: "db.memories.unpin",
  id: MEMORY_ID,
  brief: "Take the pin off a memory",
  full: "Takes the pin off a memory.",
  examples: ["net db memories unpin 3"],
  text: changedText,
});

const rmCommand = changeCommand({
  method: "db.memories.rm",
  id: MEMORY_ID,
  brief: "Remove a memory",
  full: "Removes a memory; one that is stored later under its number is new.",
  examples: ["net db memories rm 3"],
  text: ({ removed }) => `removed memory ${lineOf(recordOf(removed))}`,
});

const lsCommand = buildCommand<LsFlags, [], NetContext>({
  docs: {
    brief: "List memories",
    fullDescription: "Lists memories, all of them or those that satisfy every condition. --where " +
      "compares id, content, tag, source, pinned, created and updated by =, !=, <, <=, >, >= and ~ " +
      "(contains), joined by &&, || and !; a time is a date or as -2h. Without a running node the " +
      "data folder is read.\n\n" +
      "EXAMPLES\n  net db memories ls\n  net db memories ls --tag home --pinned\n" +
      "  net db memories ls --where '(tag=a || tag=b) && !pinned' --order updated-desc --limit 5 --json",
  },
  parameters: {
    flags: bareRecord({
      ...FILTER_FLAGS,
      order: choiceFlag(ORDERS, "Order; default: id-asc"),
      ...LIST_FLAGS,
      after: AFTER_FLAG,
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runList(this, flags, {
      method: "db.memories.ls",
      rowSchema: "db.memory",
      member: "memories",
      params: { ...filterParams(flags), order: flags.order },
      table: memoryTable,
    });
  },
});

const showCommand = buildCommand<AfterFlags, [string], NetContext>({
  docs: {
    brief: "Show a memory",
    fullDescription:
      "Shows a memory with all of its content.\n\nEXAMPLES\n  net db memories show 3",
  },
  parameters: {
    flags: bareRecord({ after: AFTER_FLAG, ...SHARED_FLAGS }),
    positional: { kind: "tuple", parameters: [MEMORY_ID] },
  },
  async func(flags, id) {
    await runShow(this, flags, "db.memories.show", { id }, (memory) => {
      const fields = formatFields([
        ["memory", textOf(memory.id)],
        ["tags", listOf(memory.tags).map(textOf).join(", ")],
        ["source", textOf(memory.source)],
        ["pinned", memory.pinned === true ? "yes" : "no"],
        ["created", textOf(memory.created)],
        ["updated", textOf(memory.updated)],
      ]);
      const content = typeof memory.content === "string" ? memory.content : "";
      return `${fields}\n\n${content.split("\n").map(textOf).join("\n")}`;
    });
  },
});

const watchCommand = buildCommand<Omit<LsFlags, "lines" | "order">, [], NetContext>({
  docs: {
    brief: "Print memories, and what comes, changes and goes",
    fullDescription:
      "Prints the memories that satisfy every condition, then a line for each that " +
      "comes, changes or goes, until it is stopped.\n\n" +
      "EXAMPLES\n  net db memories watch --tag home\n  net db memories watch --json",
  },
  parameters: {
    flags: bareRecord({
      ...FILTER_FLAGS,
      limit: textFlag("N", "End after so many lines"),
      after: AFTER_FLAG,
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runRowWatch(this, flags, {
      method: "db.memories.watch",
      params: filterParams(flags),
      line: lineOf,
    });
  },
});

/** The verbs about memories. */
export const dbMemoryRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Memories: texts with tags" },
  routes: bareRecord({
    store: storeCommand,
    retag: retagCommand,
    pin: pinCommand,
    unpin: unpinCommand,
    rm: rmCommand,
    ls: lsCommand,
    show: showCommand,
    watch: watchCommand,
  }),
  aliases: bareRecord({ add: "store", delete: "rm", remove: "rm", list: "ls" }),
});

function filterParams(flags: Omit<LsFlags, "order" | "lines">) {
  const { pinned, unpinned } = flags;
  return {
    where: [
      ...flags.where ?? [],
      ...condition("content", "~", flags.text),
      ...(flags.tag ?? []).flatMap((tag) => condition("tag", "=", tag)),
      ...condition("tag", "=", ...flags.anyTag ?? []),
      ...condition("source", "=", flags.source),
      // Both together are every memory.
      ...(pinned === unpinned ? [] : [pinned ? "pinned" : "!pinned"]),
      ...timeConditions(flags),
    ],
  };
}

function requireRowId(text: string): string {
  try {
    return parseRowId(text);
  } catch (cause) {
    throw new NetError("usage", `Cannot read ID "${text.slice(0, 40)}": must be 0 to 2^64 - 1`, {
      cause,
      next: "give the number first, then the tags",
    });
  }
}

async function contentOf(context: NetContext, path: string): Promise<string> {
  const bytes = await readInput(context, path, {
    what: "memory",
    bytesMax: CONTENT_BYTES_MAX + 1,
    next: "check the path; a content that begins with @ can be given through standard input",
  });
  if (bytes.length <= CONTENT_BYTES_MAX) return new TextDecoder().decode(bytes);
  throw new NetError("limit", `Cannot store memory: it has more than ${CONTENT_BYTES_MAX} bytes`, {
    next: "store it with net blob put and its address as the memory",
  });
}

function memoryTable(memories: readonly Row[]): string {
  if (memories.length === 0) return "no memories";
  const rows = memories.map((memory) => [
    textOf(memory.id),
    memory.pinned === true ? "pin" : "",
    shortTime(memory.updated),
    shortText(listOf(memory.tags).map(textOf).join(","), TAG_COLUMNS) || "-",
    shortText(memory.content, CONTENT_COLUMNS),
  ]);
  return formatTable([["ID", "", "UPDATED", "TAGS", "CONTENT"], ...rows], { right: [0] });
}

function lineOf(memory: Row): string {
  const tags = listOf(memory.tags).map(textOf).join(",");
  const pin = memory.pinned === true ? "  pinned" : "";
  return `${textOf(memory.id)}${pin}  [${tags}]  ${shortText(memory.content, 200)}`;
}

function changedText({ row }: Row): string {
  return `memory ${lineOf(recordOf(row))}`;
}
