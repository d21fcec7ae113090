/**
 * The events that lead to a state: what a restore appends to an empty log. Afterwards the log stands on its own, for
 * us and for the core: it takes new writes at once, and opens again without the snapshot.
 */
import type { Memory } from "../models/memories/memory.ts";
import { pinMemoryEvent, storeMemoryEvent, unpinMemoryEvent } from "../models/memories/memory.ts";
import type { MemoryTable } from "../models/memories/memory_table.ts";
import type { ModelEvent } from "../models/rows.ts";
import { completeTaskEvent, createTaskEvent, renameTaskEvent } from "../models/tasks/task.ts";
import type { TaskTable } from "../models/tasks/task_table.ts";
import {
  advanceEvent,
  linkEvent,
  requestCancelEvent,
  retryEvent,
  submitEvent,
  transitionEvent,
  WORKFLOW_STATUSES,
} from "../models/workflow/workflow.ts";
import type { WorkflowTable } from "../models/workflow/workflow_table.ts";
import { NetDbError } from "./error.ts";
import { RESTORE_TASK_EVENTS_MAX } from "./limits.ts";
import { putRowEvent } from "./own/row_model.ts";
import type { RowTable, TableRow } from "./own/row_table.ts";

/** Events of tasks. */
export function* taskEvents(state: TaskTable): Generator<ModelEvent> {
  for (const { id, title, status, createdNs, updatedNs } of state.find()) {
    yield createTaskEvent(id, title, createdNs);
    if (status === "completed") yield completeTaskEvent(id, updatedNs);
    else if (updatedNs !== createdNs) yield renameTaskEvent(id, title, updatedNs);
  }
}

/** Events of memories. */
export function* memoryEvents(state: MemoryTable): Generator<ModelEvent> {
  for (const memory of state.find()) {
    yield storeMemoryEvent(memory.id, memory, memory.createdNs);
    if (memory.isPinned) yield pinMemoryEvent(memory.id, memory.updatedNs);
    else if (isChanged(memory)) yield unpinMemoryEvent(memory.id, memory.updatedNs);
  }
}

/**
 * Events of a workflow. A task that was deleted while several others were linked to it leaves links that no event can
 * make without a parent: should it be submitted again, it has one of them as its parent here.
 *
 * @throws NetDbError `limit` when a task has gone through more steps and attempts than a log should be made of.
 */
export function* workflowEvents(state: WorkflowTable): Generator<ModelEvent> {
  for (const { id, step, status, attempts } of state.find()) {
    const events = step + attempts;
    if (events > RESTORE_TASK_EVENTS_MAX) {
      throw new NetDbError(
        "limit",
        `restore workflow task ${id}: ${events} steps and attempts, at most ` +
          `${RESTORE_TASK_EVENTS_MAX}`,
      );
    }
    yield submitEvent(id);
    for (let i = 0; i < step; i++) yield advanceEvent(id);
    for (let i = 0; i < attempts; i++) yield retryEvent(id);
    const reached = attempts > 0 ? "running" : "submitted";
    if (status !== reached && WORKFLOW_STATUSES.includes(status)) {
      yield transitionEvent(id, status);
    }
  }
  for (const id of state.cancelled) yield requestCancelEvent(id);
  for (const [parent, children] of state.children) {
    for (const child of children) yield linkEvent(parent, child);
  }
  // The link that comes last says who the parent is.
  for (const [child, parent] of state.parents) {
    if (state.children.get(parent)?.has(child)) yield linkEvent(parent, child);
  }
}

/** Events of a user's collection. */
export function* rowEvents<Row extends TableRow>(state: RowTable<Row>): Generator<ModelEvent> {
  for (const { id, ...fields } of state.find()) yield putRowEvent(id, fields);
}

function isChanged({ createdNs, updatedNs }: Memory): boolean {
  return createdNs !== updatedNs;
}
