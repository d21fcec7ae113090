import assert from "node:assert/strict";
import fc from "fast-check";
import { PostcardWriter } from "../../../../src/base/mod.ts";
import {
  completeTaskEvent,
  createTaskEvent,
  createTaskModel,
  deleteTaskEvent,
  FoldDecodeError,
  renameTaskEvent,
  type Task,
  TASK_EVENTS,
  type TaskFilter,
} from "../../../../src/state/mod.ts";
import {
  anyId,
  anyText,
  anyTime,
  assertRestorable,
  foldInto,
  naiveContains,
  naiveFind,
  rarely,
  timedParts,
} from "../model_samples.ts";

const model = createTaskModel();
const fold = (...events: Parameters<typeof foldInto>[2]) => foldInto(model, model.create(), events);

const anyTaskEvent = fc.oneof(
  fc.tuple(anyId, anyText, anyTime).map((args) => createTaskEvent(...args)),
  fc.tuple(anyId, anyText, anyTime).map((args) => createTaskEvent(...args)),
  fc.tuple(anyId, anyText, anyTime).map((args) => renameTaskEvent(...args)),
  fc.tuple(anyId, anyTime).map((args) => completeTaskEvent(...args)),
  anyId.map(deleteTaskEvent),
);
const anyTaskFilter: fc.Arbitrary<TaskFilter> = fc.record({
  ...timedParts,
  status: rarely(fc.constantFrom("pending", "completed")),
  titleContains: rarely(anyText),
});

/** The rules of the page, one row at a time. */
class NaiveTasks {
  readonly tasks = new Map<bigint, Task>();

  create(id: bigint, title: string, nowNs: bigint): void {
    this.tasks.set(id, { id, title, status: "pending", createdNs: nowNs, updatedNs: nowNs });
  }

  change(id: bigint, fields: Partial<Task>): void {
    const task = this.tasks.get(id);
    if (task !== undefined) this.tasks.set(id, { ...task, ...fields });
  }
}

Deno.test("a task is created pending, renamed, completed and deleted", () => {
  const state = fold(createTaskEvent(1n, "a", 10n));
  assert.deepEqual(state.get(1n), {
    id: 1n,
    title: "a",
    status: "pending",
    createdNs: 10n,
    updatedNs: 10n,
  });
  foldInto(model, state, [renameTaskEvent(1n, "b", 11n), completeTaskEvent(1n, 12n)]);
  assert.deepEqual(state.get(1n), {
    id: 1n,
    title: "b",
    status: "completed",
    createdNs: 10n,
    updatedNs: 12n,
  });
  foldInto(model, state, [createTaskEvent(1n, "again", 13n)]);
  assert.equal(state.get(1n)?.status, "pending");
  assert.equal(state.get(1n)?.createdNs, 13n);
  foldInto(model, state, [deleteTaskEvent(1n)]);
  assert.equal(state.get(1n), undefined);
  assert.equal(state.size, 0);
});

Deno.test("changes of a task that is not there, and events of others, change nothing", () => {
  const state = model.create();
  const apply = (event: { readonly dispatch: number; readonly tail: Uint8Array }) =>
    model.apply(state, { ...event, seq: 0n, origin: 0n, appSeq: 0n });
  assert.equal(apply(renameTaskEvent(1n, "a", 1n)), false);
  assert.equal(apply(completeTaskEvent(1n, 1n)), false);
  assert.equal(apply(deleteTaskEvent(1n)), false);
  assert.equal(apply({ dispatch: 0x77, tail: Uint8Array.of(1) }), false);
  assert.equal(apply(createTaskEvent(1n, "a", 1n)), true);
});

Deno.test("rows are frozen, and the same object until the task changes", () => {
  const state = fold(createTaskEvent(1n, "a", 1n), createTaskEvent(2n, "b", 1n));
  const [first, second] = state.find();
  assert.ok(Object.isFrozen(first));
  foldInto(model, state, [renameTaskEvent(2n, "c", 2n)]);
  assert.equal(state.get(1n), first);
  assert.notEqual(state.get(2n), second);
  assert.equal(second?.title, "b");
});

Deno.test("tails that cannot be read are refused, and leave the state as it was", () => {
  const state = fold(createTaskEvent(1n, "a", 1n));
  const before = model.encode(state);
  const good = createTaskEvent(5n, "title", 2n ** 63n).tail;
  for (let length = 0; length < good.length; length++) {
    for (const dispatch of [TASK_EVENTS.create, TASK_EVENTS.rename]) {
      const event = { dispatch, tail: good.subarray(0, length) };
      assert.throws(() => foldInto(model, state, [event]), FoldDecodeError);
    }
  }
  const noUtf8 = new PostcardWriter().varint(1).byteVector(Uint8Array.of(0xff)).varint(1).finish();
  const event = { dispatch: TASK_EVENTS.create, tail: noUtf8 };
  assert.throws(() => foldInto(model, state, [event]), FoldDecodeError);
  assert.deepEqual(model.encode(state), before);
  // As the core: what is behind a tail is not looked at.
  foldInto(model, state, [{ dispatch: TASK_EVENTS.create, tail: Uint8Array.of(...good, 0xff) }]);
  assert.equal(state.size, 2);
});

