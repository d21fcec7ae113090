import assert from "node:assert/strict";
import * as v from "valibot";
import {
  defineCollection,
  defineFold,
  NetError,
  postcardCodec,
  startNode,
  type StartNodeOptions,
  toText,
} from "../../src/mod.ts";

const start = (options: StartNodeOptions = {}) =>
  startNode({ listen: "127.0.0.1:0", traversal: false, ...options });

const counter = defineFold({
  channel: "demo/counter",
  state: () => ({ total: 0 }),
  events: {
    added: {
      dispatch: 0x80,
      data: postcardCodec({ amount: "u32" }),
      apply: (state, { amount }) => void (state.total += amount),
    },
  },
});

Deno.test("log() appends, reads and follows", async () => {
  await using node = await start();
  const log = await node.log("room/lobby");
  const { first, last, token } = await log.append(["one", new Uint8Array([0xff])]);
  assert.deepEqual([first, last, token.seq], [0n, 1n, 1n]);
  await assert.rejects(log.append("two", { expected: 7n }), { code: "conflict" });
  assert.equal(toText((await log.read(0n))?.payload ?? new Uint8Array(0)), "one");
  assert.equal(await log.read(9n), undefined);
  const controller = new AbortController();
  const seen: bigint[] = [];
  const following = (async () => {
    for await (const item of log.events({ follow: true, signal: controller.signal })) {
      seen.push(item.kind === "event" ? item.seq : -1n);
      if (seen.length === 2) await log.append("three");
      if (seen.length === 3) controller.abort(new Error("enough"));
    }
  })();
  await assert.rejects(following, /enough/);
  assert.deepEqual(seen, [0n, 1n, 2n]);
  const lastOne = await Array.fromAsync(log.events({ from: { last: 1 } }));
  assert.deepEqual(lastOne.map((item) => item.kind === "event" && item.seq), [2n]);
  const between = await Array.fromAsync(log.events({ from: 1n, to: 2n }));
  assert.equal(between.length, 1);
  assert.deepEqual(await Array.fromAsync(log.events({ from: "end" })), []);
  assert.equal((await Array.fromAsync(log.events({ from: { since: new Date(0) } }))).length, 3);
  await log.sync();
  assert.equal((await log.stat()).events, 3);
});

Deno.test("log() says how a log is kept, and what retention took is told", async () => {
  await using node = await start();
  const log = await node.log("room/lobby", { retention: { eventsMax: 2 } });
  await log.append(["1", "2", "3", "4"]);
  await node.core.logs.compact("room/lobby");
  const items = await Array.fromAsync(log.events({ from: 0n }));
  assert.deepEqual(
    items.map((item) => item.kind === "event" ? item.seq : `${item.from} to ${item.to}`),
    ["0 to 1", 2n, 3n],
  );
  await assert.rejects(node.log("No Name"), (error) => error instanceof NetError);
});

Deno.test("what follows a log ends with the node", async () => {
  const node = await start();
  const log = await node.log("room/lobby");
  const following = Array.fromAsync(log.events({ follow: true }));
  following.catch(() => {});
  await node.close();
  await assert.rejects(following, { code: "not_running" });
  await assert.rejects(node.log("room/lobby"), { code: "not_running" });
  await assert.rejects(node.fold(counter), { code: "not_running" });
  await assert.rejects(node.db(), { code: "not_running" });
});

Deno.test("a fold and a database are there again with the data folder", async () => {
  const dataDir = await Deno.makeTempDir();
  const notes = defineCollection({ name: "notes", schema: v.object({ text: v.string() }) });
  const options = { models: ["tasks"], collections: { notes } } as const;
  try {
    {
      await using node = await start({ dataDir });
      const fold = await node.fold(counter);
      fold.append.added({ amount: 40 });
      const db = await node.db(options);
      db.tasks.create(1n, "water the plants");
      db.collections.notes.put(1n, { text: "they like it dry" });
    }
    await using node = await start({ dataDir });
    await using fold = await node.fold(counter);
    fold.append.added({ amount: 2 });
    assert.equal(fold.state.total, 42);
    await using db = await node.db(options);
    assert.equal(db.tasks.findUnique(1n)?.title, "water the plants");
    assert.equal(db.collections.notes.findUnique(1n)?.text, "they like it dry");
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a snapshot of one node's database fills another node's logs, once or in their place", async () => {
  const notes = defineCollection({ name: "notes", schema: v.object({ text: v.string() }) });
  const options = { collections: { notes } } as const;
  await using source = await start();
  await using written = await source.db(options);
  written.tasks.create(1n, "water the plants");
  written.collections.notes.put(1n, { text: "they like it dry" });
  const bundle = await written.snapshot();
  await using node = await start();
  const { db, report } = await node.restoreDb(bundle, options);
  assert.deepEqual(report.parts.map(({ events }) => events), [1, 0, 0, 1]);
  assert.deepEqual(db.tasks.findMany(), written.tasks.findMany());
  const token = db.tasks.create(2n, "feed the fox");
  assert.ok(db.tasks.pollToken(token));
  await db.close();
  await assert.rejects(node.restoreDb(bundle, options), { code: "conflict" });
  const replaced = await node.restoreDb(bundle, { ...options, isReplacing: true });
  assert.equal(replaced.db.tasks.size, 1);
  assert.equal(replaced.db.collections.notes.findUnique(1n)?.text, "they like it dry");
  await replaced.db.close();
});

Deno.test("a fold's watch sees what others append to the log", async () => {
  await using node = await start();
  await using writer = await node.fold(counter);
  await using reader = await node.fold(counter);
  const seen: number[] = [];
  writer.append.added({ amount: 1 });
  for await (const total of reader.watch((state) => state.total)) {
    seen.push(total);
    if (total >= 3) break;
    writer.append.added({ amount: 1 });
  }
  assert.equal(seen.at(-1), 3);
});
