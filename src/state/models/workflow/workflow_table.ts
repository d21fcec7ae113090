/**
 * The folded state of a workflow: tasks, who asked for a cancel, and who is below whom. Links and cancels may be
 * there before the task is, and are kept for it.
 */
import { type ModelLimits, ROWS_MAX } from "../limits.ts";
import { placeOfWord, requireLimit, requireParts, type RowState } from "../rows.ts";
import {
  isSameWorkflowTask,
  isTerminalStatus,
  WORKFLOW_ORDERS,
  WORKFLOW_STATUSES,
  type WorkflowFilter,
  type WorkflowStatusCounts,
  type WorkflowTask,
} from "./workflow.ts";

/** What changes about a task; `status` is a number of {@linkcode WORKFLOW_STATUSES}. */
export interface WorkflowProgress {
  step: number;
  status: number;
  attempts: number;
}

const PARTS = new Set([
  "idIn",
  "status",
  "statusIn",
  "isTerminal",
  "isCancelRequested",
  "parent",
  "within",
  "matching",
  "orderBy",
  "limit",
]);
const DONE = WORKFLOW_STATUSES.indexOf("done");
const FAILED = WORKFLOW_STATUSES.indexOf("failed");
const NO_CHILDREN: readonly bigint[] = Object.freeze([]);

/** Tasks, cancels and links. */
export class WorkflowTable implements RowState<WorkflowTask, WorkflowFilter> {
  /** Most rows there can be. */
  readonly rowsMax: number;
  readonly tasks = new Map<bigint, WorkflowProgress>();
  readonly cancelled = new Set<bigint>();
  readonly children = new Map<bigint, Set<bigint>>();
  readonly parents = new Map<bigint, bigint>();
  readonly #made = new Map<bigint, WorkflowTask>();
  readonly #counts = WORKFLOW_STATUSES.map(() => 0);

  constructor({ rowsMax = ROWS_MAX }: ModelLimits = {}) {
    this.rowsMax = rowsMax;
  }

  get size(): number {
    return this.tasks.size;
  }

  get(id: bigint): WorkflowTask | undefined {
    const task = this.tasks.get(id);
    return task === undefined ? undefined : this.#row(id, task);
  }

