import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { FOLDS_MAX, OPEN_FILES_MAX, StateService } from "../../../src/services/mod.ts";
import { defineFold, postcardCodec } from "../../../src/state/mod.ts";
import { settle } from "../../state/cortex/harness.ts";
import { type KitOptions, startLogs } from "./log_kit.ts";

const counter = defineFold({
  channel: "demo/counter",
  state: () => ({ total: 0 }),
  events: {
    added: {
      dispatch: 0x80,
      data: postcardCodec({ amount: "u32" }),
      apply: (state, { amount }) => {
        if (amount === 13) throw new Error("bad luck");
        state.total += amount;
      },
    },
  },
});

async function startState(options: KitOptions = {}) {
  const kit = await startLogs(options);
  const { logs, clock, metrics } = kit;
  const state = new StateService({ clock, log: silentLog, metrics, logs });
  await state.start();
  return {
    ...kit,
    state,
    stop: async () => {
      await state.stop();
      await logs.stop();
    },
  };
}

Deno.test("a fold of a node writes as the node and is counted", async () => {
  const { state, metrics, stop } = await startState();
  await using fold = await state.openFold(counter);
  const token = fold.append.added({ amount: 3 });
  assert.equal(token.origin, 0xabn);
  assert.equal(fold.state.total, 3);
  const counters = metrics.snapshot();
  assert.equal(counters.net_cortex_events_folded_total, 1);
  assert.equal(counters.net_cortex_folds, 1);
  assert.deepEqual(state.health(), { state: "healthy" });
  await stop();
  assert.equal(metrics.snapshot().net_cortex_folds, 0);
});

Deno.test("what is appended to the log is folded", async () => {
  const { state, logs, stop } = await startState();
  await using fold = await state.openFold(counter, { start: "live" });
  await logs.append("demo/counter", [new Uint8Array(3)]);
  await settle();
  assert.equal(fold.setAsideTotal, 1);
  await stop();
});

Deno.test("folds end with the node, before its logs, and without an error", async () => {
  const { state, stop } = await startState();
  const fold = await state.openFold(counter);
  const watching = Array.fromAsync(fold.watch(({ total }) => total));
  await settle();
  await stop();
  assert.deepEqual(await watching, [0]);
  assert.deepEqual([fold.isRunning, fold.failure], [false, undefined]);
  await assert.rejects(state.openFold(counter), { code: "not_ready" });
});

Deno.test("a fold that has halted shows in the health until it is closed", async () => {
  const { state, stop } = await startState();
  const fold = await state.openFold(counter);
  fold.append.added({ amount: 13 });
  const { state: health, detail } = state.health();
  assert.equal(health, "degraded");
  assert.match(detail ?? "", /The fold of demo\/counter stopped: .*bad luck/);
  await fold.close();
  assert.deepEqual(state.health(), { state: "healthy" });
  await stop();
});

Deno.test("so many folds may be open, and a closed one leaves its place", async () => {
  const { state, stop } = await startState();
  const folds = [];
  for (let i = 0; i < FOLDS_MAX; i++) {
    folds.push(await state.openFold(counter, { channel: `demo/${i}` }));
  }
  await assert.rejects(state.openFold(counter), { code: "limit" });
  await folds[0]?.close();
  await folds[0]?.close();
  await using _ = await state.openFold(counter);
  await stop();
});

Deno.test("a database of a node has its collections over the node's logs", async () => {
  const { state, logs, stop } = await startState();
  await using db = await state.openDb({ models: ["tasks"] });
  db.tasks.create(1n, "water the plants");
  assert.equal(db.tasks.findUnique(1n)?.title, "water the plants");
  assert.equal((await logs.open("cortex/tasks")).nextSeq, 1n);
  await stop();
});

Deno.test("a channel's rules keep a fold from it", async () => {
  const { state, stop } = await startState({
    guard: () => {
      throw new NetError("not_allowed", "Cannot write: it is not yours");
    },
  });
  await assert.rejects(state.openFold(counter), { code: "not_allowed" });
  await stop();
});

Deno.test("on a disk: the file of a log that is folded is not closed for others", async () => {
  const folder = await Deno.makeTempDir();
  const { state, logs, stop } = await startState({ folder });
  try {
    await using fold = await state.openFold(counter);
    const file = logs.redex.get("demo/counter");
    for (let i = 0; i < OPEN_FILES_MAX + 5; i++) {
      await logs.append(`other/${i}`, [new Uint8Array(1)]);
    }
    assert.equal(logs.redex.get("demo/counter"), file);
    assert.ok(logs.counters.files_evicted_total >= 5);
    fold.append.added({ amount: 1 });
    await fold.close();
    for (let i = 0; i < OPEN_FILES_MAX + 5; i++) await logs.open(`other/${i}`);
    assert.equal(logs.redex.get("demo/counter"), undefined);
  } finally {
    await stop();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("on a disk: a fold goes on when its log was closed to be mended, and ends when it is removed", async () => {
  const folder = await Deno.makeTempDir();
  const { state, logs, clock, stop } = await startState({ folder });
  try {
    const fold = await state.openFold(counter);
    fold.append.added({ amount: 1 });
    await logs.withClosed("demo/counter", async () => {
      // Nobody opens it meanwhile, the fold included.
      await clock.advance(100);
      assert.equal(logs.redex.get("demo/counter"), undefined);
    });
    for (let i = 0; i < 50 && logs.redex.get("demo/counter") === undefined; i++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    fold.append.added({ amount: 2 });
    assert.deepEqual([fold.state.total, fold.isRunning], [3, true]);
    await logs.remove("demo/counter");
    for (let i = 0; i < 50 && fold.isRunning; i++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    assert.equal(fold.failure, "the log was closed");
    assert.deepEqual(await logs.names(), []);
  } finally {
    await stop();
    await Deno.remove(folder, { recursive: true });
  }
});
