import assert from "node:assert/strict";
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