  find(filter: WorkflowFilter = {}): WorkflowTask[] {
    const { orderBy = "id-asc", limit } = filter;
    placeOfWord("order", WORKFLOW_ORDERS, orderBy);
    if (limit !== undefined) requireLimit(limit);
    const rows = [...this.#select(filter)];
    // Tasks mostly come with rising ids, and are kept in the order in which they came.
    if (rows.some(({ id }, at) => at > 0 && id < (rows[at - 1]?.id ?? 0n))) {
      rows.sort((a, b) => a.id < b.id ? -1 : 1);
    }
    if (orderBy === "id-desc") rows.reverse();
    return limit === undefined ? rows : rows.slice(0, limit);
  }

  first(filter: WorkflowFilter = {}): WorkflowTask | undefined {
    return this.find({ ...filter, limit: Math.min(1, filter.limit ?? 1) })[0];
  }

  count(filter: WorkflowFilter = {}): number {
    let count = 0;
    for (const _ of this.#select(filter)) count += 1;
    return count;
  }

  isSame(a: WorkflowTask, b: WorkflowTask): boolean {
    return isSameWorkflowTask(a, b);
  }

  /** True when a cancel was asked for, of a task or before there is one. */
  isCancelRequested(id: bigint): boolean {
    return this.cancelled.has(id);
  }

  /** How many tasks stand how. */
  statusCounts(): WorkflowStatusCounts {
    const [submitted = 0, running = 0, waiting = 0, blocked = 0, done = 0, failed = 0] =
      this.#counts;
    return { submitted, running, waiting, blocked, done, failed };
  }

  /** The task and all below it, breadth first, each once however they are linked. */
  subtree(id: bigint): bigint[] {
    const seen = new Set([id]);
    // A set is walked in the order of insertion, also of what is inserted meanwhile.
    for (const parent of seen) {
      for (const child of this.children.get(parent) ?? NO_CHILDREN) seen.add(child);
    }
    return [...seen];
  }

  /** Sets a task; false when there is no room for another. */
  put(id: bigint, { step, status, attempts }: WorkflowProgress): boolean {
    const task = this.tasks.get(id);
    if (task === undefined) {
      if (this.tasks.size >= this.rowsMax) return false;
      this.tasks.set(id, { step, status, attempts });
    } else {
      this.#count(task.status, -1);
      Object.assign(task, { step, status, attempts });
    }
    this.#count(status, 1);
    this.#made.delete(id);
    return true;
  }

  setCancelled(id: bigint, isCancelled: boolean): boolean {
    if (this.cancelled.has(id) === isCancelled) return false;
    if (isCancelled) this.cancelled.add(id);
    else this.cancelled.delete(id);
    this.#made.delete(id);
    return true;
  }

  link(parent: bigint, child: bigint): boolean {
    const children = this.children.get(parent);
    const isNew = children === undefined || !children.has(child);
    const isMoved = this.parents.get(child) !== parent;
    if (children === undefined) this.children.set(parent, new Set([child]));
    else children.add(child);
    this.parents.set(child, parent);
    this.#made.delete(parent);
    this.#made.delete(child);
    return isNew || isMoved;
  }

  /** Removes a task and all below it; its parent keeps an empty list when it was the only child. */
  remove(id: bigint): boolean {
    const parent = this.parents.get(id);
    let isChanged = false;
    if (parent !== undefined) {
      isChanged = this.children.get(parent)?.delete(id) ?? false;
      this.#made.delete(parent);
    }
    for (const gone of this.subtree(id)) {
      const task = this.tasks.get(gone);
      if (task !== undefined) this.#count(task.status, -1);
      const removed = [
        this.tasks.delete(gone),
        this.cancelled.delete(gone),
        this.children.delete(gone),
        this.parents.delete(gone),
      ];
      isChanged ||= removed.includes(true);
      this.#made.delete(gone);
    }
    return isChanged;
  }

  *#select(filter: WorkflowFilter): Generator<WorkflowTask> {
    const { idIn, within, status, statusIn = [], isCancelRequested, parent } = filter;
    requireParts(filter, PARTS);
    for (const word of [...statusIn, status ?? "done"]) {
      placeOfWord("status", WORKFLOW_STATUSES, word);
    }
    const ids = within !== undefined ? this.subtree(within) : new Set(idIn ?? this.tasks.keys());
    const named = within !== undefined && idIn !== undefined ? new Set(idIn) : undefined;
    for (const id of ids) {
      const task = this.tasks.get(id);
      if (task === undefined || named?.has(id) === false) continue;
      const own = WORKFLOW_STATUSES[task.status] ?? "submitted";
      if (status !== undefined && own !== status) continue;
      if (statusIn.length > 0 && !statusIn.includes(own)) continue;
      if (filter.isTerminal !== undefined && isTerminalStatus(own) !== filter.isTerminal) continue;
      if (parent !== undefined && this.parents.get(id) !== parent) continue;
      if (isCancelRequested !== undefined && this.cancelled.has(id) !== isCancelRequested) continue;
      const row = this.#row(id, task);
      if (filter.matching === undefined || filter.matching(row)) yield row;
    }
  }

  #row(id: bigint, task: WorkflowProgress): WorkflowTask {
    const made = this.#made.get(id);
    if (made !== undefined) return made;
    const children = this.children.get(id);
    const row: WorkflowTask = Object.freeze({
      id,
      step: task.step,
      status: WORKFLOW_STATUSES[task.status] ?? "submitted",
      attempts: task.attempts,
      isCancelRequested: this.cancelled.has(id),
      children: children === undefined ? NO_CHILDREN : Object.freeze([...children]),
      parent: this.parents.get(id),
    });
    this.#made.set(id, row);
    return row;
  }

  #count(status: number, change: number): void {
    this.#counts[status] = (this.#counts[status] ?? 0) + change;
  }
}

/** True for the numbers of `done` and `failed`. */
export function isTerminalNumber(status: number): boolean {
  return status === DONE || status === FAILED;
}
