/** Methods about the tasks of the database; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import {
  createTaskEvent,
  parseTaskWhere,
  ROW_ORDERS,
  type Task,
  type TaskCollection,
  type TaskFilter,
  TASKS_CHANNEL,
} from "../../state/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import type { DbNode } from "./db_methods.ts";
import { chooseIds, sendRows, waitFor, watchRows } from "./db_rows.ts";
import {
  missingRow,
  READ_ENTRIES,
  readId,
  ROW_ID,
  ROW_TEXT,
  taskView,
  WHERE,
  WRITE_ENTRIES,
  writtenView,
} from "./db_view.ts";

/** Rows of one call. */
const ROWS_MAX = 10_000;
const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const FILTER_ENTRIES = {
  where: WHERE,
  order: v.optional(v.picklist(ROW_ORDERS)),
};
const FILTER = v.object(FILTER_ENTRIES);
const SEE_TASKS = "see net db tasks ls for those that are there";

/** The methods about tasks. */
export function dbTaskMethods({ db }: DbNode): readonly Method[] {
  const open = async () => (await db.open()).tasks;
  const source = {
    open,
    view: taskView,
    clock: db.clock,
    // Asked for when somebody reads: the service that has it may not have started yet.
    get stopSignal() {
      return db.stopSignal;
    },
  };
  const existing = async (text: string | number) => {
    const id = readId(text);
    const tasks = await open();
    const task = tasks.findUnique(id);
    if (task === undefined) throw missingRow("task", id, SEE_TASKS);
    return { id, tasks, task };
  };
  return [
    defineMethod({
      name: "db.tasks.add",
      access: "privileged",
      summary: "Add tasks, all of them or none",
      isReadOnly: false,
      params: v.object({
        ...WRITE_ENTRIES,
        rows: v.pipe(
          v.array(v.object({ id: v.optional(ROW_ID), title: ROW_TEXT })),
          v.minLength(1),
          v.maxLength(ROWS_MAX),
        ),
        replace: v.optional(v.boolean(), false),
      }),
      handle: async ({ rows, replace, durable }) => {
        const tasks = await open();
        const now = BigInt(Math.floor(db.clock.wallMs())) * 1_000_000n;
        const highest = tasks.findFirst({ orderBy: "id-desc" });
        const ids = chooseIds(rows.map(({ id }) => id), highest);
        if (!replace) requireFree(tasks, ids);
        const events = rows.map(({ title }, i) => createTaskEvent(ids[i] ?? 0n, title, now));
        const token = tasks.adapter.appendBatch(events);
        if (token === undefined) throw new TypeError("Cannot add tasks: there are none");
        if (durable) await db.sync(TASKS_CHANNEL);
        return { ids: ids.map(String), ...writtenView(token, ids.length) };
      },
    }),
    defineMethod({
      name: "db.tasks.rename",
      access: "privileged",
      summary: "Give a task another title",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID, title: ROW_TEXT }),
      handle: async ({ id: text, title, durable }) => {
        const { id, tasks } = await existing(text);
        const token = tasks.rename(id, title);
        return await done(tasks, id, token, durable);
      },
    }),
    defineMethod({
      name: "db.tasks.done",
      access: "privileged",
      summary: "Say that a task is done",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, durable }) => {
        const { id, tasks } = await existing(text);
        return await done(tasks, id, tasks.complete(id), durable);
      },
    }),
    defineMethod({
      name: "db.tasks.rm",
      access: "privileged",
      summary: "Remove a task",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, durable }) => {
        const { id, tasks, task } = await existing(text);
        const token = tasks.delete(id);
        if (durable) await db.sync(TASKS_CHANNEL);
        return { removed: taskView(task), ...writtenView(token) };
      },
    }),
    defineMethod({
      name: "db.tasks.show",
      access: "privileged",
      summary: "One task",
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, id: ROW_ID }),
      handle: async ({ id, after, timeout_ms }, { signal }) => {
        await waitFor(await open(), after, timeout_ms, signal);
        return taskView((await existing(id)).task);
      },
    }),
    defineMethod({
      name: "db.tasks.ls",
      access: "privileged",
      summary: "Get tasks as progress",
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, ...FILTER_ENTRIES, limit: v.optional(WHOLE) }),
      handle: ({ limit, after, timeout_ms, ...filter }, context) => {
        const ask = {
          filter: toFilter(filter, db.clock.wallMs()),
          limit,
          after,
          timeoutMs: timeout_ms,
        };
        return sendRows<Task, TaskFilter>(source, ask, context);
      },
    }),
    defineMethod({
      name: "db.tasks.watch",
      access: "privileged",
      summary: "Get tasks as progress, and what comes, changes and goes",
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, ...FILTER_ENTRIES, count: v.optional(WHOLE) }),
      handle: ({ count, after, timeout_ms, ...filter }, context) => {
        const ask = { filter: toFilter(filter, db.clock.wallMs()), after, timeoutMs: timeout_ms };
        return watchRows<Task, TaskFilter>(source, ask, count ?? Infinity, context);
      },
    }),
  ];

  async function done(
    tasks: TaskCollection,
    id: bigint,
    token: ReturnType<TaskCollection["complete"]>,
    isDurable: boolean,
  ): Promise<object> {
    if (isDurable) await db.sync(TASKS_CHANNEL);
    const task = tasks.findUnique(id);
    return { row: task === undefined ? null : taskView(task), ...writtenView(token) };
  }
}

function toFilter(
  { where, order }: v.InferOutput<typeof FILTER>,
  nowMs: number,
): TaskFilter {
  return { ...parseTaskWhere(where, { nowMs }), orderBy: order };
}

function requireFree(tasks: TaskCollection, ids: readonly bigint[]): void {
  const seen = new Set<bigint>();
  for (const [i, id] of ids.entries()) {
    if (tasks.findUnique(id) === undefined && !seen.has(id)) {
      seen.add(id);
      continue;
    }
    throw new NetError("conflict", `Cannot add task ${id}: there is one already`, {
      next: "leave the id out, or replace it with --replace",
      data: { row_index: i },
    });
  }
}
