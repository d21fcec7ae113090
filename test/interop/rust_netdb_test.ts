/** Our models and databases beside the Rust core's: the same events, filters, bundles and folders. */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { systemClock, systemDisk } from "../../src/base/mod.ts";
import { openRedex } from "../../src/log/mod.ts";
import {
  createMemoryModel,
  createTaskModel,
  defineCollection,
  type MemoryFilter,
  openMemories,
  openNetDb,
  openNetDbFromSnapshot,
  openTasks,
  restoreNetDb,
  ROW_ORDERS,
  type RowState,
  type TaskFilter,
} from "../../src/state/mod.ts";
import { assertSameState, call, draw, ORIGIN, replay, startPeer, test } from "./netdb_peer.ts";
import type { PeerCall, PeerRow } from "./netdb_peer_process.ts";

const clock = systemClock;
const notes = defineCollection({ name: "notes", schema: v.object({ text: v.string() }) });
const id = fc.bigInt({ min: 0n, max: 12n });
const time = fc.oneof(
  { arbitrary: fc.bigInt({ min: 0n, max: 40n }), weight: 5 },
  { arbitrary: fc.constantFrom(2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n), weight: 1 },
);
const text = fc.constantFrom("", "Fox", "the fOX", "STRASSE", "Straße", "ΣΊΣΥΦΟΣ", "K", "K", "İ");
const tags = fc.array(fc.constantFrom("a", "b", "B", "c", ""), { maxLength: 3 });
/** Mostly not there: with all parts at once a filter finds nothing. */
const optional = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary, weight: 1 }, { arbitrary: fc.constant(undefined), weight: 3 });

const times = {
  createdAfterNs: optional(time),
  createdBeforeNs: optional(time),
  updatedAfterNs: optional(time),
  updatedBeforeNs: optional(time),
};
/** Without an order the core's is any; ours is that of ids, which `IdAsc` asks for. */
const orderBy = fc.constantFrom("id-asc", "id-desc" as const);
const limit = optional(fc.integer({ min: 0, max: 8 }));

/** A filter in the core's words. */
function coreFilter(filter: TaskFilter & MemoryFilter): object {
  const { orderBy: order = "id-asc", status, isPinned, ...rest } = filter;
  const defined = Object.entries({ ...rest, pinned: isPinned }).filter(([, part]) =>
    part !== undefined
  );
  const [column = "", direction = ""] = order.split("-").map((word) =>
    word.charAt(0).toUpperCase() + word.slice(1)
  );
  return {
    ...Object.fromEntries(defined),
    ...(status === undefined ? {} : { status: status === "pending" ? "Pending" : "Completed" }),
    orderBy: column + direction,
  };
}

