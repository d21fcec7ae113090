import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { MethodTable } from "../../../src/control/mod.ts";
import { dbMethods } from "../../../src/control/node/db_methods.ts";
import { startDb } from "../../services/log/db_kit.ts";

type Row = Record<string, unknown>;

async function startMethods() {
  const kit = await startDb();
  const table = new MethodTable();
  table.register(...dbMethods({ db: kit.db }));
  const told: Row[] = [];
  const call = async (name: string, params: Row = {}, signal = new AbortController().signal) =>
    await table.lookup(name)?.call(params, {
      transport: "unix",
      signal,
      progress: () => {},
      send: (data) => Promise.resolve(void told.push(data as Row)),
    }) as Row;
  const rows = async (name: string, params: Row = {}) => {
    told.length = 0;
    const { total } = await call(name, params);
    return { total, rows: told.flatMap((report) => (report.rows ?? []) as Row[]) };
  };
  const ids = async (name: string, params: Row = {}) =>
    (await rows(name, params)).rows.map(({ id }) => id);
  return { ...kit, call, told, rows, ids };
}

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("db.tasks methods add, change, list and remove", async () => {
  await using kit = await startMethods();
  const { call, ids } = kit;
  const added = await call("db.tasks.add", {
    rows: [{ title: "one" }, { id: "7", title: "seven" }, { title: "eight" }],
  });
  assert.deepEqual([added.ids, added.seq, added.count, added.token], [
    ["8", "7", "9"],
    2,
    3,
    "00000000000000ab:2",
  ]);
  await assert.rejects(
    call("db.tasks.add", { rows: [{ id: 7, title: "x" }] }),
    hasCode("conflict"),
  );
  await call("db.tasks.add", { rows: [{ id: 7, title: "again" }], replace: true, durable: true });
  const renamed = await call("db.tasks.rename", { id: 7, title: "seven" });
  assert.deepEqual([(renamed.row as Row).title, renamed.seq], ["seven", 4]);
  const { row } = await call("db.tasks.done", { id: "7" });
  assert.deepEqual([(row as Row).status, (row as Row).id], ["completed", "7"]);
  assert.deepEqual(await ids("db.tasks.ls", { where: ["status=pending"] }), ["8", "9"]);
  assert.deepEqual(await ids("db.tasks.ls", { where: ["title~E", "id>7"] }), ["8", "9"]);
  const page = await kit.rows("db.tasks.ls", { order: "id-desc", limit: 1 });
  assert.deepEqual([page.total, page.rows.map(({ id }) => id)], [3, ["9"]]);
  await assert.rejects(kit.rows("db.tasks.ls", { where: ["nonsense=1"] }), hasCode("usage"));
  assert.equal((await call("db.tasks.show", { id: 7 })).title, "seven");
  const { removed } = await call("db.tasks.rm", { id: 7 });
  assert.equal((removed as Row).title, "seven");
  for (const name of ["show", "rm", "done"]) {
    await assert.rejects(call(`db.tasks.${name}`, { id: 7 }), hasCode("not_found"));
  }
  await assert.rejects(call("db.tasks.show", { id: "18446744073709551616" }), hasCode("usage"));
  await assert.rejects(
    call("db.tasks.add", { rows: [{ id: "18446744073709551615", title: "last" }, { title: "x" }] }),
    hasCode("limit"),
  );
});

Deno.test("db readers wait for a token, at most so long", async () => {
  await using kit = await startMethods();
  const { call, clock } = kit;
  const { token } = await call("db.tasks.add", { rows: [{ title: "one" }] });
  assert.equal((await call("db.tasks.show", { id: 1, after: token })).title, "one");
  const late = assert.rejects(
    kit.rows("db.tasks.ls", { after: "00000000000000ab:9", timeout_ms: 100 }),
    hasCode("timeout"),
  );
  await clock.advance(200);
  await late;
  await assert.rejects(kit.rows("db.tasks.ls", { after: "x" }), hasCode("usage"));
  await assert.rejects(kit.rows("db.tasks.ls", { after: "0000000000000001:0" }), hasCode("usage"));
});

Deno.test("db.memories methods store, retag, pin, list and remove", async () => {
  await using kit = await startMethods();
  const { call, ids } = kit;
  const { ids: stored } = await call("db.memories.store", {
    rows: [{ content: "the key", tags: ["home", "keys"], source: "cli" }, { content: "milk" }],
  });
  assert.deepEqual(stored, ["1", "2"]);
  await call("db.memories.pin", { id: 1 });
  await call("db.memories.retag", { id: 2, tags: ["shop"] });
  assert.deepEqual(await ids("db.memories.ls", { where: ["pinned"] }), ["1"]);
  assert.deepEqual(await ids("db.memories.ls", { where: ["tag=home || tag=shop"] }), ["1", "2"]);
  assert.deepEqual(await ids("db.memories.ls", { where: ["content~KEY"] }), ["1"]);
  await call("db.memories.store", { rows: [{ id: 1, content: "another" }] });
  const memory = await call("db.memories.show", { id: 1 });
  assert.deepEqual([memory.content, memory.tags, memory.pinned], ["another", [], true]);
  await call("db.memories.unpin", { id: 1 });
  assert.equal((await call("db.memories.show", { id: 1 })).pinned, false);
  await call("db.memories.rm", { id: 1, durable: true });
  assert.deepEqual(await ids("db.memories.ls"), ["2"]);
});

