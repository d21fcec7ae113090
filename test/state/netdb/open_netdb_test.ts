import assert from "node:assert/strict";
import {
  encodeEvent,
  NetDbError,
  openNetDb,
  openNetDbFromSnapshot,
} from "../../../src/state/mod.ts";
import { createTaskEvent, TASKS_CHANNEL } from "../../../src/state/mod.ts";
import { createBench, notes, ORIGIN, take } from "./bench.ts";

Deno.test("a database has the models and collections that were asked for", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using all = await openNetDb(deps, { origin: ORIGIN, collections: { notes } });
  assert.deepEqual(all.channels, [
    "cortex/tasks",
    "cortex/memories",
    "cortex/workflow",
    "netdb/notes",
  ]);
  const options = { origin: ORIGIN, models: ["memories"] } as const;
  await using some = await openNetDb(deps, options);
  assert.equal(some.tasks, undefined);
  assert.equal(some.memories.size, 0);
  assert.deepEqual(some.channels, ["cortex/memories"]);
});

Deno.test("a database without any model is refused", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await assert.rejects(
    async () => await openNetDb(deps, { origin: ORIGIN, models: [] }),
    (error) => error instanceof NetDbError && error.kind === "no_models",
  );
  const one = { ...notes, channel: "cortex/tasks" };
  await assert.rejects(
    async () => await openNetDb(deps, { origin: ORIGIN, collections: { one } }),
    /another part has channel "cortex\/tasks"/,
  );
});

Deno.test("writes give a token, and the rows have them at once", async () => {
  const { redex, deps, clock } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN });
  const token = db.tasks.create(1n, "water");
  assert.deepEqual(token, { origin: ORIGIN, seq: 0n });
  assert.ok(db.tasks.pollToken(token));
  await db.tasks.waitForToken(token, 0);
  const nowNs = BigInt(Math.floor(clock.wallMs())) * 1_000_000n;
  assert.deepEqual(db.tasks.findUnique(1n), {
    id: 1n,
    title: "water",
    status: "pending",
    createdNs: nowNs,
    updatedNs: nowNs,
  });
  db.tasks.rename(1n, "water well", 5n);
  db.tasks.complete(1n, 6n);
  assert.equal(db.tasks.findFirst({ status: "completed" })?.title, "water well");
  db.tasks.delete(1n);
  assert.equal(db.tasks.exists(), false);
  db.memories.store(1n, { content: "it rained", tags: ["weather"] });
  db.memories.pin(1n);
  db.memories.retag(1n, ["rain"]);
  assert.equal(db.memories.count({ tag: "rain", isPinned: true }), 1);
  db.memories.unpin(1n);
  db.memories.delete(1n);
  assert.equal(db.memories.size, 0);
});

Deno.test("a workflow fans out, joins once, and acts on triggers", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN, models: ["workflow"] });
  const { workflow } = db;
  workflow.submit(1n);
  const { group } = workflow.fanOut(1n, 3, 2n);
  assert.deepEqual(workflow.subtree(1n), [1n, ...group.shards]);
  assert.deepEqual(workflow.tryJoin(group), { kind: "pending", open: 3 });
  for (const shard of group.shards) {
    workflow.start(shard);
    workflow.complete(shard);
  }
  assert.equal(workflow.tryJoin(group).kind, "submitted");
  assert.equal(workflow.tryJoin(group).kind, "already_submitted");
  workflow.act({ kind: "start", id: 2n });
  workflow.wait(2n);
  workflow.block(2n);
  workflow.fail(2n);
  workflow.retry(2n);
  workflow.advance(2n);
  workflow.requestCancel(2n);
  workflow.link(2n, 9n);
  assert.deepEqual(workflow.findUnique(2n), {
    id: 2n,
    step: 1,
    status: "running",
    attempts: 0,
    isCancelRequested: true,
    children: [9n],
    parent: undefined,
  });
  assert.equal(workflow.isCancelRequested(2n), true);
  assert.deepEqual(workflow.statusCounts().done, 3);
  workflow.delete(1n);
  assert.equal(workflow.size, 1);
});

Deno.test("a query is put together piece by piece, and no piece changes the ones before", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN });
  for (let id = 1n; id <= 5n; id++) db.tasks.create(id, `task ${id}`, 10n - id);
  db.tasks.complete(3n, 20n);
  const pending = db.tasks.query().where({ status: "pending" });
  const newest = pending.orderBy("created-desc").limit(2);
  assert.deepEqual(newest.collect().map(({ id }) => id), [1n, 2n]);
  assert.equal(newest.first()?.id, 1n);
  assert.equal(newest.count(), 4);
  assert.equal(pending.where({ titleContains: "5" }).exists(), true);
  assert.equal(pending.where({ status: "completed" }).first()?.id, 3n);
  assert.equal(pending.collect().length, 4);
  assert.deepEqual((await take(newest.watch(), 1))[0]?.length, 2);
});

