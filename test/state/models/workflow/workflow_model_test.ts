import assert from "node:assert/strict";
import fc from "fast-check";
import {
  advanceEvent,
  createWorkflowModel,
  deleteWorkflowEvent,
  FoldDecodeError,
  linkEvent,
  requestCancelEvent,
  retryEvent,
  submitEvent,
  transitionEvent,
  WORKFLOW_EVENTS,
  WORKFLOW_STATUSES,
  type WorkflowFilter,
} from "../../../../src/state/mod.ts";
import { assertRestorable, foldInto, rarely } from "../model_samples.ts";

const model = createWorkflowModel();
const fold = (...events: Parameters<typeof foldInto>[2]) => foldInto(model, model.create(), events);

const anyTask = fc.bigInt({ min: 0n, max: 6n });
const anyStatus = fc.constantFrom(...WORKFLOW_STATUSES);
const anyWorkflowEvent = fc.oneof(
  anyTask.map(submitEvent),
  anyTask.map(submitEvent),
  fc.tuple(anyTask, anyStatus).map((args) => transitionEvent(...args)),
  anyTask.map(advanceEvent),
  anyTask.map(retryEvent),
  anyTask.map(requestCancelEvent),
  fc.tuple(anyTask, anyTask).map((args) => linkEvent(...args)),
  anyTask.map(deleteWorkflowEvent),
);
const anyEvents = fc.array(anyWorkflowEvent, { maxLength: 60, size: "max" });

Deno.test("a task that has come to its end is led out by retry or submit alone", () => {
  const state = fold(
    submitEvent(1n),
    transitionEvent(1n, "failed"),
    transitionEvent(1n, "running"),
  );
  assert.equal(state.get(1n)?.status, "failed");
  foldInto(model, state, [retryEvent(1n)]);
  assert.deepEqual([state.get(1n)?.status, state.get(1n)?.attempts], ["running", 1]);
  foldInto(model, state, [transitionEvent(1n, "done"), retryEvent(1n), advanceEvent(1n)]);
  const task = state.get(1n);
  assert.deepEqual([task?.status, task?.attempts, task?.step], ["done", 0, 1]);
  foldInto(model, state, [requestCancelEvent(1n), submitEvent(1n)]);
  assert.deepEqual(
    [state.get(1n)?.status, state.get(1n)?.step, state.isCancelRequested(1n)],
    ["submitted", 0, false],
  );
});

Deno.test("a deleted task takes all below it along, and the link of its last parent", () => {
  const state = fold(
    ...[1n, 2n, 3n, 4n].map(submitEvent),
    linkEvent(1n, 2n),
    linkEvent(2n, 3n),
    requestCancelEvent(3n),
    deleteWorkflowEvent(2n),
  );
  assert.deepEqual(state.find().map(({ id }) => id), [1n, 4n]);
  assert.deepEqual(state.get(1n)?.children, []);
  assert.equal(state.isCancelRequested(3n), false);
  // An empty list stays, as in the core.
  assert.deepEqual([...state.children.keys()], [1n]);
});

Deno.test("subtree() names each task once, whatever circle they are linked in", () => {
  const state = fold(linkEvent(1n, 2n), linkEvent(2n, 1n), linkEvent(2n, 3n), linkEvent(3n, 3n));
  assert.deepEqual(state.subtree(1n), [1n, 2n, 3n]);
  assert.deepEqual(state.subtree(3n), [3n]);
  assert.deepEqual(state.subtree(99n), [99n]);
  foldInto(model, state, [submitEvent(1n), deleteWorkflowEvent(3n), deleteWorkflowEvent(1n)]);
  assert.equal(state.size, 0);
});

Deno.test("links and cancels may come before the task", () => {
  const state = fold(linkEvent(1n, 2n), requestCancelEvent(7n), submitEvent(2n));
  assert.deepEqual(state.get(2n)?.parent, 1n);
  assert.equal(state.isCancelRequested(7n), true);
  assert.equal(state.size, 1);
});

