/** One compliance suite over every chunk store, and what is special about each. */
import assert from "node:assert/strict";
import { type Disk, NetError, systemDisk } from "../../src/base/mod.ts";
import { type ChunkStore, createMemoryChunkStore, openFileChunkStore } from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import { SimDisk } from "../sim/sim_disk.ts";
import { seededBytes } from "./sources.ts";

type WithStore = (action: (store: ChunkStore) => Promise<void>) => Promise<void>;

const MIB = 1024 * 1024;
const KEY = seededBytes(32, 99);

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
  sealed: (action) =>
    withFolder(async (folder) =>
      action(await openFileChunkStore(`${folder}/b`, { storeKey: KEY, isSealing: true }))
    ),
  packed: (action) =>
    withFolder(async (folder) => {
      const store = await openFileChunkStore(`${folder}/b`);
      const put: ChunkStore["put"] = (hash, bytes, options) =>
        store.put(hash, bytes, { isPacked: true, ...options });
      await action(
        new Proxy(store, {
          get: (target, name) => {
            const value = name === "put" ? put : Reflect.get(target, name, target);
            return typeof value === "function" ? value.bind(target) : value;
          },
        }),
      );
      await store.close();
    }),
  simulated: async (action) => action(await openFileChunkStore("blobs", { disk: new SimDisk() })),
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

  Deno.test(`${name} chunk store keeps a cached copy for good when asked`, () =>
    withStore(async (store) => {
      const bytes = seededBytes(3000);
      const hash = blake3(bytes);
      assert.equal(await store.keep(hash), undefined);
      assert.equal(await store.put(hash, bytes, { isDurable: false }), "stored");
      assert.equal(await store.has(hash), 3000);
      assert.deepEqual(await store.read(hash), bytes);
      assert.equal(await store.put(hash, bytes, { isDurable: false }), "present");
      assert.equal(await store.keep(hash), 3000);
      assert.deepEqual(await store.read(hash), bytes);
      assert.deepEqual(await listOf(store), [hash.toHex()]);
      assert.equal(await store.put(hash, bytes), "present");
      assert.equal(store.room().usedBytes, 3000);
      assert.equal(await store.remove(hash), 3000);
      assert.equal(store.room().usedBytes, 0);
    }));

  Deno.test(`${name} chunk store knows its room`, () =>
    withStore(async (store) => {
      const before = store.room();
      const bytes = seededBytes(4000);
      await store.put(blake3(bytes), bytes);
      const { usedBytes, capacityBytes, freeBytes } = store.room();
      assert.equal(usedBytes, 4000);
      assert.ok(freeBytes <= before.freeBytes || name !== "memory");
      assert.ok(capacityBytes >= usedBytes && freeBytes <= capacityBytes - usedBytes);
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

Deno.test("file chunk store never exceeds its quota, and takes more when it grows", () =>
  withFolder(async (folder) => {
    const store = await openFileChunkStore(folder, { quotaBytes: 1000 });
    const parts = [1, 2, 3, 4].map((seed) => seededBytes(400, seed));
    const outcomes = await Promise.allSettled(parts.map((each) => store.put(blake3(each), each)));
    const refused = outcomes.filter(({ status }) => status === "rejected");
    assert.equal(refused.length, 2);
    for (const each of refused) {
      const { reason } = each as PromiseRejectedResult;
      assert.ok(reason instanceof NetError && reason.code === "no_space");
      assert.match(reason.next ?? "", /--blob-quota/);
    }
    assert.deepEqual(store.room(), { usedBytes: 800, capacityBytes: 1000, freeBytes: 200 });
    assert.equal(store.counters.refused, 2);
    store.setQuota(500);
    assert.deepEqual(store.room(), { usedBytes: 800, capacityBytes: 500, freeBytes: 0 });
    store.setQuota(undefined);
    for (const each of parts) await store.put(blake3(each), each);
    assert.equal(store.room().usedBytes, 1600);
  }));

Deno.test("file chunk store knows its bytes after a clean end and after a kill", () =>
  withFolder(async (folder) => {
    const first = await openFileChunkStore(folder);
    for (const seed of [1, 2, 3]) {
      const bytes = seededBytes(1000 * seed, seed);
      await first.put(blake3(bytes), bytes, { isDurable: seed !== 2 });
    }
    await first.close();
    await first.close();
    await assert.rejects(first.put(blake3(KEY), KEY), { code: "draining" });
    const second = await openFileChunkStore(folder); // With the note of the first.
    assert.equal(second.room().usedBytes, 6000);
    const third = await openFileChunkStore(folder); // As after a kill of the second.
    assert.equal(third.room().usedBytes, 6000);
  }));

Deno.test("sealed and plain chunks live side by side, and nothing of a sealed one is in the clear", () =>
  withFolder(async (folder) => {
    const chunks = [0, 1, 1000, 200_000].map((size) => seededBytes(size, size + 1));
    const plain = await openFileChunkStore(folder);
    for (const each of chunks.slice(0, 2)) await plain.put(blake3(each), each);
    const sealing = await openFileChunkStore(folder, { storeKey: KEY, isSealing: true });
    for (const each of chunks) await sealing.put(blake3(each), each);
    const files: string[] = [];
    for await (const entry of walk(folder)) files.push(entry);
    assert.equal(files.filter((file) => file.endsWith(".sealed")).length, 2);
    const stored = await Deno.readFile(files.find((file) => file.endsWith(".sealed")) ?? "");
    const needle = chunks.slice(2).map((each) => each.subarray(100, 132).toHex());
    assert.ok(needle.every((each) => !stored.toHex().includes(each)));
    // Sealing switched off again: the key is still needed, and still there.
    const mixed = await openFileChunkStore(folder, { storeKey: KEY });
    for (const each of chunks) assert.deepEqual(await mixed.read(blake3(each)), each);
    assert.equal(mixed.room().usedBytes, 201_001);
    for (const storeKey of [undefined, seededBytes(32, 7)]) {
      await assert.rejects(
        openFileChunkStore(folder, { storeKey }),
        (error) =>
          error instanceof NetError && error.code === "config_invalid" &&
          /restore store.key/.test(error.next ?? ""),
      );
    }
  }));

Deno.test("a sealed chunk under another name is not read", () =>
  withFolder(async (folder) => {
    const store = await openFileChunkStore(folder, { storeKey: KEY, isSealing: true });
    const [one, two] = [seededBytes(500, 1), seededBytes(500, 2)];
    await store.put(blake3(one), one);
    await store.put(blake3(two), two);
    const path = (hash: Uint8Array) =>
      `${folder}/${hash.toHex().slice(0, 2)}/${hash.toHex()}.sealed`;
    await Deno.copyFile(path(blake3(one)), path(blake3(two)));
    assert.equal(await store.read(blake3(two)), undefined);
    assert.equal(store.counters.corrupt, 1);
    assert.deepEqual(await store.read(blake3(one)), one);
  }));

Deno.test("a reader that saw damage leaves alone what a put has written meanwhile", () =>
  withFolder(async (folder) => {
    const store = await openFileChunkStore(folder);
    const bytes = seededBytes(2 * MIB);
    const hash = blake3(bytes);
    const key = hash.toHex();
    for (let round = 0; round < 10; round++) {
      await Deno.mkdir(`${folder}/${key.slice(0, 2)}`, { recursive: true });
      await Deno.writeFile(`${folder}/${key.slice(0, 2)}/${key}`, seededBytes(2 * MIB, round + 2));
      const reads = [1, 2, 3].map(() => store.read(hash));
      assert.equal(await store.put(hash, bytes), "stored");
      await Promise.all(reads);
      assert.deepEqual(await store.read(hash), bytes);
      await store.remove(hash);
    }
  }));

Deno.test("file chunk store says that its folder cannot be used", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assert.rejects(openFileChunkStore(`${folder}/file`), NetError);
  }));

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

Deno.test("file chunk store looks at chunks that may be torn one after the other", () =>
  withFolder(async (folder) => {
    const before = await openFileChunkStore(`${folder}/b`);
    const chunks = Array.from({ length: 20 }, (_, i) => seededBytes(100_000, i));
    const hashes = chunks.map((bytes) => blake3(bytes));
    for (const [i, bytes] of chunks.entries()) {
      await before.put(hashes[i]!, bytes, { isDurable: false });
    }
    await before.close();
    let reading = 0;
    let readingMax = 0;
    let reads = 0;
    const disk: Disk = {
      ...systemDisk,
      open: (path, options) => {
        const file = systemDisk.open(path, options);
        const readAside = file.readAside?.bind(file);
        assert.ok(readAside !== undefined);
        file.readAside = async (offset, into) => {
          reads += 1;
          readingMax = Math.max(readingMax, ++reading);
          try {
            return await readAside(offset, into);
          } finally {
            reading -= 1;
          }
        };
        return file;
      },
    };
    const store = await openFileChunkStore(`${folder}/b`, { disk });
    const asked = [...hashes, ...hashes];
    assert.deepEqual(
      await Promise.all(asked.map((hash) => store.has(hash))),
      asked.map(() => 100_000),
    );
    assert.equal(readingMax, 1);
    assert.equal(reads, hashes.length);
    await store.close();
  }));
