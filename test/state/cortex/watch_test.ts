import assert from "node:assert/strict";
import { createBench, settle } from "./harness.ts";
import { ADD, amount, BREAK, type Sums } from "./sum_model.ts";

const a = (sums: Sums) => sums.get("a") ?? 0;

/** Takes what a watch gives until it ends. */
function collect<T>(watch: AsyncIterable<T>): { values: T[]; ended: Promise<void> } {
  const values: T[] = [];
  const ended = (async () => {
    for await (const value of watch) values.push(value);
  })();
  ended.catch(() => {});
  return { values, ended };
}

Deno.test("a watch gives the result now, and again when it differs", async () => {
  const { open, write } = createBench();
  write("a", 1);
  const fold = await open();
  const { values, ended } = collect(fold.watch(a));
  await settle();
  assert.deepEqual(values, [1]);
  write("b", 1);
  await settle();
  assert.deepEqual(values, [1]);
  write("a", 2);
  await settle();
  assert.deepEqual(values, [1, 3]);
  await fold.close();
  await ended;
});

Deno.test("a burst is one result, and a slow reader gets the latest", async () => {
  const { open, write } = createBench();
  await using fold = await open();
  const watch = fold.watch(a)[Symbol.asyncIterator]();
  assert.deepEqual(await watch.next(), { done: false, value: 0 });
  const next = watch.next();
  await settle();
  for (let i = 0; i < 10; i++) fold.append(ADD, amount("a", 1));
  assert.deepEqual(await next, { done: false, value: 10 });
  for (let i = 0; i < 5; i++) {
    write("a", 1);
    await settle();
  }
  assert.deepEqual(await watch.next(), { done: false, value: 15 });
});

Deno.test("results are compared deeply, or as the reader says", async () => {
  const { open, write } = createBench();
  const fold = await open();
  const deep = collect(fold.watch((sums) => [...sums.keys()]));
  const coarse = collect(fold.watch(a, (x, y) => Math.floor(x / 10) === Math.floor(y / 10)));
  const whole = collect(fold.watch((sums) => sums));
  for (let i = 0; i < 12; i++) {
    write("a", 1);
    await settle();
  }
  assert.deepEqual(deep.values, [[], ["a"]]);
  assert.deepEqual(coarse.values, [0, 10]);
  assert.equal(whole.values.length, 13);
  await fold.close();
  await Promise.all([deep.ended, coarse.ended, whole.ended]);
});

Deno.test("a watch ends with its signal, and when its reader goes", async () => {
  const { open, write } = createBench();
  await using fold = await open();
  const controller = new AbortController();
  const { values, ended } = collect(fold.watch(a, undefined, controller.signal));
  await settle();
  controller.abort();
  await ended;
  assert.deepEqual(values, [0]);
  const watch = fold.watch(a)[Symbol.asyncIterator]();
  await watch.next();
  const pending = watch.next();
  await settle();
  await watch.return?.();
  assert.deepEqual(await pending, { done: true, value: undefined });
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
  write("a", 1);
  await settle();
});

Deno.test("a watch of a fold that halts gives the last result and then says so", async () => {
  const { open, write, writeRaw } = createBench();
  await using fold = await open();
  const { values, ended } = collect(fold.watch(a));
  await settle();
  write("a", 4);
  writeRaw(BREAK, new Uint8Array(0));
  await assert.rejects(ended, { kind: "stopped" });
  assert.deepEqual(values, [0, 4]);
});

Deno.test("a watch of a closed fold gives its result and ends", async () => {
  const { open } = createBench();
  const fold = await open();
  fold.append(ADD, amount("a", 4));
  await fold.close();
  const { values, ended } = collect(fold.watch(a));
  await ended;
  assert.deepEqual(values, [4]);
});

Deno.test("a query that throws fails its own watch only", async () => {
  const { open } = createBench();
  await using fold = await open();
  const broken = fold.watch((): number => {
    throw new Error("no");
  })[Symbol.asyncIterator]();
  await assert.rejects(broken.next(), /no/);
  fold.append(ADD, amount("a", 1));
  assert.deepEqual((await fold.watch(a)[Symbol.asyncIterator]().next()).value, 1);
});

Deno.test("snapshotAndWatch() does not repeat the snapshot, and loses nothing after it", async () => {
  const { open, write } = createBench();
  write("a", 1);
  const fold = await open();
  const { snapshot, changes } = fold.snapshotAndWatch(a);
  assert.equal(snapshot, 1);
  const { values, ended } = collect(changes);
  await settle();
  assert.deepEqual(values, []);
  write("a", 1);
  await settle();
  assert.deepEqual(values, [2]);
  const late = fold.snapshotAndWatch(a);
  fold.append(ADD, amount("a", 1));
  const second = collect(late.changes);
  await settle();
  assert.deepEqual([late.snapshot, second.values], [2, [3]]);
  await fold.close();
  await Promise.all([ended, second.ended]);
});

Deno.test("onChange() is called once for a burst, also when one of them throws", async () => {
  const { open, lines, write } = createBench();
  await using fold = await open();
  let calls = 0;
  fold.onChange(() => {
    throw new Error("listener");
  });
  const stop = fold.onChange(() => {
    calls += 1;
  });
  for (let i = 0; i < 3; i++) fold.append(ADD, amount("a", 1));
  await settle();
  assert.equal(calls, 1);
  write("a", 0);
  await settle();
  assert.equal(calls, 1);
  assert.match(lines.join("\n"), /error cortex_listener_failed .*reason=listener/);
  stop();
  fold.append(ADD, amount("a", 1));
  await settle();
  assert.equal(calls, 1);
});

Deno.test("a burst of many slices is one change, and one that lasts is told of meanwhile", async () => {
  const { open, write, clock, writeRaw } = createBench();
  const fold = await open();
  let changes = 0;
  fold.onChange(() => {
    changes += 1;
  });
  for (const expected of [1, 2]) {
    for (let i = 0; i < 5_000; i++) write("a", 1);
    for (let i = 0; i < 10; i++) await settle();
    assert.equal(changes, expected);
  }
  assert.equal(fold.state.get("a"), 10_000);
  // Now folding takes long: each of these events 1 ms.
  clock.now = () => 1_000 + (fold.state.get("b") ?? 0);
  for (let i = 0; i < 5_000; i++) write("b", 1);
  await settle();
  await clock.advance(0);
  assert.ok(changes > 4, `${changes}`);
  writeRaw(ADD, amount("a", 1));
  await fold.close();
});

Deno.test("a fold that is closed while events come takes none of them", async () => {
  const { open, write } = createBench();
  const fold = await open();
  write("a", 1);
  await Promise.resolve();
  await fold.close();
  await settle();
  assert.equal(fold.appliedSeq, fold.state.has("a") ? 0n : undefined);
  assert.equal(fold.snapshot().lastSeq, fold.appliedSeq);
});
