/** One compliance suite over every chunk store, and what is special about each. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { type ChunkStore, createMemoryChunkStore, openFileChunkStore } from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import { seededBytes } from "./sources.ts";

type WithStore = (action: (store: ChunkStore) => Promise<void>) => Promise<void>;

const MIB = 1024 * 1024;

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const STORES: Readonly<Record<string, WithStore>> = {
  memory: (action) => action(createMemoryChunkStore({ bytesMax: 100 * MIB })),
  file: (action) => withFolder(async (folder) => action(await openFileChunkStore(`${folder}/b`))),
};

async function listOf(store: ChunkStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const hash of store.list()) keys.push(hash.toHex());
  return keys.sort();
}

for (const [name, withStore] of Object.entries(STORES)) {
  Deno.test(`${name} chunk store gives back what was put`, () =>
    withStore(async (store) => {
      for (const size of [0, 1, 1000, 4 * MIB]) {
        const bytes = seededBytes(size, size);
        const hash = blake3(bytes);
        assert.equal(await store.has(hash), undefined);
        assert.equal(await store.read(hash), undefined);
        assert.equal(await store.put(hash, bytes), "stored");
        await store.flush();
        assert.equal(await store.has(hash), size);
        assert.deepEqual(await store.read(hash), bytes);
      }
    }));

  Deno.test(`${name} chunk store does not keep the caller's buffer`, () =>
    withStore(async (store) => {
      const bytes = seededBytes(100);
      const hash = blake3(bytes);
      await store.put(hash, bytes);
      bytes.fill(0);
      const first = await store.read(hash);
      first?.fill(0);
      assert.deepEqual(await store.read(hash), seededBytes(100));
    }));

  Deno.test(`${name} chunk store reads into a buffer that is large enough`, () =>
    withStore(async (store) => {
      const bytes = seededBytes(100);
      const hash = blake3(bytes);
      await store.put(hash, bytes);
      for (const size of [200, 100]) {
        const buffer = new Uint8Array(size);
        const read = await store.read(hash, buffer);
        assert.equal(read?.buffer, buffer.buffer);
        assert.deepEqual(read, bytes);
      }
      const small = new Uint8Array(99);
      assert.deepEqual(await store.read(hash, small), bytes);
    }));

  Deno.test(`${name} chunk store puts a chunk once, however many do`, () =>
    withStore(async (store) => {
      const bytes = seededBytes(5000);
      const hash = blake3(bytes);
      const outcomes = await Promise.all([1, 2, 3].map(() => store.put(hash, bytes)));
      assert.deepEqual(outcomes.sort(), ["present", "present", "stored"]);
      assert.equal(await store.put(hash, bytes), "present");
      assert.equal(await store.usedBytes(), 5000);
    }));

  Deno.test(`${name} chunk store lists, counts and removes`, () =>
    withStore(async (store) => {
      const hashes = await Promise.all([1, 2, 3].map(async (seed) => {
        const bytes = seededBytes(seed * 10, seed);
        await store.put(blake3(bytes), bytes);
        return blake3(bytes);
      }));
      assert.deepEqual(await listOf(store), hashes.map((hash) => hash.toHex()).sort());
      assert.equal(await store.usedBytes(), 60);
      const [first] = hashes;
      assert.ok(first !== undefined);
      assert.equal(await store.remove(first), 10);
      assert.equal(await store.remove(first), undefined);
      assert.equal(await store.has(first), undefined);
      assert.equal(await store.usedBytes(), 50);
    }));

  Deno.test(`${name} chunk store reports bytes that lost their hash as missing and counts them`, () =>
    withStore(async (store) => {
      const wrong = blake3(seededBytes(10, 1));
      await store.put(wrong, seededBytes(10, 2));
      assert.equal(await store.read(wrong), undefined);
      assert.equal(store.counters.corrupt, 1);
      assert.equal(await store.has(wrong), undefined);
    }));
}

Deno.test("memory chunk store refuses what is above its cap and keeps the rest", async () => {
  const store = createMemoryChunkStore({ bytesMax: 100 });
  const kept = seededBytes(60, 1);
  await store.put(blake3(kept), kept);
  const other = seededBytes(60, 2);
  await assert.rejects(
    store.put(blake3(other), other),
    (error) => error instanceof NetError && error.code === "no_space",
  );
  assert.equal(await store.usedBytes(), 60);
  await store.remove(blake3(kept));
  assert.equal(await store.put(blake3(other), other), "stored");
});

Deno.test("file chunk store keeps chunks over a restart, in flat private files", () =>
  withFolder(async (folder) => {
    const bytes = seededBytes(1234);
    const hash = blake3(bytes);
    await (await openFileChunkStore(folder)).put(hash, bytes);
    const key = hash.toHex();
    const info = await Deno.stat(`${folder}/${key.slice(0, 2)}/${key}`);
    assert.equal((info.mode ?? 0) & 0o777, 0o600);
    assert.equal(info.size, 1234);
    const again = await openFileChunkStore(folder);
    assert.deepEqual(await again.read(hash), bytes);
  }));

Deno.test("openFileChunkStore() removes what a crash left and ignores foreign files", () =>
  withFolder(async (folder) => {
    const store = await openFileChunkStore(folder);
    const bytes = seededBytes(10);
    const hash = blake3(bytes);
    await store.put(hash, bytes);
    await Deno.writeTextFile(`${folder}/tmp/${hash.toHex()}.7`, "half");
    await Deno.writeTextFile(`${folder}/${hash.toHex().slice(0, 2)}/notes.txt`, "mine");
    await Deno.writeTextFile(`${folder}/readme`, "mine");
    const again = await openFileChunkStore(folder);
    assert.deepEqual([...Deno.readDirSync(`${folder}/tmp`)], []);
    assert.deepEqual(await listOf(again), [hash.toHex()]);
    assert.equal(await Deno.readTextFile(`${folder}/readme`), "mine");
  }));

Deno.test("file chunk store repairs a damaged file when the chunk is put again", () =>
  withFolder(async (folder) => {
    const store = await openFileChunkStore(folder);
    const bytes = seededBytes(5000);
    const hash = blake3(bytes);
    await store.put(hash, bytes);
    const key = hash.toHex();
    const path = `${folder}/${key.slice(0, 2)}/${key}`;
    for (const damage of [seededBytes(5000, 9), new Uint8Array(0), seededBytes(17 * MIB, 3)]) {
      await Deno.writeFile(path, damage);
      assert.equal(await store.put(hash, bytes), "stored");
      assert.deepEqual(await store.read(hash), bytes);
    }
    assert.equal(store.counters.corrupt, 3);
  }));

Deno.test("file chunk store says that its folder cannot be used", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assert.rejects(openFileChunkStore(`${folder}/file`), NetError);
  }));
