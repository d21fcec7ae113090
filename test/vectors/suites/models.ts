/**
 * Tasks, memories and workflows: what their events look like, what becomes of them, and their snapshots.
 *
 * Maps in the core's snapshots are in no order, so states are compared by content; what we write is read again.
 */
import assert from "node:assert/strict";
import {
  advanceEvent,
  completeTaskEvent,
  createMemoryModel,
  createTaskEvent,
  createTaskModel,
  createWorkflowModel,
  decodeCortexSnapshot,
  decodeEvent,
  deleteMemoryEvent,
  deleteTaskEvent,
  deleteWorkflowEvent,
  encodeCortexSnapshot,
  encodeEvent,
  type FoldModel,
  linkEvent,
  type Memory,
  type ModelEvent,
  pinMemoryEvent,
  renameTaskEvent,
  requestCancelEvent,
  retagMemoryEvent,
  retryEvent,
  type RowState,
  storeMemoryEvent,
  submitEvent,
  type Task,
  transitionEvent,
  unpinMemoryEvent,
  WORKFLOW_STATUSES,
  type WorkflowStatus,
  type WorkflowTable,
} from "../../../src/state/mod.ts";
import type { GatheredCases, VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  integer,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";

/** The part of `cortex_events.json` that is about the models. */
export const MODEL_EVENTS_SUITE: VectorSuite = (document) => ({
  ...logCases(document, "tasks_events", createTaskModel(), taskEvent, taskOf),
  ...logCases(document, "memories_events", createMemoryModel(), memoryEvent, memoryOf),
  ...workflowCases(document),
});

/** A task as the files have it. */
export function taskOf(vector: VectorObject): Task {
  const status = textOf(vector, "status").toLowerCase();
  assert.ok(status === "pending" || status === "completed");
  return {
    id: integerOf(vector, "id"),
    title: textOf(vector, "title"),
    status,
    createdNs: integerOf(vector, "createdNs"),
    updatedNs: integerOf(vector, "updatedNs"),
  };
}

/** A memory as the files have it. */
export function memoryOf(vector: VectorObject): Memory {
  return {
    id: integerOf(vector, "id"),
    content: textOf(vector, "content"),
    tags: textsOf(vector, "tags"),
    source: textOf(vector, "source"),
    createdNs: integerOf(vector, "createdNs"),
    updatedNs: integerOf(vector, "updatedNs"),
    isPinned: booleanOf(vector, "pinned"),
  };
}

/** Texts of a list. */
export function textsOf(vector: VectorObject, field: string): string[] {
  return listOf(vector, field).map(String);
}

type EventOf = (op: string, args: readonly unknown[]) => ModelEvent;

/** Events of one log, and in the end its rows and its snapshot. */
function logCases<Row, State extends RowState<Row, unknown>>(
  document: unknown,
  section: string,
  model: FoldModel<State>,
  eventOf: EventOf,
  rowOf: (vector: VectorObject) => Row,
): Record<string, GatheredCases> {
  const log = objectOf(valueAt(document, section), section);
  const state = model.create();
  const origin = BigInt(textOf(log, "origin_hash"));
  assert.equal(model.channel, textOf(log, "channel"));
  const rows = () => listOf(log, "final").map((row) => rowOf(objectOf(row, "final")));
  return {
    [`${section}.events`]: {
      cases: eventsOf(log),
      check: (vector) => applyEvent(model, state, origin, vector, eventOf),
    },
    [`${section}.final`]: {
      cases: [log],
      check: () => assert.deepEqual(state.find(), rows()),
    },
    [`${section}.snapshot`]: {
      cases: [recordOf(log, "snapshot")],
      check: (vector) => {
        const { state: restored } = checkSnapshot(model, vector, eventsOf(log).length);
        assert.deepEqual(restored.find(), rows());
        assert.deepEqual(model.encode(restored), model.encode(state));
      },
    },
  };
}

function workflowCases(document: unknown): Record<string, GatheredCases> {
  const log = objectOf(valueAt(document, "workflow_events"), "workflow_events");
  const model = createWorkflowModel();
  const state = model.create();
  const origin = BigInt(textOf(log, "origin_hash"));
  assert.equal(model.channel, textOf(log, "channel"));
  return {
    "workflow_events.events": {
      cases: eventsOf(log),
      check: (vector) => {
        applyEvent(model, state, origin, vector, workflowEvent);
        checkWorkflow(state, recordOf(vector, "state"));
      },
    },
    "workflow_events.snapshot": {
      cases: [recordOf(log, "snapshot")],
      check: (vector) => {
        const { state: restored, inner } = checkSnapshot(model, vector, eventsOf(log).length);
        // With one entry in each map there is but one order.
        assert.deepEqual(model.encode(state), inner);
        assert.deepEqual(model.encode(restored), inner);
      },
    },
  };
}

function eventsOf(log: VectorObject): VectorObject[] {
  return listOf(log, "events").map((event) => objectOf(event, "event"));
}

/** What we would append is what the core appended; it is folded as it is read. */
function applyEvent<State>(
  model: FoldModel<State>,
  state: State,
  origin: bigint,
  vector: VectorObject,
  eventOf: EventOf,
): void {
  const payload = bytesOf(vector, "payload");
  const seq = integerOf(vector, "seq");
  const { dispatch, tail } = eventOf(textOf(vector, "op"), listOf(vector, "args"));
  assert.deepEqual(encodeEvent({ dispatch, flags: 0, origin, appSeq: seq }, tail), payload);
  const decoded = decodeEvent(payload);
  assert.ok(decoded.ok && decoded.event.checksumVersion === 2);
  if (has(vector, "checksum_ok")) assert.ok(booleanOf(vector, "checksum_ok"));
  model.apply(state, { ...decoded.event, seq });
}

function checkSnapshot<State>(model: FoldModel<State>, vector: VectorObject, events: number) {
  assert.equal(integerOf(vector, "last_seq"), BigInt(events - 1));
  const bytes = bytesOf(vector, "state_bytes");
  const parts = decodeCortexSnapshot(bytes);
  assert.equal(parts.appSeq, BigInt(events));
  assert.deepEqual(encodeCortexSnapshot(parts), bytes);
  const state = model.decode(parts.inner);
  // Whatever the order of the maps, it takes the same bytes.
  assert.equal(model.encode(state).length, parts.inner.length);
  return { state, inner: new Uint8Array(parts.inner) };
}

function checkWorkflow(state: WorkflowTable, expected: VectorObject): void {
  for (const name of ["1", "2", "3"]) {
    const row = state.get(BigInt(name));
    assert.equal(row !== undefined, has(expected, name));
    if (row === undefined) continue;
    const wanted = recordOf(expected, name);
    assert.equal(row.step, numberOf(wanted, "step"));
    assert.equal(row.status, textOf(wanted, "status"));
    assert.equal(row.attempts, numberOf(wanted, "attempts"));
  }
  assert.equal(state.isCancelRequested(2n), booleanOf(expected, "cancel2"));
  const subtree = listOf(expected, "subtree1").map((id) => integer(id, "subtree1"));
  assert.deepEqual(state.subtree(1n), subtree);
  assert.deepEqual({ ...state.statusCounts() }, { ...recordOf(expected, "counts") });
}

function taskEvent(op: string, args: readonly unknown[]): ModelEvent {
  const id = integer(args[0], "id");
  const now = () => integer(args.at(-1), "now");
  switch (op) {
    case "create":
      return createTaskEvent(id, String(args[1]), now());
    case "rename":
      return renameTaskEvent(id, String(args[1]), now());
    case "complete":
      return completeTaskEvent(id, now());
    case "delete":
      return deleteTaskEvent(id);
    default:
      throw new TypeError(`Cannot read vector: there is no task event ${op}`);
  }
}

function memoryEvent(op: string, args: readonly unknown[]): ModelEvent {
  const id = integer(args[0], "id");
  const now = () => integer(args.at(-1), "now");
  const tags = (value: unknown) => Array.isArray(value) ? value.map(String) : [];
  switch (op) {
    case "store": {
      const content = { content: String(args[1]), tags: tags(args[2]), source: String(args[3]) };
      return storeMemoryEvent(id, content, now());
    }
    case "retag":
      return retagMemoryEvent(id, tags(args[1]), now());
    case "pin":
      return pinMemoryEvent(id, now());
    case "unpin":
      return unpinMemoryEvent(id, now());
    case "delete":
      return deleteMemoryEvent(id);
    default:
      throw new TypeError(`Cannot read vector: there is no memory event ${op}`);
  }
}

/** Helpers of the core that are transitions. */
const TRANSITIONS: Readonly<Record<string, WorkflowStatus>> = {
  start: "running",
  wait: "waiting",
  block: "blocked",
  complete: "done",
  fail: "failed",
};

function workflowEvent(op: string, args: readonly unknown[]): ModelEvent {
  const id = integer(args[0], "id");
  const status = TRANSITIONS[op] ?? WORKFLOW_STATUSES.find((name) => name === args[1]);
  switch (op) {
    case "submit":
      return submitEvent(id);
    case "advance":
      return advanceEvent(id);
    case "retry":
      return retryEvent(id);
    case "delete":
      return deleteWorkflowEvent(id);
    case "requestCancel":
      return requestCancelEvent(id);
    case "link":
      return linkEvent(id, integer(args[1], "child"));
    default:
      if (status === undefined) throw new TypeError(`Cannot read vector: no status for ${op}`);
      return transitionEvent(id, status);
  }
}
