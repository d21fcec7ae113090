/** How a workflow comes out of its log, and how its state is written down (`storage.md` 12). */
import { PostcardReader, PostcardWriter } from "../../../base/mod.ts";
import { FoldDecodeError } from "../../cortex/fold_error.ts";
import type { CortexEvent, FoldModel } from "../../cortex/types.ts";
import type { ModelLimits } from "../limits.ts";
import { WORKFLOW_CHANNEL, WORKFLOW_EVENTS, WORKFLOW_STATUSES } from "./workflow.ts";
import { isTerminalNumber, type WorkflowProgress, WorkflowTable } from "./workflow_table.ts";

/** Steps and attempts are 32 bits and stay at the largest. */
const U32_MAX = 2 ** 32 - 1;
const RUNNING = WORKFLOW_STATUSES.indexOf("running");
const DONE = WORKFLOW_STATUSES.indexOf("done");

/** The model of workflows. Unknown events change nothing. */
export function createWorkflowModel(limits?: ModelLimits): FoldModel<WorkflowTable> {
  return {
    channel: WORKFLOW_CHANNEL,
    create: () => new WorkflowTable(limits),
    apply: applyWorkflowEvent,
    encode: encodeWorkflow,
    decode: (bytes) => decodeWorkflow(new WorkflowTable(limits), bytes),
  };
}

function applyWorkflowEvent(state: WorkflowTable, { dispatch, tail }: CortexEvent): boolean {
  if (dispatch < WORKFLOW_EVENTS.submit || dispatch > WORKFLOW_EVENTS.link) return false;
  const reader = new PostcardReader(tail);
  const id = reader.u64();
  if (dispatch === WORKFLOW_EVENTS.transition) {
    const status = reader.variant(WORKFLOW_STATUSES.length);
    checkRead(reader);
    return change(state, id, (task) => isTerminalNumber(task.status) ? task : { ...task, status });
  }
  if (dispatch === WORKFLOW_EVENTS.link) {
    const child = reader.u64();
    checkRead(reader);
    return link(state, id, child);
  }
  checkRead(reader);
  switch (dispatch) {
    case WORKFLOW_EVENTS.submit:
      put(state, id, { step: 0, status: 0, attempts: 0 });
      state.setCancelled(id, false);
      return true;
    case WORKFLOW_EVENTS.advance:
      return change(state, id, (task) => ({ ...task, step: addOne(task.step), attempts: 0 }));
    case WORKFLOW_EVENTS.retry:
      return change(
        state,
        id,
        (task) =>
          task.status === DONE
            ? task
            : { ...task, status: RUNNING, attempts: addOne(task.attempts) },
      );
    case WORKFLOW_EVENTS.delete:
      return state.remove(id);
    default:
      return requestCancel(state, id);
  }
}

function change(
  state: WorkflowTable,
  id: bigint,
  progress: (task: WorkflowProgress) => WorkflowProgress,
): boolean {
  const task = state.tasks.get(id);
  if (task === undefined) return false;
  const next = progress(task);
  if (next === task) return false;
  state.put(id, next);
  return true;
}

function put(state: WorkflowTable, id: bigint, task: WorkflowProgress): void {
  if (!state.put(id, task)) {
    throw new FoldDecodeError(`Cannot add workflow task: there are ${state.rowsMax} already`);
  }
}

function link(state: WorkflowTable, parent: bigint, child: bigint): boolean {
  if (state.parents.size >= state.rowsMax && !state.parents.has(child)) {
    throw new FoldDecodeError(
      `Cannot link workflow task: there are ${state.rowsMax} links already`,
    );
  }
  return state.link(parent, child);
}

function requestCancel(state: WorkflowTable, id: bigint): boolean {
  if (state.cancelled.size >= state.rowsMax) {
    throw new FoldDecodeError(
      `Cannot cancel workflow task: ${state.rowsMax} cancels are open already`,
    );
  }
  return state.setCancelled(id, true);
}

function addOne(value: number): number {
  return Math.min(U32_MAX, value + 1);
}

/** Tasks, cancels, children and parents, each in the order of ids so that equal states are equal bytes. */
function encodeWorkflow(state: WorkflowTable): Uint8Array {
  const writer = new PostcardWriter(64 + 16 * state.size);
  writer.list(byId(state.tasks), ([id, { step, status, attempts }]) => {
    writer.varint(id).varint(step).varint(status).varint(attempts);
  });
  writer.list([...state.cancelled].sort(compareIds), (id) => void writer.varint(id));
  writer.list(byId(state.children), ([id, children]) => {
    writer.varint(id).list([...children], (child) => void writer.varint(child));
  });
  writer.list(byId(state.parents), ([id, parent]) => void writer.varint(id).varint(parent));
  return writer.finish();
}

function decodeWorkflow(state: WorkflowTable, bytes: Uint8Array): WorkflowTable {
  const reader = new PostcardReader(bytes);
  each(reader, state.rowsMax, 4, () => {
    const id = reader.u64();
    const step = reader.u32();
    const status = reader.variant(WORKFLOW_STATUSES.length);
    put(state, id, { step, status, attempts: reader.u32() });
  });
  each(reader, state.rowsMax, 1, () => void state.cancelled.add(reader.u64()));
  each(reader, state.rowsMax, 2, () => {
    const id = reader.u64();
    state.children.set(id, new Set(reader.list(1, () => reader.u64())));
  });
  each(reader, state.rowsMax, 2, () => {
    const id = reader.u64();
    state.parents.set(id, reader.u64());
  });
  checkRead(reader);
  return state;
}

function each(
  reader: PostcardReader,
  rowsMax: number,
  itemBytesMin: number,
  read: () => void,
): void {
  const count = reader.count(itemBytesMin);
  if (count > rowsMax) {
    throw new FoldDecodeError(`Cannot read workflow: ${count} entries, at most ${rowsMax} are`);
  }
  for (let left = count; left > 0; left--) {
    read();
    checkRead(reader);
  }
}

function byId<Value>(map: ReadonlyMap<bigint, Value>): [bigint, Value][] {
  return [...map].sort(([a], [b]) => compareIds(a, b));
}

function compareIds(a: bigint, b: bigint): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function checkRead({ failure }: PostcardReader): void {
  if (failure !== undefined) throw new FoldDecodeError(`Cannot read workflow: ${failure}`);
}
