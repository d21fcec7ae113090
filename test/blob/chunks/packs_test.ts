/** Packed chunks on the machine's own disk: the index and its loss, dead bytes, damage. */
import assert from "node:assert/strict";
import { type ChunkStore, openFileChunkStore } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { seededBytes } from "../sources.ts";
import { packFiles, withFolder } from "./store_kit.ts";

const KEY = seededBytes(32, 99);
const SEALING = { storeKey: KEY, isSealing: true };

/** Chunks of 1 to 3,000 bytes. */
function chunksOf(count: number, seed = 1): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, i) => seededBytes(1 + (i * 37) % 3_000, seed * 10_000 + i),
  );
}

async function putAll(store: ChunkStore, chunks: readonly Uint8Array[]): Promise<void> {
  for (const each of chunks) await store.put(blake3(each), each, { isPacked: true });
}

async function requireAll(store: ChunkStore, chunks: readonly Uint8Array[]): Promise<void> {
  for (const each of chunks) {
    assert.equal(await store.has(blake3(each)), each.length);
    assert.deepEqual(await store.read(blake3(each)), each);
  }
}

/** A copy of a store's files as a kill would leave them. */
async function asKilled(folder: string): Promise<string> {
  const copy = `${folder}_killed`;
  const { success } = await new Deno.Command("cp", { args: ["-r", folder, copy] }).output();
  assert.ok(success);
  return copy;
}

for (const [name, options] of Object.entries({ plain: {}, sealed: SEALING })) {
  Deno.test(`${name} packed chunks share few files, and are there after a restart`, () =>
    withFolder(async (folder) => {
      const chunks = chunksOf(3_000);
      const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
      const store = await openFileChunkStore(folder, options);
      await putAll(store, chunks);
      await requireAll(store, chunks.slice(-100)); // Some of them wait to be written.
      await store.flush();
      await requireAll(store, chunks);
      assert.equal(store.room().usedBytes, bytes);
      assert.ok((await packFiles(folder)).length <= 2);
      await store.close();
      const again = await openFileChunkStore(folder, options);
      await requireAll(again, chunks);
      assert.equal(again.room().usedBytes, bytes);
      let count = 0;
      for await (const _ of again.list()) count += 1;
      assert.equal(count, new Set(chunks.map((each) => blake3(each).toHex())).size);
      await again.close();
    }));

  Deno.test(`${name} packed chunks outlive a kill, with and without their index`, () =>
    withFolder(async (folder) => {
      const path = `${folder}/blobs`;
      const [flushed, written] = [chunksOf(500, 1), chunksOf(2_000, 2)];
      const store = await openFileChunkStore(path, options);
      await putAll(store, flushed);
      await store.flush();
      await putAll(store, written);
      for (const damage of ["none", "missing", "garbage"]) {
        const copy = await asKilled(path);
        const index = `${copy}/packs/index.db`;
        if (damage !== "none") {
          for (const suffix of ["", "-wal", "-shm"]) await Deno.remove(index + suffix);
        }
        if (damage === "garbage") await Deno.writeFile(index, seededBytes(10_000));
        const after = await openFileChunkStore(copy, options);
        await requireAll(after, flushed);
        // What was written and not flushed may be there, and then it is whole.
        let bytes = 0;
        for await (const hash of after.list()) bytes += (await after.read(hash))?.length ?? NaN;
        assert.equal(after.room().usedBytes, bytes);
        assert.equal(after.counters.corrupt, 0);
        await putAll(after, written);
        await after.flush();
        await requireAll(after, written);
        await after.close();
        await Deno.remove(copy, { recursive: true });
      }
      await store.close();
    }));
}

Deno.test("a pack with more dead bytes than live ones is written anew", () =>
  withFolder(async (folder) => {
    const store = await openFileChunkStore(folder, {
      packLimits: { packBytesMax: 400_000, compactBytesMin: 100_000, gatherBytes: 50_000 },
    });
    const chunks = chunksOf(1_000);
    await putAll(store, chunks);
    await store.flush();
    const before = await packFiles(folder);
    assert.ok(before.length > 2);
    const kept = chunks.filter((_, i) => i % 4 === 0);
    for (const [i, each] of chunks.entries()) if (i % 4 !== 0) await store.remove(blake3(each));
    for (let round = 0; round < 8; round++) await store.flush();
    await requireAll(store, kept);
    const sizeOf = (files: readonly { size: number }[]) =>
      files.reduce((sum, { size }) => sum + size, 0);
    const after = await packFiles(folder);
    assert.ok(sizeOf(after) < sizeOf(before) / 2, `${sizeOf(before)} -> ${sizeOf(after)}`);
    for (const each of kept) await store.remove(blake3(each));
    for (let round = 0; round < 8; round++) await store.flush();
    assert.deepEqual(await packFiles(folder), []);
    assert.equal(store.room().usedBytes, 0);
    await store.close();
  }));

