/** Methods about the workflow of the database; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import {
  isTerminalStatus,
  parseWorkflowWhere,
  WORKFLOW_CHANNEL,
  type WorkflowCollection,
  type WorkflowFilter,
  type WorkflowTask,
} from "../../state/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import type { DbNode } from "./db_methods.ts";
import { collectionMethods } from "./db_collection.ts";
import { chooseIds, waitFor } from "./db_rows.ts";
import {
  READ_ENTRIES,
  readId,
  ROW_ID,
  WHERE,
  workflowView,
  WRITE_ENTRIES,
  writtenView,
} from "./db_view.ts";

const CHOICE = v.object({
  where: WHERE,
  within: v.optional(ROW_ID),
  order: v.optional(v.picklist(["id-asc", "id-desc"])),
});
/** Tasks of one tree; more than anyone reads. */
const TREE_MAX = 10_000;

/** The methods about workflows. */
export function dbWorkflowMethods({ db }: DbNode): readonly Method[] {
  const open = async () => (await db.open()).workflow;
  const { existing, written, sync, change, readers } = collectionMethods<
    WorkflowTask,
    WorkflowFilter,
    WorkflowCollection,
    v.InferOutput<typeof CHOICE>
  >({ db }, {
    prefix: "db.workflow",
    one: "workflow task",
    many: "tasks of workflows",
    listVerb: "net db workflow ls",
    channel: WORKFLOW_CHANNEL,
    open,
    view: workflowView,
    choice: CHOICE,
    toFilter: ({ where, within, order }, nowMs) => ({
      ...parseWorkflowWhere(where, { nowMs }),
      within: within === undefined ? undefined : readId(within),
      orderBy: order,
    }),
  });
  return [
    defineMethod({
      name: "db.workflow.submit",
      access: "privileged",
      summary: "Submit a task, or begin one that is there anew",
      isReadOnly: false,
      params: v.object({
        ...WRITE_ENTRIES,
        id: v.optional(ROW_ID),
        parent: v.optional(ROW_ID),
        replace: v.optional(v.boolean(), false),
      }),
      handle: async ({ id: text, parent, replace, durable }) => {
        const above = parent === undefined ? undefined : (await existing(parent)).id;
        const tasks = await open();
        const [id = 0n] = chooseIds([text], tasks.findFirst({ orderBy: "id-desc" }));
        if (!replace && tasks.findUnique(id) !== undefined) {
          throw new NetError(
            "conflict",
            `Cannot submit workflow task ${id}: there is one already`,
            {
              next: "begin it anew with --replace, or go on with net db workflow retry",
            },
          );
        }
        const token = tasks.submit(id);
        if (above === undefined) return await written(tasks, id, token, durable);
        return await written(tasks, id, tasks.link(above, id), durable);
      },
    }),
    change("start", "Say that a task runs", (tasks, id) => tasks.start(id), requireOpen),
    change("wait", "Say that a task waits", (tasks, id) => tasks.wait(id), requireOpen),
    change("block", "Say that a task is blocked", (tasks, id) => tasks.block(id), requireOpen),
    change("complete", "Say that a task is done", (tasks, id) => tasks.complete(id), requireOpen),
    change("fail", "Say that a task has failed", (tasks, id) => tasks.fail(id), requireOpen),
    change("retry", "Run a task again", (tasks, id) => tasks.retry(id), requireNotDone),
    change("advance", "Go on to a task's next step", (tasks, id) => tasks.advance(id)),
    change("cancel", "Ask whoever runs a task to stop", (tasks, id) => tasks.requestCancel(id)),
    defineMethod({
      name: "db.workflow.link",
      access: "privileged",
      summary: "Put a task below another",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, parent: ROW_ID, child: ROW_ID }),
      handle: async ({ parent, child, durable }) => {
        const { id, rows } = await existing(parent);
        return await written(rows, id, rows.link(id, readId(child)), durable);
      },
    }),
    defineMethod({
      name: "db.workflow.rm",
      access: "privileged",
      summary: "Remove a task and all below it",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, durable }) => {
        const { id, rows: tasks, row } = await existing(text);
        const removed = tasks.subtree(id).filter((each) => tasks.findUnique(each) !== undefined);
        const token = tasks.delete(id);
        await sync(durable);
        return { removed: workflowView(row), tasks: removed.length, ...writtenView(token) };
      },
    }),
    defineMethod({
      name: "db.workflow.tree",
      access: "privileged",
      summary: "A task and all below it, parents in front of their children",
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, after, timeout_ms }, { signal }) => {
        await waitFor(await open(), after, timeout_ms, signal);
        const { id, rows: tasks } = await existing(text);
        const ids = tasks.subtree(id);
        return {
          rows: ids.slice(0, TREE_MAX).map((each) => {
            const task = tasks.findUnique(each);
            return task === undefined ? { id: String(each), status: null } : workflowView(task);
          }),
          omitted: Math.max(0, ids.length - TREE_MAX),
        };
      },
    }),
    defineMethod({
      name: "db.workflow.counts",
      access: "privileged",
      summary: "How many tasks stand how",
      isReadOnly: true,
      params: v.object(READ_ENTRIES),
      handle: async ({ after, timeout_ms }, { signal }) => {
        const tasks = await open();
        await waitFor(tasks, after, timeout_ms, signal);
        return { counts: tasks.statusCounts(), total: tasks.size };
      },
    }),
    ...readers,
  ];
}

/** A change that would be written and have no effect is refused instead. */
function requireOpen({ id, status }: WorkflowTask): void {
  if (!isTerminalStatus(status)) return;
  throw new NetError("conflict", `Cannot change workflow task ${id}: it is ${status}`, {
    next: status === "failed"
      ? `run it again with net db workflow retry ${id}`
      : `begin it anew with net db workflow submit ${id} --replace`,
  });
}

function requireNotDone({ id, status }: WorkflowTask): void {
  if (status !== "done") return;
  throw new NetError("conflict", `Cannot run workflow task ${id} again: it is done`, {
    next: `begin it anew with net db workflow submit ${id} --replace`,
  });
}
