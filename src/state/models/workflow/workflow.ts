/** Workflow tasks: what a row, an event and a filter of them look like (`storage.md` 12). */
import { PostcardWriter } from "../../../base/mod.ts";
import { type ModelEvent, placeOfWord } from "../rows.ts";

/** How a workflow task stands; the number of each is its place. */
export const WORKFLOW_STATUSES = [
  "submitted",
  "running",
  "waiting",
  "blocked",
  "done",
  "failed",
] as const;

/** How a workflow task stands. `done` and `failed` are terminal: only `retry` and `submit` lead out of them. */
export type WorkflowStatus = typeof WORKFLOW_STATUSES[number];

/** A task of a workflow. */
export interface WorkflowTask {
  readonly id: bigint;
  readonly step: number;
  readonly status: WorkflowStatus;
  readonly attempts: number;
  readonly isCancelRequested: boolean;
  /** In the order in which they were linked; some may not be submitted. */
  readonly children: readonly bigint[];
  /** The one that linked it last. */
  readonly parent: bigint | undefined;
}

/** Orders of workflow tasks. */
export const WORKFLOW_ORDERS = ["id-asc", "id-desc"] as const;

/** Workflow tasks that are wanted; all parts have to hold. */
export interface WorkflowFilter {
  readonly idIn?: readonly bigint[];
  readonly status?: WorkflowStatus;
  /** One of these; an empty list is no filter. */
  readonly statusIn?: readonly WorkflowStatus[];
  readonly isTerminal?: boolean;
  readonly isCancelRequested?: boolean;
  /** Linked last by this one. */
  readonly parent?: bigint;
  /** This one and all below it. */
  readonly within?: bigint;
  /** Any other condition; it must depend on the task alone. Asked last. */
  readonly matching?: (task: WorkflowTask) => boolean;
  /** `id-asc` when left out. */
  readonly orderBy?: typeof WORKFLOW_ORDERS[number];
  readonly limit?: number;
}

/** How many tasks stand how. */
export type WorkflowStatusCounts = Readonly<Record<WorkflowStatus, number>>;

/** Channel of the workflow's log. */
export const WORKFLOW_CHANNEL = "cortex/workflow";

/** Dispatch bytes of workflow events. */
export const WORKFLOW_EVENTS = {
  submit: 0x01,
  transition: 0x02,
  advance: 0x03,
  retry: 0x04,
  delete: 0x05,
  requestCancel: 0x06,
  link: 0x07,
} as const;

/** A task at its beginning, also one that is there: step 0, no attempts, no cancel. */
export function submitEvent(id: bigint): ModelEvent {
  return event(WORKFLOW_EVENTS.submit, id);
}

/** Another status, unless the task is done or failed. */
export function transitionEvent(id: bigint, status: WorkflowStatus): ModelEvent {
  const tail = new PostcardWriter().varint(id).varint(
    placeOfWord("status", WORKFLOW_STATUSES, status),
  );
  return { dispatch: WORKFLOW_EVENTS.transition, tail: tail.finish() };
}

/** The next step, with no attempts yet. */
export function advanceEvent(id: bigint): ModelEvent {
  return event(WORKFLOW_EVENTS.advance, id);
}

/** Runs again, also when it failed; not when it is done. */
export function retryEvent(id: bigint): ModelEvent {
  return event(WORKFLOW_EVENTS.retry, id);
}

/** The task goes, with all below it. */
export function deleteWorkflowEvent(id: bigint): ModelEvent {
  return event(WORKFLOW_EVENTS.delete, id);
}

/** Asks whoever runs it to stop. */
export function requestCancelEvent(id: bigint): ModelEvent {
  return event(WORKFLOW_EVENTS.requestCancel, id);
}

/** Puts a task below another. */
export function linkEvent(parent: bigint, child: bigint): ModelEvent {
  return {
    dispatch: WORKFLOW_EVENTS.link,
    tail: new PostcardWriter().varint(parent).varint(child).finish(),
  };
}

/** True when only `retry` or `submit` go on from here. */
export function isTerminalStatus(status: WorkflowStatus): boolean {
  return status === "done" || status === "failed";
}

/** True when two rows have the same content. */
export function isSameWorkflowTask(a: WorkflowTask, b: WorkflowTask): boolean {
  return a === b || a.id === b.id && a.step === b.step && a.status === b.status &&
      a.attempts === b.attempts && a.isCancelRequested === b.isCancelRequested &&
      a.parent === b.parent && a.children.length === b.children.length &&
      a.children.every((child, at) => child === b.children[at]);
}

function event(dispatch: number, id: bigint): ModelEvent {
  return { dispatch, tail: new PostcardWriter().varint(id).finish() };
}
