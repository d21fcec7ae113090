/** `net db workflow …`: tasks of workflows in the node's database. */
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
  type Row,
  ROW_WHERE_FLAG,
  runChange,
  runList,
  runRowWatch,
  runShow,
  WRITE_FLAGS,
  type WriteFlags,
} from "./db_common.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, choiceFlag, SHARED_FLAGS, switchFlag, textFlag } from "./flags.ts";
import { formatCount, formatFields, formatTable, listOf, recordOf, textOf } from "./format.ts";

const STATUSES = ["submitted", "running", "waiting", "blocked", "done", "failed"] as const;
const ORDERS = ["id-asc", "id-desc"] as const;
type Status = (typeof STATUSES)[number];

const WORKFLOW_ID = idArgument("db.workflow.ls");

interface SubmitFlags extends WriteFlags {
  readonly parent?: string;
  readonly replace?: boolean;
}

interface LsFlags extends ChooseFlags {
  readonly order?: (typeof ORDERS)[number];
  readonly status?: readonly Status[];
  readonly open?: boolean;
  readonly ended?: boolean;
  readonly cancelled?: boolean;
  readonly parent?: string;
  readonly within?: string;
}

const FILTER_FLAGS = {
  where: ROW_WHERE_FLAG,
  status: {
    kind: "enum",
    values: STATUSES,
    optional: true,
    variadic: true,
    brief: "Only those that stand so; repeatable",
  },
  open: switchFlag("Only those that are neither done nor failed"),
  ended: switchFlag("Only those that are done or failed"),
  cancelled: switchFlag("Only those that were asked to stop"),
  parent: { ...textFlag("ID", "Only those right below this one"), parse: parseRowId },
  within: { ...textFlag("ID", "Only this one and all below it"), parse: parseRowId },
} as const;

const submitCommand = buildCommand<SubmitFlags, [string?], NetContext>({
  docs: {
    brief: "Submit a task of a workflow",
    fullDescription:
      "Submits a task, at step 0 and without attempts, under ID, or under the number " +
      "behind the highest one; --parent puts it below another. With --replace one that is there " +
      "begins anew.\n\n" +
      "EXAMPLES\n  net db workflow submit\n  net db workflow submit 12 --parent 7\n" +
      "  net db workflow submit 12 --replace",
  },
  parameters: {
    flags: bareRecord({
      parent: { ...textFlag("ID", "Put it below this one"), parse: parseRowId },
      replace: switchFlag("Begin one that is there anew"),
      ...WRITE_FLAGS,
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        ...WORKFLOW_ID,
        optional: true,
        brief: "Its number; default: behind the highest",
      }],
    },
  },
  async func(flags, id) {
    const { parent, replace } = flags;
    await runChange(this, flags, "db.workflow.submit", { id, parent, replace }, changedText);
  },
});

const linkCommand = buildCommand<WriteFlags, [string, string], NetContext>({
  docs: {
    brief: "Put a task below another",
    fullDescription: "Puts CHILD below PARENT. CHILD may be submitted later.\n\n" +
      "EXAMPLES\n  net db workflow link 7 12",
  },
  parameters: {
    flags: bareRecord({ ...WRITE_FLAGS, ...SHARED_FLAGS }),
    positional: {
      kind: "tuple",
      parameters: [
        { ...WORKFLOW_ID, placeholder: "PARENT" },
        { ...WORKFLOW_ID, placeholder: "CHILD" },
      ],
    },
  },
  async func(flags, parent, child) {
    await runChange(this, flags, "db.workflow.link", { parent, child }, changedText);
  },
});

/** A verb that brings a task to another status. */
function stepCommand(word: string, brief: string, full: string) {
  return changeCommand({
    method: `db.workflow.${word}`,
    id: WORKFLOW_ID,
    brief,
    full,
    examples: [`net db workflow ${word} 7`],
    text: changedText,
  });
}

const UNLESS_ENDED =
  "A task that is done or failed is left alone, and the verb fails with conflict.";

