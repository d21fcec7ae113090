import assert from "node:assert/strict";
import { systemClock } from "../../../../src/base/mod.ts";
import type { RecordStore } from "../../../../src/log/redex/record_store.ts";
import { inFolder, openStore, payloadOf, readAll } from "./store_kit.ts";

Deno.test("a store gives back what was appended, before and after it was closed", async () => {
  await inFolder(async (folder) => {
    const store = await openStore(folder);
    const expected: (readonly [number, string])[] = [];
    for (let i = 0; i < 50; i++) {
      const batch = Array.from(
        { length: i % 7 + 1 },
        (_, j) => payloadOf(i * 10 + j, (i * j) % 90),
      );
      const first = store.append(batch, BigInt(i));
      expected.push(...batch.map((payload, j) => [first + j, payload.toHex()] as const));
    }
    assert.deepEqual(readAll(store), expected);
    assert.equal(store.persistedSeq, 0);
    await store.sync();
    assert.equal(store.persistedSeq, store.nextSeq);
    await store.close();
    await store.close();
    const again = await openStore(folder);
    assert.deepEqual(readAll(again), expected);
    assert.equal(again.nextSeq, expected.length);
    await again.close();
  });
});

Deno.test("a store that is compacted forgets what is below, and numbers go on", async () => {
  await inFolder(async (folder) => {
    const store = await openStore(folder);
    for (let i = 0; i < 20; i++) store.append([payloadOf(i)], BigInt(i));
    const kept = readAll(store).slice(12);
    assert.equal(store.firstToKeep({ eventsMax: 8 }), 12);
    assert.equal(store.firstToKeep({ bytesMax: 36 * 8 }), 12);
    assert.equal(store.firstToKeep({ notBeforeNs: 12n }), 12);
    await store.compact(12);
    assert.deepEqual([store.firstSeq, store.count, store.generation], [12, 8, 2]);
    assert.deepEqual(readAll(store), kept);
    store.append([payloadOf(20)], 20n);
    await store.close();
    const again = await openStore(folder);
    assert.deepEqual([again.firstSeq, again.nextSeq], [12, 21]);
    await again.close();
  });
});

Deno.test("a full segment is sealed, reads go across, and all of it is there after reopening", async () => {
  await inFolder(async (folder) => {
    const options = { segmentBytesMax: 1024 };
    const store = await openStore(folder, options);
    const expected: (readonly [number, string])[] = [];
    for (let i = 0; i < 300; i++) {
      const batch = Array.from({ length: i % 5 + 1 }, (_, j) => payloadOf(i + j, (i * 13) % 70));
      const first = store.append(batch, BigInt(i));
      expected.push(...batch.map((payload, j) => [first + j, payload.toHex()] as const));
      if (i % 50 === 0) await store.sync();
    }
    assert.ok(store.generation > 10);
    assert.deepEqual(readAll(store), expected);
    const { count, bytes } = store;
    assert.equal(count, expected.length);
    await store.close();
    const again = await openStore(folder, options);
    assert.deepEqual(readAll(again), expected);
    assert.deepEqual([again.count, again.bytes], [count, bytes]);
    assert.equal(again.firstToKeep({ eventsMax: 100 }), count - 100);
    await again.compact(count - 100, false);
    assert.deepEqual([again.firstSeq, again.count], [count - 100, 100]);
    assert.deepEqual(readAll(again), expected.slice(-100));
    await again.close();
    const third = await openStore(folder, options);
    assert.deepEqual(readAll(third), expected.slice(-100));
    assert.deepEqual([third.count, third.bytes], [100, again.bytes]);
    await third.compact(third.nextSeq);
    assert.deepEqual([third.count, third.bytes, third.firstSeq], [0, 0, third.nextSeq]);
    await third.close();
    const last = await openStore(folder, options);
    assert.equal(last.append([payloadOf(1)], 0n), expected.length);
    await last.close();
  });
});

Deno.test("syncs and appends go on while a log is written anew", async () => {
  await inFolder(async (folder) => {
    const store = await openStore(folder, { clock: systemClock });
    const batch = Array.from({ length: 1000 }, (_, i) => payloadOf(i, 64));
    for (let i = 0; i < 200; i++) store.append(batch, 1n);
    let isDone = false;
    const compacted = store.compact(1000).then(() => isDone = true);
    let syncs = 0;
    while (!isDone) {
      const first = store.append([payloadOf(7, 64)], 2n);
      await store.sync();
      assert.ok(store.persistedSeq > first);
      if (!isDone) syncs += 1;
    }
    await compacted;
    assert.ok(syncs > 1, `${syncs} syncs`);
    const { nextSeq } = store;
    assert.equal(store.firstSeq, 1000);
    assert.equal(store.count, nextSeq - 1000);
    await store.close();
    const again = await openStore(folder);
    assert.deepEqual([again.firstSeq, again.nextSeq, again.generation], [1000, nextSeq, 2]);
    assert.equal(readAll(again).length, nextSeq - 1000);
    await again.close();
  });
});

Deno.test("closing a log ends a rewrite that goes on, and leaves the log as it was", async () => {
  await inFolder(async (folder) => {
    const store = await openStore(folder, { clock: systemClock });
    const batch = Array.from({ length: 1000 }, (_, i) => payloadOf(i, 64));
    for (let i = 0; i < 300; i++) store.append(batch, 1n);
    const compacted = store.compact(0);
    compacted.catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    await store.close();
    await assert.rejects(compacted, /file closed/);
    const again = await openStore(folder);
    assert.deepEqual([again.count, again.generation], [300_000, 1]);
    await again.close();
  });
});

Deno.test("a run ends in front of what is out of the ordinary, and begins again behind it", async () => {
  await inFolder(async (folder) => {
    const store = await openStore(folder);
    store.append(Array.from({ length: 6 }, (_, i) => payloadOf(i)), 1n);
    store.append([payloadOf(6, 8)], 2n, true);
    store.append([payloadOf(7), new Uint8Array(0), payloadOf(9), payloadOf(10, 300_000)], 3n);
    await store.close();
    const again = await openStore(folder);
    const runs = () =>
      Array.from({ length: 12 }, (_, seq) => runLength(again, seq)).map((count) => count ?? 0);
    assert.deepEqual(runs(), [6, 5, 4, 3, 2, 1, 0, 1, 0, 1, 0, 0]);
    const dat = await Deno.open(`${folder}/v0000000001/dat`, { write: true });
    await dat.seek(3 * 16, Deno.SeekMode.Start);
    await dat.write(Uint8Array.of(0xff));
    dat.close();
    assert.deepEqual(runs(), [3, 2, 1, 0, 2, 1, 0, 1, 0, 1, 0, 0], "one flipped while it is open");
    assert.deepEqual(again.read(0, 12, 12, 1e6).damaged, [3]);
    await again.close();
  });
});

function runLength(store: RecordStore, from: number): number | undefined {
  return store.readRun?.(from, 100)?.count;
}
