/**
 * Triggers: what is to happen when a task has come to its end, or when it is time (`storage.md` 12).
 *
 * The engine says what is to be done and does nothing itself; a trigger fires once. One that cannot fire any more
 * (the task failed, or is done with another result) is dropped.
 */
import { NetError } from "../../../base/mod.ts";
import { RESULTS_MAX, TRIGGERS_MAX } from "../limits.ts";
import type { WorkflowTable } from "./workflow_table.ts";

/** What is to be done. */
export interface TriggerAction {
  readonly kind: "submit" | "start";
  readonly id: bigint;
}

/** What a trigger waits for. */
export type TriggerCondition =
  /** The task is done. */
  | { readonly kind: "after-task"; readonly task: bigint }
  /** The task is done, and this result of it was recorded. */
  | {
    readonly kind: "if-result";
    readonly task: bigint;
    readonly key: string;
    readonly value: string;
  }
  /** The task is done or failed. */
  | { readonly kind: "after-terminal"; readonly task: bigint }
  /** The caller's clock has come to this. */
  | { readonly kind: "at-tick"; readonly tick: bigint };

interface Armed {
  readonly condition: TriggerCondition;
  readonly action: TriggerAction;
}

/** Triggers that are armed, and results of tasks. */
export class TriggerEngine {
  readonly #state: WorkflowTable;
  #byTask = new Map<bigint, Armed[]>();
  #byTick: { readonly tick: bigint; readonly action: TriggerAction }[] = [];
  readonly #results = new Map<bigint, Map<string, string>>();
  #armed = 0;
  #resultCount = 0;

  /** @param state Looked at when a task has changed. */
  constructor(state: WorkflowTable) {
    this.#state = state;
  }

  /** Triggers that have neither fired nor been dropped. */
  get armedCount(): number {
    return this.#armed;
  }

  /**
   * Arms a trigger; on a task that has come to its end already it fires with the next change.
   *
   * @throws NetError `limit`
   */
  arm(condition: TriggerCondition, action: TriggerAction): void {
    if (this.#armed >= TRIGGERS_MAX) {
      throw new NetError("limit", `Cannot arm trigger: ${TRIGGERS_MAX} are armed already`);
    }
    this.#armed += 1;
    if (condition.kind === "at-tick") {
      this.#byTick.push({ tick: condition.tick, action });
      return;
    }
    const armed = this.#byTask.get(condition.task);
    if (armed === undefined) this.#byTask.set(condition.task, [{ condition, action }]);
    else armed.push({ condition, action });
  }

  /**
   * Records a result of a task, before the task is reported as changed. The oldest task's results are forgotten
   * when there are too many.
   */
  recordResult(task: bigint, key: string, value: string): void {
    const results = this.#results.get(task) ?? new Map<string, string>();
    if (!results.has(key)) this.#resultCount += 1;
    results.set(key, value);
    this.#results.set(task, results);
    for (const [oldest, { size }] of this.#results) {
      if (this.#resultCount <= RESULTS_MAX) break;
      this.#results.delete(oldest);
      this.#resultCount -= size;
    }
  }

  /** What is to be done now that a task has changed, in the order in which it was armed. */
  onTaskChange(task: bigint): TriggerAction[] {
    const status = this.#state.get(task)?.status;
    const armed = this.#byTask.get(task);
    if (armed === undefined || (status !== "done" && status !== "failed")) return [];
    this.#byTask.delete(task);
    this.#armed -= armed.length;
    return armed.filter(({ condition }) => this.#holds(condition, status === "done"))
      .map(({ action }) => action);
  }

  /** Drops what waits for a task that was deleted; how many triggers. */
  onTaskDelete(task: bigint): number {
    const dropped = this.#byTask.get(task)?.length ?? 0;
    this.#byTask.delete(task);
    this.#armed -= dropped;
    this.#resultCount -= this.#results.get(task)?.size ?? 0;
    this.#results.delete(task);
    return dropped;
  }

  /** What is to be done now that the clock has come to `tick`. */
  onTick(tick: bigint): TriggerAction[] {
    const due = this.#byTick.filter((armed) => armed.tick <= tick);
    if (due.length === 0) return [];
    this.#byTick = this.#byTick.filter((armed) => armed.tick > tick);
    this.#armed -= due.length;
    return due.map(({ action }) => action);
  }

  #holds(condition: TriggerCondition, isDone: boolean): boolean {
    switch (condition.kind) {
      case "after-task":
        return isDone;
      case "if-result":
        return isDone && this.#results.get(condition.task)?.get(condition.key) === condition.value;
      default:
        return true;
    }
  }
}
