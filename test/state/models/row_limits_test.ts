import assert from "node:assert/strict";
import {
  createMemoryModel,
  createRowModel,
  createTaskEvent,
  createTaskModel,
  createWorkflowModel,
  deleteTaskEvent,
  FoldDecodeError,
  type FoldModel,
  linkEvent,
  type ModelEvent,
  putRowEvent,
  requestCancelEvent,
  type RowState,
  storeMemoryEvent,
  submitEvent,
} from "../../../src/state/mod.ts";
import { notes } from "../netdb/bench.ts";
import { foldInto } from "./model_samples.ts";

/** Two rows fit, a third is refused, a change of one that is there is not; nor is a state of two. */
function checkRows<State extends RowState<unknown, unknown>>(
  createModel: (rowsMax: number) => FoldModel<State>,
  eventOf: (id: bigint) => ModelEvent,
): void {
  const model = createModel(2);
  const state = foldInto(model, model.create(), [eventOf(1n), eventOf(2n)]);
  assert.throws(() => foldInto(model, state, [eventOf(3n)]), isFull);
  foldInto(model, state, [eventOf(1n)]);
  assert.equal(state.size, 2);
  const bytes = model.encode(state);
  assert.equal(model.decode(bytes).size, 2);
  assert.throws(() => createModel(1).decode(bytes), isFull);
}

Deno.test("a model has a limit of rows, which changes of rows do not touch", () => {
  checkRows((rowsMax) => createTaskModel({ rowsMax }), (id) => createTaskEvent(id, "t", 1n));
  checkRows(
    (rowsMax) => createMemoryModel({ rowsMax }),
    (id) => storeMemoryEvent(id, { content: "m" }, 1n),
  );
  checkRows((rowsMax) => createWorkflowModel({ rowsMax }), submitEvent);
  checkRows(
    (rowsMax) => createRowModel(notes, undefined, { rowsMax }),
    (id) => putRowEvent(id, { text: "n" }),
  );
});

Deno.test("a row that goes makes room for another", () => {
  const model = createTaskModel({ rowsMax: 1 });
  const create = (id: bigint) => createTaskEvent(id, "t", id);
  const state = foldInto(model, model.create(), [create(1n), deleteTaskEvent(1n), create(2n)]);
  assert.deepEqual(state.find().map(({ id }) => id), [2n]);
});

Deno.test("links and cancels of tasks that are not there have a limit too", () => {
  const model = createWorkflowModel({ rowsMax: 2 });
  const state = model.create();
  foldInto(model, state, [linkEvent(1n, 2n), linkEvent(1n, 3n), linkEvent(5n, 3n)]);
  assert.throws(() => foldInto(model, state, [linkEvent(1n, 4n)]), isFull);
  foldInto(model, state, [requestCancelEvent(1n), requestCancelEvent(2n)]);
  assert.throws(() => foldInto(model, state, [requestCancelEvent(3n)]), isFull);
});

function isFull(error: unknown): boolean {
  return error instanceof FoldDecodeError && /already|at most/.test(error.message);
}
