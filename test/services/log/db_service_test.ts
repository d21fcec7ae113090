import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { startDb } from "./db_kit.ts";

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("DbService opens the database when it is first used, with all its models", async () => {
  await using kit = await startDb();
  assert.deepEqual(await kit.logs.names(), []);
  const { tasks, memories, workflow } = await kit.db.open();
  assert.deepEqual(await kit.logs.names(), ["cortex/memories", "cortex/tasks", "cortex/workflow"]);
  const token = tasks.create(7n, "buy milk");
  assert.equal(token.origin, kit.logs.origin);
  memories.store(1n, { content: "a" });
  workflow.submit(1n);
  assert.deepEqual([tasks.size, memories.size, workflow.size], [1, 1, 1]);
  assert.equal((await kit.db.open()).tasks, tasks);
});

Deno.test("DbService restores a bundle into an empty database, and replaces only when told to", async () => {
  await using source = await startDb();
  const from = await source.db.open();
  from.tasks.create(1n, "one");
  from.memories.store(2n, { content: "two", tags: ["t"] });
  from.workflow.submit(3n);
  const bundle = await source.db.snapshot();
  await using target = await startDb();
  const report = await target.db.restore(bundle, false);
  assert.deepEqual(report.parts.map(({ name, events }) => [name, events]), [
    ["tasks", 1],
    ["memories", 1],
    ["workflow", 1],
  ]);
  const { tasks, memories } = await target.db.open();
  assert.deepEqual([tasks.findUnique(1n)?.title, memories.findUnique(2n)?.tags], ["one", ["t"]]);
  const token = tasks.create(9n, "after it");
  assert.ok(tasks.pollToken(token), "takes new writes at once");
  await assert.rejects(target.db.restore(bundle, false), hasCode("conflict"));
  assert.equal((await target.db.open()).tasks.size, 2, "and is left alone");
  await target.db.restore(bundle, true);
  assert.equal((await target.db.open()).tasks.size, 1);
  await assert.rejects(target.db.restore(new Uint8Array([7, 7]), true), hasCode("integrity"));
  assert.equal((await target.db.open()).tasks.size, 1);
});

Deno.test("DbService goes on when one of its logs is removed", async () => {
  await using kit = await startDb();
  (await kit.db.open()).tasks.create(1n, "one");
  assert.equal(await kit.logs.remove("cortex/tasks"), true);
  const { tasks } = await kit.db.open();
  assert.equal(tasks.size, 0);
  tasks.create(2n, "two");
  assert.equal(tasks.size, 1);
});

Deno.test("DbService keeps rows whatever the node's logs may forget", async () => {
  await using kit = await startDb();
  const { tasks } = await kit.db.open();
  tasks.create(1n, "one");
  const { retention } = (await kit.logs.open("cortex/tasks")).stat();
  assert.deepEqual(retention, {});
});

Deno.test("DbService opens nothing once the node stops", async () => {
  const kit = await startDb();
  await kit[Symbol.asyncDispose]();
  await assert.rejects(kit.db.open(), hasCode("draining"));
});
