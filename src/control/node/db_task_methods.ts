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
import { collectionMethods } from "./db_collection.ts";
import { chooseIds } from "./db_rows.ts";
import { ROW_ID, ROW_TEXT, taskView, WHERE, WRITE_ENTRIES, writtenView } from "./db_view.ts";

/** Rows of one call. */
const ROWS_MAX = 10_000;
const CHOICE = v.object({ where: WHERE, order: v.optional(v.picklist(ROW_ORDERS)) });

/** The methods about tasks. */
export function dbTaskMethods({ db }: DbNode): readonly Method[] {
  const open = async () => (await db.open()).tasks;
  const { existing, written, sync, change, readers } = collectionMethods<
    Task,
    TaskFilter,
    TaskCollection,
    v.InferOutput<typeof CHOICE>
  >({ db }, {
    prefix: "db.tasks",
    one: "task",
    many: "tasks",
    listVerb: "net db tasks ls",
    channel: TASKS_CHANNEL,
    open,
    view: taskView,
    choice: CHOICE,
    toFilter: ({ where, order }, nowMs) => ({
      ...parseTaskWhere(where, { nowMs }),
      orderBy: order,
    }),
  });
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
        await sync(durable);
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
        const { id, rows } = await existing(text);
        return await written(rows, id, rows.rename(id, title), durable);
      },
    }),
    change("done", "Say that a task is done", (tasks, id) => tasks.complete(id)),
    defineMethod({
      name: "db.tasks.rm",
      access: "privileged",
      summary: "Remove a task",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, durable }) => {
        const { id, rows, row } = await existing(text);
        const token = rows.delete(id);
        await sync(durable);
        return { removed: taskView(row), ...writtenView(token) };
      },
    }),
    ...readers,
  ];
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