Deno.test("steps and attempts stay at the largest number of 32 bits", () => {
  const bytes = Uint8Array.of(1, 5, ...varint(2 ** 32 - 1), 1, ...varint(2 ** 32 - 1), 0, 0, 0);
  const state = model.decode(bytes);
  foldInto(model, state, [retryEvent(5n)]);
  assert.equal(state.get(5n)?.attempts, 2 ** 32 - 1);
  foldInto(model, state, [advanceEvent(5n)]);
  assert.equal(state.get(5n)?.step, 2 ** 32 - 1);
});

Deno.test("tails and states that cannot be read are refused", () => {
  const state = fold(submitEvent(1n));
  const before = model.encode(state);
  for (const dispatch of Object.values(WORKFLOW_EVENTS)) {
    assert.throws(
      () => foldInto(model, state, [{ dispatch, tail: new Uint8Array(0) }]),
      FoldDecodeError,
    );
  }
  const unknown = { dispatch: WORKFLOW_EVENTS.transition, tail: Uint8Array.of(1, 6) };
  assert.throws(() => foldInto(model, state, [unknown]), FoldDecodeError);
  assert.deepEqual(model.encode(state), before);
  for (const hex of ["", "01", "0105000600", "000000", "00000001"]) {
    assert.throws(() => model.decode(Uint8Array.fromHex(hex)), FoldDecodeError, hex);
  }
});

Deno.test("a fold of a workflow goes on from any snapshot, and counts add up", () => {
  fc.assert(fc.property(anyEvents, fc.nat(60), (events, cut) => {
    assertRestorable(model, events, cut);
    const state = fold(...events);
    const counts = state.statusCounts();
    for (const status of WORKFLOW_STATUSES) assert.equal(counts[status], state.count({ status }));
    assert.equal(Object.values(counts).reduce((sum, count) => sum + count, 0), state.size);
  }));
});

Deno.test("words that there are not are refused by filters", () => {
  const state = fold(submitEvent(1n));
  const filters = [
    { status: "open" },
    { statusIn: ["done", "open"] },
    { orderBy: "created-asc" },
    { limit: -1 },
  ] as unknown as WorkflowFilter[];
  assert.throws(() => transitionEvent(1n, "Done" as "done"), /status "Done": must be one of/);
  for (const filter of filters) assert.throws(() => state.find(filter), /Cannot (query|use)/);
});

Deno.test("filters find what looking at every task finds", () => {
  const anyFilter: fc.Arbitrary<WorkflowFilter> = fc.record({
    idIn: rarely(fc.array(anyTask)),
    status: rarely(anyStatus),
    statusIn: rarely(fc.array(anyStatus)),
    isTerminal: rarely(fc.boolean()),
    isCancelRequested: rarely(fc.boolean()),
    parent: rarely(anyTask),
    within: rarely(anyTask),
    orderBy: rarely(fc.constantFrom("id-asc", "id-desc")),
    limit: rarely(fc.nat(4)),
  });
  fc.assert(fc.property(anyEvents, fc.array(anyFilter), (events, filters) => {
    const state = fold(...events);
    const rows = state.find();
    for (const filter of filters) {
      const { idIn, status, statusIn = [], isTerminal, isCancelRequested, parent, within } = filter;
      const below = within === undefined ? undefined : state.subtree(within);
      const all = rows.filter((task) =>
        (idIn?.includes(task.id) ?? true) && (below?.includes(task.id) ?? true) &&
        (status ?? task.status) === task.status &&
        (statusIn.length === 0 || statusIn.includes(task.status)) &&
        (isTerminal ?? isEnd(task.status)) === isEnd(task.status) &&
        (isCancelRequested ?? task.isCancelRequested) === task.isCancelRequested &&
        (parent === undefined || task.parent === parent)
      );
      if (filter.orderBy === "id-desc") all.reverse();
      assert.deepEqual(state.find(filter), all.slice(0, filter.limit ?? all.length));
      assert.equal(state.count(filter), all.length);
      assert.equal(state.first(filter)?.id, all.slice(0, filter.limit ?? all.length)[0]?.id);
    }
  }));
});

function isEnd(status: string): boolean {
  return status === "done" || status === "failed";
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}