Deno.test("db.workflow methods refuse what would have no effect", async () => {
  await using kit = await startMethods();
  const { call, ids } = kit;
  await call("db.workflow.submit");
  await call("db.workflow.submit", { parent: 1 });
  await call("db.workflow.submit", { id: 12, parent: 2 });
  await assert.rejects(call("db.workflow.submit", { id: 12 }), hasCode("conflict"));
  await assert.rejects(call("db.workflow.submit", { parent: 99 }), hasCode("not_found"));
  for (const word of ["start", "wait", "block", "start", "fail"]) {
    await call(`db.workflow.${word}`, { id: 12 });
  }
  await assert.rejects(call("db.workflow.start", { id: 12 }), hasCode("conflict"));
  await call("db.workflow.retry", { id: 12 });
  await call("db.workflow.advance", { id: 12 });
  await call("db.workflow.complete", { id: 12 });
  await assert.rejects(call("db.workflow.retry", { id: 12 }), hasCode("conflict"));
  await call("db.workflow.cancel", { id: 2 });
  await call("db.workflow.link", { parent: 1, child: 50 });
  const task = await call("db.workflow.show", { id: 12 });
  assert.deepEqual([task.status, task.step, task.parent], ["done", 1, "2"]);
  const { rows } = await call("db.workflow.tree", { id: 1 });
  assert.deepEqual((rows as Row[]).map(({ id, status }) => [id, status]), [
    ["1", "submitted"],
    ["2", "submitted"],
    ["50", null],
    ["12", "done"],
  ]);
  assert.deepEqual(await ids("db.workflow.ls", { where: ["!terminal"] }), ["1", "2"]);
  assert.deepEqual(await ids("db.workflow.ls", { where: ["cancelled"] }), ["2"]);
  assert.deepEqual(await ids("db.workflow.ls", { within: 2, order: "id-desc" }), ["12", "2"]);
  const { counts, total } = await call("db.workflow.counts");
  assert.deepEqual([(counts as Row).done, total], [1, 3]);
  const { tasks } = await call("db.workflow.rm", { id: 1 });
  assert.equal(tasks, 3);
  assert.deepEqual(await ids("db.workflow.ls"), []);
});

Deno.test("db.tasks.watch tells of what comes, changes and goes, over a restore", async () => {
  await using kit = await startMethods();
  const { call, told, clock } = kit;
  await call("db.tasks.add", { rows: [{ title: "one" }, { title: "two" }] });
  const bundle = await kit.db.snapshot();
  const caller = new AbortController();
  const where = ["status=pending"];
  const watching = call("db.tasks.watch", { where }, caller.signal);
  const changes = () =>
    told.flatMap((report) => (report.changes ?? []) as Row[])
      .map(({ change, id, title }) => `${change} ${id} ${title}`);
  assert.ok(await clock.advanceUntil(() => told.some(({ watching }) => watching === true), 1_000));
  assert.deepEqual(changes(), ["came 1 one", "came 2 two"]);
  told.length = 0;
  await call("db.tasks.rename", { id: 1, title: "uno" });
  assert.ok(await clock.advanceUntil(() => told.length > 0, 1_000));
  await call("db.tasks.done", { id: 2 });
  assert.ok(await clock.advanceUntil(() => told.length > 1, 1_000));
  assert.deepEqual(changes(), ["changed 1 uno", "went 2 two"]);
  told.length = 0;
  await kit.db.restore(bundle, true);
  assert.ok(await clock.advanceUntil(() => changes().length === 2, 1_000));
  assert.deepEqual(changes().sort(), ["came 2 two", "changed 1 one"]);
  const left = assert.rejects(watching, /left/);
  caller.abort(new Error("left"));
  await clock.advance(100);
  await left;
  const limited = await call("db.tasks.watch", { count: 1 });
  assert.equal(limited.told, 1);
});

Deno.test("db.snapshot methods write and read files, and db.stat tells of the collections", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using kit = await startMethods();
    const { call } = kit;
    await call("db.tasks.add", { rows: [{ title: "one" }] });
    const path = `${folder}/snapshot`;
    const saved = await call("db.snapshot.save", { path });
    assert.equal((await Deno.stat(path)).size, saved.bytes);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["snapshot"]);
    await assert.rejects(call("db.snapshot.save", { path }), hasCode("conflict"));
    await call("db.snapshot.save", { path, overwrite: true });
    await assert.rejects(
      call("db.snapshot.save", { path: `${folder}/no/such` }),
      hasCode("not_found"),
    );
    await assert.rejects(call("db.snapshot.load", { path }), hasCode("conflict"));
    await assert.rejects(call("db.snapshot.load", { path: `${folder}/no` }), hasCode("not_found"));
    const loaded = await call("db.snapshot.load", { path, replace: true });
    assert.deepEqual([loaded.ignored, (loaded.parts as Row[]).length], [[], 3]);
    const { collections } = await call("db.stat");
    assert.deepEqual(
      (collections as Row[]).map(({ name, rows, running, set_aside }) => [
        name,
        rows,
        running,
        set_aside,
      ]),
      [["tasks", 1, true, 0], ["memories", 0, true, 0], ["workflow", 0, true, 0]],
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
