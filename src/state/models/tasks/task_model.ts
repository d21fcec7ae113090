/** How tasks come out of their log, and how their state is written down (`storage.md` 10). */
import { PostcardReader, PostcardWriter } from "../../../base/mod.ts";
import { FoldDecodeError } from "../../cortex/fold_error.ts";
import { readTail } from "../../cortex/log_event.ts";
import type { CortexEvent, FoldModel } from "../../cortex/types.ts";
import type { ModelLimits } from "../limits.ts";
import { TASK_EVENTS, TASK_STATUSES, TASKS_CHANNEL } from "./task.ts";
import { TaskTable } from "./task_table.ts";

/** Least bytes of a task in a state: its key, id, an empty title, status, two times. */
const TASK_BYTES_MIN = 6;

/** The model of tasks. Unknown events change nothing. */
export function createTaskModel(limits?: ModelLimits): FoldModel<TaskTable> {
  const reader = new PostcardReader(new Uint8Array(0));
  return {
    channel: TASKS_CHANNEL,
    create: () => new TaskTable(limits),
    apply: (state, event) => applyTaskEvent(state, event, readTail(reader, event)),
    encode: encodeTasks,
    decode: (bytes) => decodeTasks(new TaskTable(limits), bytes),
  };
}

function applyTaskEvent(state: TaskTable, event: CortexEvent, reader: PostcardReader): boolean {
  switch (event.dispatch) {
    case TASK_EVENTS.create:
      return createTask(state, reader);
    case TASK_EVENTS.rename:
      return changeTask(state, reader, true, false);
    case TASK_EVENTS.complete:
      return changeTask(state, reader, false, true);
    case TASK_EVENTS.delete:
      return deleteTask(state, reader);
    default:
      return false;
  }
}

function createTask(state: TaskTable, reader: PostcardReader): boolean {
  reader.halves();
  const { low, high } = reader;
  const title = reader.text();
  reader.halves();
  checkRead(reader);
  putTask(state, low, high, title, 0, reader.low, reader.high, reader.low, reader.high);
  return true;
}

function changeTask(
  state: TaskTable,
  reader: PostcardReader,
  hasTitle: boolean,
  isCompleted: boolean,
): boolean {
  reader.halves();
  const slot = state.slotOf(reader.low, reader.high);
  const title = hasTitle ? reader.text() : "";
  reader.halves();
  checkRead(reader);
  if (slot < 0) return false;
  if (hasTitle) state.setTitle(slot, title);
  if (isCompleted) state.setStatus(slot, 1);
  state.setUpdated(slot, reader.low, reader.high);
  return true;
}

function deleteTask(state: TaskTable, reader: PostcardReader): boolean {
  reader.halves();
  checkRead(reader);
  const slot = state.slotOf(reader.low, reader.high);
  if (slot < 0) return false;
  state.remove(slot);
  return true;
}

/** A map from id to task, in the order of ids so that equal states are equal bytes. */
function encodeTasks(state: TaskTable): Uint8Array {
  const writer = new PostcardWriter(64 + 64 * state.size).varint(state.size);
  state.write(writer);
  return writer.finish();
}

function decodeTasks(state: TaskTable, bytes: Uint8Array): TaskTable {
  const reader = new PostcardReader(bytes);
  for (let left = reader.count(TASK_BYTES_MIN); left > 0; left--) {
    reader.halves();
    const [keyLow, keyHigh] = [reader.low, reader.high];
    reader.halves();
    const isSameId = reader.low === keyLow && reader.high === keyHigh;
    const title = reader.text();
    const status = reader.variant(TASK_STATUSES.length);
    reader.halves();
    const { low, high } = reader;
    reader.halves();
    checkRead(reader);
    if (!isSameId) throw new FoldDecodeError("Cannot read tasks: a task is kept under another id");
    putTask(state, keyLow, keyHigh, title, status, low, high, reader.low, reader.high);
  }
  checkRead(reader);
  return state;
}

function putTask(
  state: TaskTable,
  idLow: number,
  idHigh: number,
  title: string,
  status: number,
  createdLow: number,
  createdHigh: number,
  updatedLow: number,
  updatedHigh: number,
): void {
  const slot = state.put(idLow, idHigh, title, status);
  if (slot < 0) throw new FoldDecodeError(`Cannot add task: there are ${state.rowsMax} already`);
  state.setCreated(slot, createdLow, createdHigh);
  state.setUpdated(slot, updatedLow, updatedHigh);
}

function checkRead({ failure }: PostcardReader): void {
  if (failure !== undefined) throw new FoldDecodeError(`Cannot read tasks: ${failure}`);
}
