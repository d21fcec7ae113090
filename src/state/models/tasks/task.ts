/** Tasks: what a row, an event and a filter of them look like (`storage.md` 10). */
import { PostcardWriter } from "../../../base/mod.ts";
import type { ModelEvent } from "../rows.ts";
import type { TimedFilter } from "../tables/timed_rows.ts";

/** How a task stands; the number of each is its place. */
export const TASK_STATUSES = ["pending", "completed"] as const;

/** How a task stands. */
export type TaskStatus = typeof TASK_STATUSES[number];

/** A task. */
export interface Task {
  readonly id: bigint;
  readonly title: string;
  readonly status: TaskStatus;
  /** Unix nanoseconds. */
  readonly createdNs: bigint;
  readonly updatedNs: bigint;
}

/** Tasks that are wanted; all parts have to hold. */
export interface TaskFilter extends TimedFilter {
  readonly status?: TaskStatus;
  /** Without regard to case; empty is in every title. */
  readonly titleContains?: string;
  /** Any other condition; it must depend on the task alone. Asked last. */
  readonly matching?: (task: Task) => boolean;
}

/** Channel of the tasks' log. */
export const TASKS_CHANNEL = "cortex/tasks";

/** Dispatch bytes of task events. */
export const TASK_EVENTS = { create: 0x01, rename: 0x02, complete: 0x03, delete: 0x04 } as const;

/** A new task, pending; replaces one of the same id. */
export function createTaskEvent(id: bigint, title: string, nowNs: bigint): ModelEvent {
  return event(TASK_EVENTS.create, new PostcardWriter().varint(id).text(title).varint(nowNs));
}

/** Another title. */
export function renameTaskEvent(id: bigint, title: string, nowNs: bigint): ModelEvent {
  return event(TASK_EVENTS.rename, new PostcardWriter().varint(id).text(title).varint(nowNs));
}

/** The task is done. */
export function completeTaskEvent(id: bigint, nowNs: bigint): ModelEvent {
  return event(TASK_EVENTS.complete, new PostcardWriter().varint(id).varint(nowNs));
}

/** The task goes. */
export function deleteTaskEvent(id: bigint): ModelEvent {
  return event(TASK_EVENTS.delete, new PostcardWriter().varint(id));
}

/** True when two tasks have the same content. */
export function isSameTask(a: Task, b: Task): boolean {
  return a === b || a.id === b.id && a.title === b.title && a.status === b.status &&
      a.createdNs === b.createdNs && a.updatedNs === b.updatedNs;
}

function event(dispatch: number, tail: PostcardWriter): ModelEvent {
  return { dispatch, tail: tail.finish() };
}