Deno.test("a filter with a part that there is not is refused", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN, collections: { notes } });
  const { tasks, memories, workflow, collections } = db;
  // The core's own word for isPinned; a program in JavaScript would get every memory.
  const filter = { pinned: true } as object;
  for (const collection of [tasks, memories, workflow, collections.notes]) {
    assert.throws(() => collection.findMany(filter), /have no part "pinned"/);
    assert.throws(() => collection.count(filter), /have no part "pinned"/);
  }
});

Deno.test("a live query gives the rows now, and again when they differ", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN });
  db.tasks.create(1n, "fox", 1n);
  const seen = take(db.tasks.watch({ titleContains: "fox" }), 3);
  const { snapshot, changes } = db.tasks.snapshotAndWatch({ titleContains: "fox" });
  const later = take(changes, 1);
  assert.deepEqual(snapshot.map(({ id }) => id), [1n]);
  await settle();
  db.tasks.create(2n, "dog", 1n);
  // The same content again is no difference.
  db.tasks.create(1n, "fox", 1n);
  await settle();
  db.tasks.create(3n, "fox too", 1n);
  await settle();
  db.tasks.delete(1n);
  const counts = (await seen).map((rows) => rows.map(({ id }) => id));
  assert.deepEqual(counts, [[1n], [1n, 3n], [3n]]);
  assert.deepEqual((await later)[0]?.map(({ id }) => id), [1n, 3n]);
});

Deno.test("a reader may change the rows it was given, and misses nothing by that", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN });
  db.tasks.create(1n, "a", 1n);
  db.tasks.create(2n, "b", 1n);
  const { snapshot, changes } = db.tasks.snapshotAndWatch();
  const iterator = changes[Symbol.asyncIterator]();
  snapshot.pop();
  db.tasks.delete(2n);
  const first = await iterator.next();
  assert.deepEqual(first.value?.map(({ id }: { id: bigint }) => id), [1n]);
  first.value?.pop();
  db.tasks.delete(1n);
  assert.deepEqual((await iterator.next()).value, []);
  await iterator.return?.();
  assert.equal((await iterator.next()).done, true);
});

Deno.test("a live query that cannot be asked says so to its reader", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN });
  await assert.rejects(take(db.tasks.watch({ limit: -1 }), 1), /limit is -1/);
});

Deno.test("a bundle holds what was appended before it, also by others and not yet folded", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN, collections: { notes } });
  db.collections.notes.put(1n, { text: "a" });
  const file = redex.get(TASKS_CHANNEL) ?? assert.fail();
  for (let id = 0n; id < 700n; id++) {
    const { dispatch, tail } = createTaskEvent(id, "by another", id);
    file.append(encodeEvent({ dispatch, flags: 0, origin: 9n, appSeq: id }, tail));
  }
  assert.ok(db.tasks.size < 700);
  const bundle = await db.snapshot();
  assert.equal(db.tasks.size, 700);
  const fresh = createBench();
  await using _fresh = fresh.redex;
  const options = { origin: ORIGIN, collections: { notes } };
  await using again = await openNetDbFromSnapshot(fresh.deps, options, bundle);
  assert.deepEqual(again.tasks.findMany(), db.tasks.findMany());
  assert.deepEqual(again.collections.notes.findMany(), db.collections.notes.findMany());
  assert.deepEqual(await again.snapshot(), bundle);
});

Deno.test("a bundle goes on with what the log has behind it", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  const options = { origin: ORIGIN, models: ["tasks"] } as const;
  let bundle: Uint8Array;
  {
    await using db = await openNetDb(deps, options);
    db.tasks.create(1n, "before", 1n);
    bundle = await db.snapshot();
    db.tasks.create(2n, "after", 2n);
  }
  await using db = await openNetDbFromSnapshot(deps, options, bundle);
  assert.deepEqual(db.tasks.findMany().map(({ title }) => title), ["before", "after"]);
});

Deno.test("a closed database can be read, not written, and takes no snapshot", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  const db = await openNetDb(deps, { origin: ORIGIN });
  db.tasks.create(1n, "a", 1n);
  await db.close();
  await db.close();
  assert.equal(db.tasks.size, 1);
  assert.throws(() => db.tasks.create(2n, "b", 1n), /adapter closed/);
  await assert.rejects(
    async () => await db.snapshot(),
    (error) =>
      error instanceof NetDbError &&
      error.message === "cortex: snapshot cortex/tasks: it is closed",
  );
});

Deno.test("an event that cannot be read is set aside, and the database goes on", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN });
  const token = db.tasks.adapter.append(0x01, Uint8Array.of(9));
  assert.ok(db.tasks.pollToken(token));
  assert.equal(db.tasks.adapter.setAsideTotal, 1);
  db.tasks.create(1n, "a", 1n);
  assert.equal(db.tasks.size, 1);
  await db.snapshot();
});

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
