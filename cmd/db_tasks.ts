/** `net db tasks …`: tasks of the node's database. */
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
  runChange,
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
import type { NetContext } from "./context.ts";
import { bareRecord, choiceFlag, SHARED_FLAGS, switchFlag, textFlag } from "./flags.ts";
import { formatFields, formatTable, recordOf, textOf } from "./format.ts";

/** Orders of rows with times. */
export const ORDERS = [
  "id-asc",
  "id-desc",
  "created-asc",
  "created-desc",
  "updated-asc",
  "updated-desc",
] as const;

const STATUSES = ["pending", "completed"] as const;
const TITLE_COLUMNS = 60;

const TASK_ID = idArgument("db.tasks.ls");

interface AddFlags extends WriteFlags {
  readonly id?: string;
  readonly replace?: boolean;
}

interface LsFlags extends ChooseFlags, TimeFlags {
  readonly order?: (typeof ORDERS)[number];
  readonly status?: (typeof STATUSES)[number];
  readonly title?: string;
}

const FILTER_FLAGS = {
  where: ROW_WHERE_FLAG,
  status: choiceFlag(STATUSES, "Only those that stand so"),
  title: textFlag("TEXT", "Only titles that contain this, whatever the case of its letters"),
  ...TIME_FLAGS,
} as const;

const addCommand = buildCommand<AddFlags, [string], NetContext>({
  docs: {
    brief: "Add a task, or one for each line of standard input",
    fullDescription:
      "Adds a task with TITLE, pending, under the number behind the highest one, or under " +
      "--id. With - each line of standard input is a task: a JSON object with title, and id if it " +
      "is to have one, as net db tasks ls --lines prints them; or a title. Lines that came together " +
      "are added together, all or none.\n\n" +
      "EXAMPLES\n  net db tasks add 'buy milk'\n  net db tasks add 'buy milk' --id 7 --token\n" +
      "  net db tasks ls --lines | net db tasks add - --family other",
  },
  parameters: {
    flags: bareRecord({
      id: {
        ...textFlag("ID", "Number of the task; default: behind the highest"),
        parse: parseRowId,
      },
      replace: switchFlag("Put it in the place of one that has the number"),
      ...WRITE_FLAGS,
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        placeholder: "TITLE",
        brief: "What is to be done; - reads lines",
      }],
    },
  },
  async func(flags, title) {
    await withDb(this, flags, async ({ node, output, signal }) => {
      const options = {
        method: "db.tasks.add",
        params: { replace: flags.replace },
        names: ["added task", "tasks added"],
        textMember: "title",
        signal,
      } as const;
      if (title === "-") return await addLines(this, node, output, flags, options);
      const sums = { ids: [], count: 0, seq: -1, token: "" };
      const row = flags.id === undefined ? { title } : { id: flags.id, title };
      await addRows(node, [row], flags, options, sums);
      const text = () => addedText(sums, options.names);
      printWritten(output, flags, options.method, sums, text);
    });
  },
});

const renameCommand = buildCommand<WriteFlags, [string, string], NetContext>({
  docs: {
    brief: "Give a task another title",
    fullDescription: "Gives a task another title.\n\n" +
      "EXAMPLES\n  net db tasks rename 7 'buy oat milk'",
  },
  parameters: {
    flags: bareRecord({ ...WRITE_FLAGS, ...SHARED_FLAGS }),
    positional: {
      kind: "tuple",
      parameters: [TASK_ID, { parse: String, placeholder: "TITLE", brief: "The new title" }],
    },
  },
  async func(flags, id, title) {
    await runChange(this, flags, "db.tasks.rename", { id, title }, changedText);
  },
});

const doneCommand = changeCommand({
  method: "db.tasks.done",
  id: TASK_ID,
  brief: "Say that a task is done",
  full: "Says that a task is done.",
  examples: ["net db tasks done 7"],
  text: changedText,
});