function assertSameFound<Row extends { readonly id: bigint }, Filter>(
  state: RowState<Row, Filter>,
  filters: readonly Filter[],
  found: readonly (readonly string[])[],
): void {
  for (const [at, filter] of filters.entries()) {
    assert.deepEqual(state.find(filter).map((row) => String(row.id)), found[at], show(filter));
  }
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}n` : part);
}

test("tasks become what they become in the core, and filters find the same", async () => {
  const calls = draw(
    fc.oneof(
      call("create", id, text, time),
      call("create", id, text, time),
      call("rename", id, text, time),
      call("complete", id, time),
      call("delete", id),
    ),
    400,
  );
  const filters = draw(
    fc.record({
      ...times,
      status: optional(fc.constantFrom("pending", "completed" as const)),
      titleContains: optional(text),
      orderBy,
      limit,
    }),
    300,
  );
  await using peer = startPeer();
  const theirs = await peer.call("fold", {
    adapter: "tasks",
    calls,
    filters: filters.map(coreFilter),
  });
  await using redex = openRedex({ clock });
  await using tasks = await openTasks({ redex, clock }, { origin: ORIGIN });
  replay(tasks, calls);
  assert.equal(tasks.adapter.appliedSeq, theirs.lastSeq);
  assertSameState(createTaskModel(), tasks.adapter.state, theirs.stateBytes);
  assertSameFound(tasks.adapter.state, filters, theirs.found);
  assert.ok(theirs.found.some((ids) => ids.length > 2));
});

test("memories become what they become in the core, and filters find the same", async () => {
  const calls = draw(
    fc.oneof(
      call("store", id, text, tags, fc.constantFrom("s", "t"), time),
      call("store", id, text, tags, fc.constantFrom("s", "t"), time),
      call("retag", id, tags, time),
      call("pin", id, time),
      call("unpin", id, time),
      call("delete", id),
    ),
    400,
  );
  const filters = draw(
    fc.record({
      ...times,
      source: optional(fc.constantFrom("s", "t", "")),
      contentContains: optional(text),
      tag: optional(fc.constantFrom("a", "b", "B")),
      anyTag: optional(tags),
      allTags: optional(tags),
      isPinned: optional(fc.boolean()),
      orderBy,
      limit,
    }),
    300,
  );
  await using peer = startPeer();
  const theirs = await peer.call("fold", {
    adapter: "memories",
    calls,
    filters: filters.map(coreFilter),
  });
  await using redex = openRedex({ clock });
  await using memories = await openMemories({ redex, clock }, { origin: ORIGIN });
  replay(memories, calls);
  assertSameState(createMemoryModel(), memories.adapter.state, theirs.stateBytes);
  assertSameFound(memories.adapter.state, filters, theirs.found);
  assert.ok(theirs.found.some((ids) => ids.length > 2));
});

test("rows are in the core's order by any of their times", async () => {
  const calls = draw(fc.shuffledSubarray(Array.from({ length: 40 }, (_, at) => at)), 1)[0]?.map(
    (at, place): PeerCall => ["create", [BigInt(at), "x", BigInt(place * 7 % 41)]],
  ) ?? [];
  const changes = calls.map(([, [task]], at): PeerCall => ["complete", [task, BigInt(at)]]);
  const filters = ROW_ORDERS.flatMap((order) => [{ orderBy: order }, { orderBy: order, limit: 5 }]);
  await using peer = startPeer();
  const all = [...calls, ...changes];
  const theirs = await peer.call("fold", {
    adapter: "tasks",
    calls: all,
    filters: filters.map(coreFilter),
  });
  await using redex = openRedex({ clock });
  await using tasks = await openTasks({ redex, clock }, { origin: ORIGIN });
  replay(tasks, all);
  assertSameFound(tasks.adapter.state, filters, theirs.found);
});

const TASK_CALLS: readonly PeerCall[] = [
  ["create", [5n, "only", 123n]],
  ["create", [2n ** 64n - 1n, "Straße", 2n ** 64n - 1n]],
  ["complete", [5n, 124n]],
];
const MEMORY_CALLS: readonly PeerCall[] = [
  ["store", [9n, "mem", ["t1", "t2"], "src", 456n]],
  ["pin", [9n, 457n]],
];

/** Rows of the core by id, in our words. */
function ourTasks(rows: readonly PeerRow[]): unknown[] {
  return byId(rows).map(({ status, ...row }) => ({ ...row, status: String(status).toLowerCase() }));
}

function ourMemories(rows: readonly PeerRow[]): unknown[] {
  return byId(rows).map(({ pinned, ...row }) => ({ ...row, isPinned: pinned }));
}

function byId(rows: readonly PeerRow[]): readonly PeerRow[] {
  return rows.toSorted((a, b) => Number(BigInt(String(a.id)) - BigInt(String(b.id))));
}

test("a bundle of ours opens in the core, whatever else is in it, and one of the core in ours", async () => {
  await using peer = startPeer();
  await using redex = openRedex({ clock });
  const options = { origin: ORIGIN, collections: { notes } };
  await using db = await openNetDb({ redex, clock }, options);
  replay(db.tasks, TASK_CALLS);
  replay(db.memories, MEMORY_CALLS);
  db.workflow.submit(1n);
  db.collections.notes.put(1n, { text: "only ours" });
  const bundle = await db.snapshot();
  const theirs = await peer.call("database", { bundle });
  assert.deepEqual(ourTasks(theirs.tasks), db.tasks.findMany());
  assert.deepEqual(ourMemories(theirs.memories), db.memories.findMany());

  await using fresh = openRedex({ clock });
  await using again = await openNetDbFromSnapshot({ redex: fresh, clock }, options, theirs.bundle);
  assert.deepEqual(again.tasks.findMany(), db.tasks.findMany());
  assert.deepEqual(again.memories.findMany(), db.memories.findMany());
  assert.equal(again.collections.notes.size, 0);
});

test("a bundle of tasks and memories alone is the core's byte for byte", async () => {
  await using peer = startPeer();
  await using redex = openRedex({ clock });
  const options = { origin: ORIGIN, models: ["tasks", "memories"] } as const;
  await using db = await openNetDb({ redex, clock }, options);
  assert.deepEqual(await db.snapshot(), (await peer.call("database", {})).bundle);
  const [tasks, memories] = [TASK_CALLS.slice(0, 1), MEMORY_CALLS];
  replay(db.tasks, tasks);
  replay(db.memories, memories);
  assert.deepEqual(await db.snapshot(), (await peer.call("database", { tasks, memories })).bundle);
});

test("a folder written by either opens in the other, and goes on", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const options = { origin: ORIGIN, isPersistent: true } as const;
    const open = () => openRedex({ clock, disk: systemDisk }, { folder });
    await using peer = startPeer();
    const first = await peer.call("database", {
      folder,
      tasks: TASK_CALLS,
      memories: MEMORY_CALLS,
    });
    {
      await using redex = open();
      await using db = await openNetDb({ redex, clock }, options);
      assert.deepEqual(db.tasks.findMany(), ourTasks(first.tasks));
      assert.deepEqual(db.memories.findMany(), ourMemories(first.memories));
      db.tasks.create(77n, "ours", 500n);
      db.memories.unpin(9n, 501n);
    }
    const second = await peer.call("database", {
      folder,
      tasks: [["create", [78n, "theirs", 502n]]],
    });
    assert.equal(second.tasks.length, first.tasks.length + 2);
    await using redex = open();
    await using db = await openNetDb({ redex, clock }, options);
    assert.deepEqual(db.tasks.findMany(), ourTasks(second.tasks));
    assert.deepEqual(db.memories.findMany(), ourMemories(second.memories));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("a folder that was restored from a bundle of the core is one like any other to the core", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using peer = startPeer();
    const source = await peer.call("database", { tasks: TASK_CALLS, memories: MEMORY_CALLS });
    {
      await using redex = openRedex({ clock, disk: systemDisk }, { folder });
      const options = { origin: ORIGIN, isPersistent: true } as const;
      const { db } = await restoreNetDb({ redex, clock }, options, source.bundle);
      db.tasks.create(1n, "new at once", 600n);
      await db.close();
    }
    const restored = await peer.call("database", { folder });
    assert.equal(restored.tasks.length, source.tasks.length + 1);
    const kept = byId(restored.tasks).filter((row) => row.id !== 1n);
    assert.deepEqual(kept, byId(source.tasks));
    assert.deepEqual(byId(restored.memories), byId(source.memories));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