Deno.test("a bit that flips in a pack harms one record, also while the index is made anew", () =>
  withFolder(async (folder) => {
    const chunks = chunksOf(400);
    const first = await openFileChunkStore(folder);
    await putAll(first, chunks);
    await first.close();
    const [pack] = await packFiles(folder);
    assert.ok(pack !== undefined);
    const healthy = await Deno.readFile(pack.path);
    for (let round = 0; round < 30; round++) {
      const damaged = healthy.slice();
      const at = Math.floor((round * 7919 * 131) % damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (round % 8));
      await Deno.writeFile(pack.path, damaged);
      if (round % 2 === 1) {
        await Deno.remove(`${folder}/packs`, { recursive: true });
        await Deno.mkdir(`${folder}/packs`);
        await Deno.writeFile(`${folder}/packs/1.pack`, damaged);
      }
      const store = await openFileChunkStore(folder);
      const lost: number[] = [];
      for (const [i, each] of chunks.entries()) {
        const read = await store.read(blake3(each));
        if (read === undefined) lost.push(i);
        else assert.deepEqual(read, each);
      }
      assert.ok(lost.length <= 1, `round ${round}: ${lost.length} lost`);
      for (const i of lost) {
        const each = chunks[i] ?? new Uint8Array();
        assert.equal(await store.put(blake3(each), each, { isPacked: true }), "stored");
      }
      await store.flush();
      await requireAll(store, chunks);
      await store.close();
      await Deno.remove(`${folder}/packs`, { recursive: true });
      const fresh = await openFileChunkStore(folder);
      await putAll(fresh, chunks);
      await fresh.close();
      assert.equal((await packFiles(folder))[0]?.path, pack.path);
    }
  }));

Deno.test("a thousand flipped bytes in files and packs, sealed and plain: nothing wrong is read", () =>
  withFolder(async (folder) => {
    const small = chunksOf(600);
    const large = Array.from({ length: 12 }, (_, i) => seededBytes(100_000 + i, 500 + i));
    const plain = await openFileChunkStore(folder);
    await putAll(plain, small.slice(0, 300));
    for (const each of large.slice(0, 6)) await plain.put(blake3(each), each, { isDurable: false });
    await plain.close();
    const sealing = await openFileChunkStore(folder, SEALING);
    await putAll(sealing, small);
    for (const each of large) await sealing.put(blake3(each), each);
    await sealing.close();
    const files = [...await packFiles(folder), ...await chunkFiles(folder)];
    let flips = 0;
    for (let i = 0; flips < 1_000; i++) {
      const file = files[i % files.length];
      assert.ok(file !== undefined);
      const bytes = await Deno.readFile(file.path);
      for (let n = 0; n < 20; n++, flips++) {
        const at = (i * 104_729 + n * 15_485_863) % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 + ((i + n) % 255));
      }
      await Deno.writeFile(file.path, bytes);
    }
    const store = await openFileChunkStore(folder, SEALING);
    let refused = 0;
    for (const each of [...small, ...large]) {
      const read = await store.read(blake3(each));
      if (read === undefined) refused += 1;
      else assert.deepEqual(read, each);
      assert.equal(await store.has(blake3(each)), read?.length);
    }
    assert.ok(refused >= large.length && refused === store.counters.corrupt, `${refused} refused`);
    for (const each of small) await store.put(blake3(each), each, { isPacked: true });
    for (const each of large) await store.put(blake3(each), each);
    await store.flush();
    await requireAll(store, [...small, ...large]);
    await store.close();
  }));

async function chunkFiles(folder: string): Promise<{ path: string; size: number }[]> {
  const files: { path: string; size: number }[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory || name.length !== 2) continue;
    for await (const file of Deno.readDir(`${folder}/${name}`)) {
      const path = `${folder}/${name}/${file.name}`;
      files.push({ path, size: (await Deno.stat(path)).size });
    }
  }
  return files;
}