const rmCommand = changeCommand({
  method: "db.tasks.rm",
  id: TASK_ID,
  brief: "Remove a task",
  full: "Removes a task.",
  examples: ["net db tasks rm 7"],
  text: ({ removed }) => `removed task ${lineOf(recordOf(removed))}`,
});

const lsCommand = buildCommand<LsFlags, [], NetContext>({
  docs: {
    brief: "List tasks",
    fullDescription: "Lists tasks, all of them or those that satisfy every condition. --where " +
      "compares id, title, status, created and updated by =, !=, <, <=, >, >= and ~ (contains), " +
      "joined by &&, || and !; a time is a date or as -2h. Without a running node the data folder " +
      "is read.\n\n" +
      "EXAMPLES\n  net db tasks ls\n  net db tasks ls --status pending --order updated-desc --limit 10\n" +
      "  net db tasks ls --where 'title~milk && created>=-2h' --json",
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
      method: "db.tasks.ls",
      rowSchema: "db.task",
      member: "tasks",
      params: { ...filterParams(flags), order: flags.order },
      table: taskTable,
    });
  },
});

const showCommand = buildCommand<AfterFlags, [string], NetContext>({
  docs: {
    brief: "Show a task",
    fullDescription: "Shows a task.\n\nEXAMPLES\n  net db tasks show 7\n" +
      '  net db tasks show 7 --after "$(net db tasks done 7 --token)"',
  },
  parameters: {
    flags: bareRecord({ after: AFTER_FLAG, ...SHARED_FLAGS }),
    positional: { kind: "tuple", parameters: [TASK_ID] },
  },
  async func(flags, id) {
    await runShow(this, flags, "db.tasks.show", { id }, (task) =>
      formatFields([
        ["task", textOf(task.id)],
        ["title", textOf(task.title)],
        ["status", textOf(task.status)],
        ["created", textOf(task.created)],
        ["updated", textOf(task.updated)],
      ]));
  },
});

const watchCommand = buildCommand<Omit<LsFlags, "lines" | "order">, [], NetContext>({
  docs: {
    brief: "Print tasks, and what comes, changes and goes",
    fullDescription: "Prints the tasks that satisfy every condition, then a line for each that " +
      "comes, changes or goes, until it is stopped.\n\n" +
      "EXAMPLES\n  net db tasks watch\n  net db tasks watch --status pending --json",
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
      method: "db.tasks.watch",
      params: filterParams(flags),
      line: lineOf,
    });
  },
});

/** The verbs about tasks. */
export const dbTaskRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Tasks: what is to be done" },
  routes: bareRecord({
    add: addCommand,
    rename: renameCommand,
    done: doneCommand,
    rm: rmCommand,
    ls: lsCommand,
    show: showCommand,
    watch: watchCommand,
  }),
  aliases: bareRecord({ create: "add", complete: "done", delete: "rm", remove: "rm", list: "ls" }),
});

function filterParams(flags: Omit<LsFlags, "order" | "lines">) {
  return {
    where: [
      ...flags.where ?? [],
      ...condition("status", "=", flags.status),
      ...condition("title", "~", flags.title),
      ...timeConditions(flags),
    ],
  };
}

function taskTable(tasks: readonly Row[]): string {
  if (tasks.length === 0) return "no tasks";
  const rows = tasks.map((task) => [
    textOf(task.id),
    textOf(task.status),
    shortTime(task.updated),
    shortText(task.title, TITLE_COLUMNS),
  ]);
  return formatTable([["ID", "STATUS", "UPDATED", "TITLE"], ...rows], { right: [0] });
}

function lineOf(task: Row): string {
  return `${textOf(task.id)}  ${textOf(task.status)}  ${textOf(task.title)}`;
}

function changedText({ row }: Row): string {
  const task = recordOf(row);
  return `task ${textOf(task.id)} is ${textOf(task.status)}: ${textOf(task.title)}`;
}