const rmCommand = changeCommand({
  method: "db.workflow.rm",
  id: WORKFLOW_ID,
  brief: "Remove a task and all below it",
  full: "Removes a task and all tasks below it.",
  examples: ["net db workflow rm 7"],
  text: ({ removed, tasks }) =>
    tasks === 1
      ? `removed workflow task ${textOf(recordOf(removed).id)}`
      : `removed workflow task ${textOf(recordOf(removed).id)} and all below it: ${textOf(tasks)}`,
});

const lsCommand = buildCommand<LsFlags, [], NetContext>({
  docs: {
    brief: "List tasks of workflows",
    fullDescription:
      "Lists tasks of workflows, all of them or those that satisfy every condition. " +
      "--where compares id, status, step, attempts, parent, cancelled and terminal.\n\n" +
      "EXAMPLES\n  net db workflow ls --open\n  net db workflow ls --status failed --status blocked\n" +
      "  net db workflow ls --within 7 --where 'attempts>1' --json",
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
      method: "db.workflow.ls",
      rowSchema: "db.workflow_task",
      member: "tasks",
      params: { ...filterParams(flags), order: flags.order },
      table: workflowTable,
    });
  },
});

const showCommand = buildCommand<AfterFlags, [string], NetContext>({
  docs: {
    brief: "Show a task of a workflow",
    fullDescription: "Shows a task of a workflow.\n\nEXAMPLES\n  net db workflow show 7",
  },
  parameters: {
    flags: bareRecord({ after: AFTER_FLAG, ...SHARED_FLAGS }),
    positional: { kind: "tuple", parameters: [WORKFLOW_ID] },
  },
  async func(flags, id) {
    await runShow(this, flags, "db.workflow.show", { id }, (task) =>
      formatFields([
        ["task", textOf(task.id)],
        ["status", textOf(task.status)],
        ["step", textOf(task.step)],
        ["attempts", textOf(task.attempts)],
        ["stop", task.cancel_requested === true ? "asked for" : ""],
        ["parent", textOf(task.parent)],
        ["children", listOf(task.children).map(textOf).join(" ")],
      ]));
  },
});

const treeCommand = buildCommand<AfterFlags, [string], NetContext>({
  docs: {
    brief: "Show a task and all below it",
    fullDescription: "Shows a task of a workflow and all tasks below it.\n\n" +
      "EXAMPLES\n  net db workflow tree 7\n  net db workflow tree 7 --json",
  },
  parameters: {
    flags: bareRecord({ after: AFTER_FLAG, ...SHARED_FLAGS }),
    positional: { kind: "tuple", parameters: [WORKFLOW_ID] },
  },
  async func(flags, id) {
    await runShow(this, flags, "db.workflow.tree", { id }, treeText);
  },
});

const countsCommand = buildCommand<AfterFlags, [], NetContext>({
  docs: {
    brief: "Show how many tasks stand how",
    fullDescription: "Shows how many tasks of workflows stand how.\n\n" +
      "EXAMPLES\n  net db workflow counts\n  net db workflow counts --json",
  },
  parameters: { flags: bareRecord({ after: AFTER_FLAG, ...SHARED_FLAGS }) },
  async func(flags) {
    await runShow(this, flags, "db.workflow.counts", {}, ({ counts, total }) => {
      const rows = Object.entries(recordOf(counts)).map(([status, count]) =>
        [status, formatCount(Number(count))] as const
      );
      return formatTable([...rows, ["all", formatCount(Number(total))]], { right: [1] });
    });
  },
});

const watchCommand = buildCommand<Omit<LsFlags, "lines" | "order">, [], NetContext>({
  docs: {
    brief: "Print tasks of workflows, and what comes, changes and goes",
    fullDescription:
      "Prints the tasks of workflows that satisfy every condition, then a line for " +
      "each that comes, changes or goes, until it is stopped.\n\n" +
      "EXAMPLES\n  net db workflow watch --open\n  net db workflow watch --within 7 --json",
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
      method: "db.workflow.watch",
      params: filterParams(flags),
      line: lineOf,
    });
  },
});

