/**
 * The folded state of tasks: columns, and rows that are made when they are read and kept until they change.
 */
import type { PostcardWriter } from "../../../base/mod.ts";
import { type ModelLimits, ROWS_MAX } from "../limits.ts";
import { placeOfWord, requireParts, type RowState } from "../rows.ts";
import { TextColumn } from "../tables/text_column.ts";
import { TIMED_PARTS, TimedRows } from "../tables/timed_rows.ts";
import { isSameTask, type Task, TASK_STATUSES, type TaskFilter } from "./task.ts";

const PARTS = new Set<string>([...TIMED_PARTS, "status", "titleContains"]);

/** Tasks by id. Ids and times come in as halves, because a fold has no time for bigints. */
export class TaskTable implements RowState<Task, TaskFilter> {
  /** Most rows there can be. */
  readonly rowsMax: number;
  readonly #rows = new TimedRows();
  readonly #titles = new TextColumn();
  #statuses = new Uint8Array(this.#rows.table.capacity);
  readonly #made: (Task | undefined)[] = [];

  constructor({ rowsMax = ROWS_MAX }: ModelLimits = {}) {
    this.rowsMax = rowsMax;
  }

  get size(): number {
    return this.#rows.table.size;
  }

  get(id: bigint): Task | undefined {
    const slot = this.#rows.table.findId(id);
    return slot < 0 ? undefined : this.#row(slot);
  }

  find(filter: TaskFilter = {}): Task[] {
    const wanted = this.#rows.order(this.#select(filter), filter);
    const { slots } = this.#rows;
    const tasks: Task[] = [];
    for (let i = 0; i < wanted; i++) tasks.push(this.#row(slots[i] as number));
    return tasks;
  }

  first(filter: TaskFilter = {}): Task | undefined {
    return this.find({ ...filter, limit: Math.min(1, filter.limit ?? 1) })[0];
  }

  count(filter: TaskFilter = {}): number {
    return this.#select(filter);
  }

  isSame(a: Task, b: Task): boolean {
    return isSameTask(a, b);
  }

  /** Slot of an id; -1 when there is none. */
  slotOf(idLow: number, idHigh: number): number {
    return this.#rows.table.find(idLow, idHigh);
  }

  /** Sets a task's title and status, new or not; its slot, whose times are to be set, or -1 when there is no room. */
  put(idLow: number, idHigh: number, title: string, status: number): number {
    let slot = this.slotOf(idLow, idHigh);
    if (slot < 0) {
      if (this.size >= this.rowsMax) return -1;
      slot = this.#rows.add(idLow, idHigh);
      if (this.#statuses.length < this.#rows.table.capacity) this.#growStatuses();
    }
    this.#titles.set(slot, title);
    this.setStatus(slot, status);
    return slot;
  }

  setTitle(slot: number, title: string): void {
    this.#titles.set(slot, title);
    this.#forget(slot);
  }

  setStatus(slot: number, status: number): void {
    this.#statuses[slot] = status;
    this.#forget(slot);
  }

  setCreated(slot: number, low: number, high: number): void {
    this.#rows.created.set(slot, low, high);
    this.#forget(slot);
  }

  setUpdated(slot: number, low: number, high: number): void {
    this.#rows.updated.set(slot, low, high);
    this.#forget(slot);
  }

  remove(slot: number): void {
    const last = this.#rows.remove(slot);
    this.#titles.move(last, slot);
    this.#statuses[slot] = this.#statuses[last] as number;
    const made = this.#made;
    if (slot < made.length) made[slot] = made[last];
    if (made.length > last) made.length = last;
  }

  /** Appends id, task and so on of all, in the order of ids, without making rows of them. */
  write(writer: PostcardWriter): void {
    const { table, created, updated } = this.#rows;
    for (const slot of this.#rows.byId()) {
      table.ids.write(writer, slot);
      table.ids.write(writer, slot);
      writer.text(this.#titles.get(slot)).varint(this.#statuses[slot] as number);
      created.write(writer, slot);
      updated.write(writer, slot);
    }
  }

  #select(filter: TaskFilter): number {
    requireParts(filter, PARTS);
    const rows = this.#rows;
    let count = rows.list(filter);
    if (filter.status !== undefined) {
      count = this.#keepStatus(count, placeOfWord("status", TASK_STATUSES, filter.status));
    }
    count = rows.keepTimes(count, filter);
    const { titleContains, matching } = filter;
    if (titleContains !== undefined) {
      count = this.#titles.keepContaining(rows.slots, count, titleContains);
    }
    return matching === undefined
      ? count
      : rows.keepMatching(count, (slot) => matching(this.#row(slot)));
  }

  #keepStatus(count: number, status: number): number {
    const { slots } = this.#rows;
    const statuses = this.#statuses;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number;
      if (statuses[slot] === status) slots[kept++] = slot;
    }
    return kept;
  }

  #row(slot: number): Task {
    const made = this.#made[slot];
    if (made !== undefined) return made;
    const rows = this.#rows;
    const task: Task = Object.freeze({
      id: rows.table.ids.get(slot),
      title: this.#titles.get(slot),
      status: TASK_STATUSES[this.#statuses[slot] as number] ?? "pending",
      createdNs: rows.created.get(slot),
      updatedNs: rows.updated.get(slot),
    });
    // An array without holes stays quick to read.
    while (this.#made.length < slot) this.#made.push(undefined);
    this.#made[slot] = task;
    return task;
  }

  /** Rows that were never read have no place here. */
  #forget(slot: number): void {
    if (slot < this.#made.length) this.#made[slot] = undefined;
  }

  #growStatuses(): void {
    const statuses = new Uint8Array(this.#rows.table.capacity);
    statuses.set(this.#statuses);
    this.#statuses = statuses;
  }
}
