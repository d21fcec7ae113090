import assert from "node:assert/strict";
import fc from "fast-check";
import {
  advanceEvent,
  createWorkflowModel,
  linkEvent,
  type ModelEvent,
  type NetDbError,
  openNetDb,
  requestCancelEvent,
  restoreNetDb,
  retryEvent,
  submitEvent,
  transitionEvent,
  WORKFLOW_STATUSES,
} from "../../../src/state/mod.ts";
import {
  memoryEvents,
  taskEvents,
  workflowEvents,
} from "../../../src/state/netdb/restore_events.ts";
import { createMemoryModel, createTaskModel } from "../../../src/state/mod.ts";
import { foldInto } from "../models/model_samples.ts";
import { createBench, notes, ORIGIN } from "./bench.ts";

const options = { origin: ORIGIN, collections: { notes } };

/** A database with something of everything, as a bundle. */
async function bundleOfAll(): Promise<Uint8Array> {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, options);
  db.tasks.create(1n, "a", 1n);
  db.tasks.create(2n, "b", 2n);
  db.tasks.rename(2n, "c", 3n);
  db.tasks.complete(1n, 9n);
  db.memories.store(1n, { content: "m", tags: ["t"] }, 4n);
  db.memories.pin(1n, 5n);
  db.workflow.submit(1n);
  db.workflow.advance(1n);
  db.workflow.fail(1n);
  db.collections.notes.put(1n, { text: "n", at: 2n ** 70n });
  return await db.snapshot();
}

Deno.test("a restored database has the rows, takes writes at once, and opens without the bundle", async () => {
  const bundle = await bundleOfAll();
  const { redex, deps } = createBench();
  await using _ = redex;
  const { db, report } = await restoreNetDb(deps, options, bundle);
  assert.deepEqual(report, {
    parts: [
      { name: "tasks", channel: "cortex/tasks", events: 4 },
      { name: "memories", channel: "cortex/memories", events: 2 },
      { name: "workflow", channel: "cortex/workflow", events: 3 },
      { name: "notes", channel: "netdb/notes", events: 1 },
    ],
    ignored: [],
  });
  assert.deepEqual(db.tasks.findMany().map(({ title, updatedNs }) => [title, updatedNs]), [
    ["a", 9n],
    ["c", 3n],
  ]);
  const token = db.tasks.create(3n, "new", 10n);
  assert.ok(db.tasks.pollToken(token));
  assert.equal(db.tasks.size, 3);
  const rows = (from: typeof db) => [
    from.tasks.findMany(),
    from.memories.findMany(),
    from.workflow.findMany(),
    from.collections.notes.findMany(),
  ];
  const restored = rows(db);
  await db.close();
  await using again = await openNetDb(deps, options);
  assert.deepEqual(rows(again), restored);
});

Deno.test("a restore into logs with events is refused, or replaces all of them", async () => {
  const bundle = await bundleOfAll();
  const { redex, deps } = createBench();
  await using _ = redex;
  const first = await openNetDb(deps, options);
  first.tasks.create(77n, "there before", 1n);
  first.memories.store(77n, { content: "there before" }, 1n);
  await first.close();
  await assert.rejects(
    async () => await restoreNetDb(deps, options, bundle),
    (error: NetDbError) =>
      error.kind === "populated" && error.code === "conflict" &&
      error.message === "netdb: restore: cortex/tasks has events already",
  );
  const { db } = await restoreNetDb(deps, { ...options, isReplacing: true }, bundle);
  assert.deepEqual(db.tasks.findMany().map(({ id }) => id), [1n, 2n]);
  assert.deepEqual(db.memories.findMany().map(({ id }) => id), [1n]);
  await db.close();
});

Deno.test("a bundle that cannot be read touches nothing", async () => {
  const bundle = await bundleOfAll();
  const { redex, deps } = createBench();
  await using _ = redex;
  const first = await openNetDb(deps, options);
  first.tasks.create(77n, "there before", 1n);
  await first.close();
  const replacing = { ...options, isReplacing: true };
  for (const bytes of [bundle.subarray(0, 20), Uint8Array.of(1, 4, 1, 2, 1, 2, 0, 0)]) {
    await assert.rejects(
      async () => await restoreNetDb(deps, replacing, bytes),
      /^NetError: netdb: /,
    );
  }
  await using db = await openNetDb(deps, options);
  assert.equal(db.tasks.size, 1);
});

Deno.test("parts of a bundle that were not asked for are named and left out", async () => {
  const bundle = await bundleOfAll();
  const { redex, deps } = createBench();
  await using _ = redex;
  const wanted = { origin: ORIGIN, models: ["tasks"] } as const;
  const { db, report } = await restoreNetDb(deps, wanted, bundle);
  assert.deepEqual(report.ignored, ["cortex/memories", "cortex/workflow", "netdb/notes"]);
  assert.deepEqual(await redex.names(), ["cortex/tasks"]);
  await db.close();
});

Deno.test("the events of a workflow lead to the same tasks, links and cancels", () => {
  const task = fc.bigInt({ min: 0n, max: 5n });
  const anyEvent: fc.Arbitrary<ModelEvent> = fc.oneof(
    task.map(submitEvent),
    fc.tuple(task, fc.constantFrom(...WORKFLOW_STATUSES)).map((args) => transitionEvent(...args)),
    task.map(advanceEvent),
    task.map(retryEvent),
    task.map(requestCancelEvent),
    fc.tuple(task, task).map((args) => linkEvent(...args)),
  );
  const model = createWorkflowModel();
  fc.assert(fc.property(fc.array(anyEvent, { maxLength: 50, size: "max" }), (events) => {
    const state = foldInto(model, model.create(), events);
    const again = foldInto(model, model.create(), [...workflowEvents(state)]);
    assert.deepEqual(again.find(), state.find());
    assert.deepEqual(model.encode(again), model.encode(state));
  }));
  const busy = model.decode(Uint8Array.of(1, 1, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0));
  assert.throws(() => [...workflowEvents(busy)], /2097151 steps and attempts/);
});

Deno.test("the events of a snapshot lead to the same tasks and memories", () => {
  const tasks = createTaskModel();
  // Updated before it was created, as clocks may have it; and a pin at the time of the creation.
  const state = tasks.decode(Uint8Array.of(2, 1, 1, 1, 0x61, 1, 9, 3, 2, 2, 0, 0, 5, 5));
  assert.deepEqual(
    foldInto(tasks, tasks.create(), [...taskEvents(state)]).find(),
    state.find(),
  );
  const memories = createMemoryModel();
  const kept = memories.decode(
    Uint8Array.of(2, 1, 1, 1, 0x61, 1, 1, 0x74, 0, 4, 4, 1, 2, 2, 0, 0, 0, 4, 6, 0),
  );
  assert.deepEqual(
    foldInto(memories, memories.create(), [...memoryEvents(kept)]).find(),
    kept.find(),
  );
});
