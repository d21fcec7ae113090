/** Very many small chunks put at once. */
import assert from "node:assert/strict";
import { type ChunkStore, openFileChunkStore } from "../../../src/blob/mod.ts";
import { concatBytes } from "../../../src/base/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { seededBytes } from "../sources.ts";
import { packFiles, withFolder } from "./store_kit.ts";

const SEALING = { storeKey: seededBytes(32, 99), isSealing: true };

const smallChunks = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => {
    const bytes = seededBytes(i % 700, seed * 100_000 + i);
    return { hash: blake3(bytes), bytes };
  });

const OUTCOMES = [undefined, "stored", "present"];

async function putMany(
  store: ChunkStore,
  chunks: readonly { hash: Uint8Array; bytes: Uint8Array }[],
): Promise<readonly (string | undefined)[]> {
  const outcomes = await store.putMany?.({
    count: chunks.length,
    hashes: concatBytes(...chunks.map(({ hash }) => hash)),
    sizes: chunks.map(({ bytes }) => bytes.length),
    bytes: concatBytes(...chunks.map(({ bytes }) => bytes)),
  });
  return Array.from(outcomes ?? [], (outcome) => OUTCOMES[outcome]);
}

for (const [name, options] of Object.entries({ plain: {}, sealed: SEALING })) {
  Deno.test(`putMany() stores each ${name} chunk once, and finds it after a restart`, () =>
    withFolder(async (folder) => {
      const store = await openFileChunkStore(folder, options);
      const [before, others] = [smallChunks(40, 1).slice(1), smallChunks(2_500, 2)];
      const [loose, packed] = [before.slice(0, 10), before.slice(10)];
      for (const { hash, bytes } of loose) await store.put(hash, bytes);
      // Some of them wait to be written.
      for (const { hash, bytes } of packed) await store.put(hash, bytes, { isPacked: true });
      const batch = [...others.slice(0, 1_300), ...before, ...others.slice(1_300)];
      const outcomes = await putMany(store, batch);
      assert.equal(outcomes.length, batch.length);
      const seen = new Set(before.map(({ hash }) => hash.toHex()));
      for (const [i, { hash }] of batch.entries()) {
        const key = hash.toHex();
        assert.equal(outcomes[i], seen.has(key) ? "present" : "stored", `of chunk ${i}`);
        seen.add(key);
      }
      await store.flush();
      const usedBytes = [...new Map(batch.map(({ hash, bytes }) => [hash.toHex(), bytes])).values()]
        .reduce((sum, { length }) => sum + length, 0);
      assert.equal(store.room().usedBytes, usedBytes);
      await store.close();
      const again = await openFileChunkStore(folder, options);
      for (const { hash, bytes } of batch) assert.deepEqual(await again.read(hash), bytes);
      assert.equal(again.room().usedBytes, usedBytes);
      await again.close();
    }));
}

Deno.test("putMany() outlives the loss of the index", () =>
  withFolder(async (folder) => {
    const chunks = smallChunks(600, 3);
    const store = await openFileChunkStore(folder);
    await putMany(store, chunks);
    await store.flush();
    await store.close();
    for (const suffix of ["", "-wal", "-shm"]) {
      await Deno.remove(`${folder}/packs/index.db${suffix}`).catch(() => {});
    }
    const again = await openFileChunkStore(folder);
    for (const { hash, bytes } of chunks) assert.deepEqual(await again.read(hash), bytes);
    await again.close();
    assert.ok((await packFiles(folder)).length <= 2);
  }));

Deno.test("putMany() leaves it to single puts to fill a quota, which say what is refused", () =>
  withFolder(async (folder) => {
    const chunks = smallChunks(400, 4).slice(100);
    const store = await openFileChunkStore(folder, { quotaBytes: 60_000 });
    const outcomes = await putMany(store, chunks);
    assert.deepEqual(outcomes, chunks.map(() => undefined));
    assert.equal(store.room().usedBytes, 0);
    assert.deepEqual(await putMany(store, chunks.slice(0, 100)), Array(100).fill("stored"));
    await assert.rejects(async () => {
      for (const { hash, bytes } of chunks) await store.put(hash, bytes, { isPacked: true });
    }, { code: "no_space" });
    assert.ok(store.room().usedBytes <= 60_000);
    await store.close();
  }));

Deno.test("chunks read in their order are the same as in any, and gone when they were removed", () =>
  withFolder(async (folder) => {
    const chunks = smallChunks(700, 5).slice(1);
    const store = await openFileChunkStore(folder);
    await putMany(store, chunks);
    await store.flush();
    for (let round = 0; round < 2; round++) {
      for (const { hash, bytes } of chunks) assert.deepEqual(await store.read(hash), bytes);
    }
    // What comes next was read ahead by now.
    for (const { hash } of chunks.slice(0, 10)) await store.read(hash);
    const [, , , , , , , , , , , , removed] = chunks;
    assert.ok(removed);
    await store.remove(removed.hash);
    assert.equal(await store.read(removed.hash), undefined);
    for (const [i, { hash, bytes }] of chunks.entries()) {
      assert.deepEqual(await store.read(hash), i === 12 ? undefined : bytes, `chunk ${i}`);
    }
    await store.close();
  }));

Deno.test("chunks read in their order are verified", () =>
  withFolder(async (folder) => {
    const chunks = smallChunks(200, 6).slice(100);
    const store = await openFileChunkStore(folder);
    await putMany(store, chunks);
    await store.flush();
    const [pack] = await packFiles(folder);
    assert.ok(pack);
    using file = await Deno.open(pack.path, { write: true });
    const bytesBefore = chunks.slice(0, 50).reduce((sum, { bytes }) => sum + 48 + bytes.length, 0);
    await file.seek(bytesBefore + 48 + 20, Deno.SeekMode.Start);
    await file.write(Uint8Array.of(1, 2, 3, 4));
    for (const [i, { hash, bytes }] of chunks.entries()) {
      assert.deepEqual(await store.read(hash), i === 50 ? undefined : bytes, `chunk ${i}`);
    }
    assert.equal(store.counters.corrupt, 1);
    await store.close();
  }));