Deno.test("decode() refuses states that were not written by anyone", () => {
  const row = (key: number, id: number, status: number) =>
    Uint8Array.of(1, key, id, 1, 0x61, status, 5, 6);
  assert.equal(model.decode(row(3, 3, 1)).get(3n)?.status, "completed");
  assert.throws(() => model.decode(row(3, 4, 1)), /under another id/);
  assert.throws(() => model.decode(row(3, 3, 2)), FoldDecodeError);
  assert.throws(() => model.decode(Uint8Array.of(0xff, 0xff, 0xff, 0x7f)), FoldDecodeError);
  assert.throws(() => model.decode(new Uint8Array(0)), FoldDecodeError);
});

Deno.test("bounds of times: the core's names include them, gt and lt do not", () => {
  const state = fold(...[1n, 2n, 3n].map((id) => createTaskEvent(id, "t", id)));
  const ids = (filter: TaskFilter) => state.find(filter).map(({ id }) => id);
  assert.deepEqual(ids({ createdAfterNs: 2n }), [2n, 3n]);
  assert.deepEqual(ids({ createdBeforeNs: 2n }), [1n, 2n]);
  assert.deepEqual(ids({ created: { gt: 2n } }), [3n]);
  assert.deepEqual(ids({ created: { lt: 2n } }), [1n]);
  assert.deepEqual(ids({ created: { gte: 2n, lte: 2n }, updatedAfterNs: 0n }), [2n]);
  assert.deepEqual(ids({ created: { gt: 2n ** 64n - 1n } }), []);
  assert.deepEqual(ids({ created: { lt: 0n } }), []);
  assert.deepEqual(ids({ created: { gte: -5n, lte: 2n ** 70n } }), [1n, 2n, 3n]);
});

Deno.test("an order and a limit that there are not are refused", () => {
  const state = fold(createTaskEvent(1n, "a", 1n));
  for (const limit of [-1, 0.5, NaN]) assert.throws(() => state.find({ limit }), /limit is/);
  const orderBy = "title-asc" as "id-asc";
  assert.throws(() => state.find({ orderBy }), /order "title-asc": must be one of id-asc,/);
  // The core's own word: it must not look like a filter that finds nothing.
  const status = "Completed" as "completed";
  assert.throws(
    () => state.count({ status }),
    /status "Completed": must be one of pending, completed/,
  );
});

Deno.test("a condition of the user's own may query the same state", () => {
  const state = fold(...[5n, 3n, 4n].map((id) => createTaskEvent(id, `t${id}`, id)));
  const found = state.find({
    matching: ({ id }) => state.find({ created: { gt: id } }).length === 1,
    orderBy: "id-desc",
  });
  assert.deepEqual(found.map(({ id }) => id), [4n]);
});

Deno.test("filters, orders and limits find what looking at every task finds", () => {
  const drawn = fc.array(anyTaskEvent, { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(drawn, fc.array(anyTaskFilter, { maxLength: 8 }), (events, filters) => {
      const state = fold(...events);
      const rows = state.find();
      for (const filter of filters) {
        const { all, found } = naiveFind(
          rows,
          filter,
          (task) =>
            (filter.status === undefined || task.status === filter.status) &&
            naiveContains(task.title, filter.titleContains ?? ""),
        );
        assert.deepEqual(state.find(filter), found);
        assert.equal(state.count(filter), all.length);
        assert.deepEqual(state.first(filter), found[0]);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a fold is what its rules say, and goes on from any snapshot", () => {
  fc.assert(
    fc.property(
      fc.array(anyTaskEvent, { maxLength: 60, size: "max" }),
      fc.nat(60),
      (events, cut) => {
        assertRestorable(model, events, cut);
        const naive = new NaiveTasks();
        for (const { dispatch, tail } of events) applyNaively(naive, dispatch, tail);
        const rows = naiveFind(naive.tasks.values(), {}, () => true).found;
        assert.deepEqual(fold(...events).find(), rows);
        for (const row of rows) assert.deepEqual(fold(...events).get(row.id), row);
      },
    ),
  );
});

/** Reads an event by the page, with bigints. */
function applyNaively(naive: NaiveTasks, dispatch: number, tail: Uint8Array): void {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = tail[at++] ?? assert.fail();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const id = varint();
  if (dispatch === TASK_EVENTS.delete) return void naive.tasks.delete(id);
  if (dispatch === TASK_EVENTS.complete) {
    return naive.change(id, { status: "completed", updatedNs: varint() });
  }
  const length = Number(varint());
  const title = new TextDecoder().decode(tail.subarray(at, at + length));
  at += length;
  if (dispatch === TASK_EVENTS.create) naive.create(id, title, varint());
  else naive.change(id, { title, updatedNs: varint() });
}