/** The verbs about workflows. */
export const dbWorkflowRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Tasks of workflows: steps, attempts, what is below what" },
  routes: bareRecord({
    submit: submitCommand,
    start: stepCommand("start", "Say that a task runs", `Says that a task runs. ${UNLESS_ENDED}`),
    wait: stepCommand("wait", "Say that a task waits", `Says that a task waits. ${UNLESS_ENDED}`),
    block: stepCommand(
      "block",
      "Say that a task is blocked",
      `Says that a task is blocked. ${UNLESS_ENDED}`,
    ),
    complete: stepCommand(
      "complete",
      "Say that a task is done",
      `Says that a task is done. ${UNLESS_ENDED}`,
    ),
    fail: stepCommand(
      "fail",
      "Say that a task has failed",
      `Says that a task has failed; retry runs it again. ${UNLESS_ENDED}`,
    ),
    retry: stepCommand(
      "retry",
      "Run a task again",
      "Runs a task again and counts the attempt, also when it has failed.",
    ),
    advance: stepCommand(
      "advance",
      "Go on to the next step of a task",
      "Goes on to the next step of a task, with no attempts yet.",
    ),
    cancel: stepCommand(
      "cancel",
      "Ask whoever runs a task to stop",
      "Marks a task, so that whoever runs it stops.",
    ),
    link: linkCommand,
    rm: rmCommand,
    ls: lsCommand,
    show: showCommand,
    tree: treeCommand,
    counts: countsCommand,
    watch: watchCommand,
  }),
  aliases: bareRecord({ done: "complete", delete: "rm", remove: "rm", list: "ls" }),
});

function filterParams(flags: Omit<LsFlags, "order" | "lines">) {
  const { open, ended } = flags;
  return {
    where: [
      ...flags.where ?? [],
      ...condition("status", "=", ...flags.status ?? []),
      // Both together are every task.
      ...(open === ended ? [] : [open ? "!terminal" : "terminal"]),
      ...(flags.cancelled ? ["cancelled"] : []),
      ...(flags.parent === undefined ? [] : [`parent=${flags.parent}`]),
    ],
    within: flags.within,
  };
}

function workflowTable(tasks: readonly Row[]): string {
  if (tasks.length === 0) return "no tasks";
  const rows = tasks.map((task) => [
    textOf(task.id),
    textOf(task.status),
    textOf(task.step),
    textOf(task.attempts),
    textOf(task.parent) || "-",
    String(listOf(task.children).length),
    task.cancel_requested === true ? "stop" : "",
  ]);
  const heading = ["ID", "STATUS", "STEP", "ATTEMPTS", "PARENT", "CHILDREN", ""];
  return formatTable([heading, ...rows], { right: [0, 2, 3, 4, 5] });
}

function lineOf(task: Row): string {
  const stop = task.cancel_requested === true ? "  asked to stop" : "";
  return `${textOf(task.id)}  ${textOf(task.status)}  step ${textOf(task.step)}  attempt ${
    textOf(task.attempts)
  }${stop}`;
}

function changedText({ row }: Row): string {
  return `workflow task ${lineOf(recordOf(row))}`;
}

/** A tree with its branches drawn; a task that is below several is drawn once. */
export function treeText(result: Row): string {
  const rows = new Map(listOf(result.rows).map(recordOf).map((row) => [textOf(row.id), row]));
  const [root] = rows.keys();
  const lines: string[] = [];
  const drawn = new Set<string>();
  const draw = (id: string, head: string, rest: string) => {
    const row = rows.get(id);
    if (row === undefined || drawn.has(id)) return void lines.push(`${head}${id}  …`);
    drawn.add(id);
    lines.push(row.status === null ? `${head}${id}  not submitted` : `${head}${lineOf(row)}`);
    const children = listOf(row.children).map(textOf);
    children.forEach((child, i) => {
      const isLast = i === children.length - 1;
      draw(child, `${rest}${isLast ? "└ " : "├ "}`, `${rest}${isLast ? "  " : "│ "}`);
    });
  };
  if (root !== undefined) draw(root, "", "");
  const omitted = Number(result.omitted ?? 0);
  if (omitted > 0) lines.push(`and ${formatCount(omitted)} more`);
  return lines.join("\n");
}
