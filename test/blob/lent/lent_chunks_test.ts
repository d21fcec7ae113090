/** Chunks in files that gets made: read from there, taken over, found again after a kill. */
import assert from "node:assert/strict";
import { NetError, systemClock } from "../../../src/base/mod.ts";
import {
  createBlobStore,
  createMemoryChunkStore,
  inlineWork,
  LentChunks,
  type TakeChunk,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { openLedger } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { seededBytes } from "../sources.ts";

const SIZE = 10_000;

Deno.test("a lent chunk is read from the file, and is the store's once the get is over", () =>
  withLent(async ({ open, folder, part, write }) => {
    const { lent, taken } = await open();
    const lending = await lent.lend(part);
    assert.ok(lending !== undefined);
    const chunks = await write(3);
    for (const place of chunks) lending.add(place);
    assert.equal(lent.sizeOf(hashOf(chunks, 1)), SIZE);
    assert.deepEqual(await lent.read(hashOf(chunks, 1)), seededBytes(SIZE, 1));
    assert.deepEqual(
      await lent.read(hashOf(chunks, 2), new Uint8Array(2 * SIZE)),
      seededBytes(SIZE, 2),
    );
    assert.equal(lent.sizeOf(blake3(Uint8Array.of(1))), undefined);
    lending.moves(`${folder}/out`);
    await Deno.rename(part, `${folder}/out`);
    // By whatever name.
    assert.deepEqual(await lent.read(hashOf(chunks, 0)), seededBytes(SIZE, 0));
    lending.commit(true);
    await lent.settle();
    assert.deepEqual([...taken.keys()], chunks.map(({ hash }) => hash.toHex()));
    assert.deepEqual(taken.get(hashOf(chunks, 2).toHex()), seededBytes(SIZE, 2));
    assert.equal(lent.counters.lent_chunks, 0);
    assert.equal(lent.sizeOf(hashOf(chunks, 0)), undefined);
    assert.deepEqual(entries(`${folder}/lent`), []);
    assert.deepEqual(entries(folder), ["lent", "out"]);
    await lent.stop();
  }));

Deno.test("chunks of a get that keeps none are forgotten with its end", () =>
  withLent(async ({ open, folder, part, write }) => {
    const { lent, taken } = await open();
    const lending = await lent.lend(part);
    for (const place of await write(2)) lending?.add(place);
    lending?.commit(false);
    await lent.settle();
    assert.equal(taken.size, 0);
    assert.deepEqual(entries(`${folder}/lent`), []);
    await lent.stop();
  }));

Deno.test("the file of a get that failed is gone at once, and its chunks are taken over", () =>
  withLent(async ({ open, folder, part, write }) => {
    const { lent, taken } = await open();
    const lending = await lent.lend(part);
    const chunks = await write(2);
    for (const place of chunks) lending?.add(place);
    await lending?.discard();
    await lending?.discard();
    assert.deepEqual(entries(folder), ["lent"]);
    await lent.settle();
    assert.equal(taken.size, 2);
    // A write that ends too late.
    for (const place of chunks) lending?.add(place);
    assert.deepEqual(entries(`${folder}/lent`), []);
    assert.equal(lent.counters.lent_chunks, 0);
    await lent.stop();
  }));

Deno.test("chunks are there again after a kill, and the part goes when they are taken over", () =>
  withLent(async ({ open, folder, part, write }) => {
    const killed = await open();
    const lending = await killed.lent.lend(part);
    const chunks = await write(3);
    for (const place of chunks.slice(0, 2)) lending?.add(place);
    await killed.lent.stop(); // Without the end of the get: as much as a kill leaves.
    const gate = Promise.withResolvers<void>();
    const { lent, taken } = await open(() => gate.promise);
    assert.equal(lent.sizeOf(hashOf(chunks, 1)), SIZE);
    assert.equal(lent.sizeOf(hashOf(chunks, 2)), undefined);
    assert.deepEqual(await lent.read(hashOf(chunks, 1)), seededBytes(SIZE, 1));
    assert.ok(entries(folder).includes("a.part"));
    gate.resolve();
    await lent.settle();
    assert.equal(taken.size, 2);
    assert.deepEqual(entries(folder), ["lent"]);
    assert.deepEqual(entries(`${folder}/lent`), []);
    await lent.stop();
  }));

Deno.test("a kill between the last byte and the name of a file loses neither", () =>
  withLent(async ({ open, folder, part, write }) => {
    for (const isNamed of [false, true]) {
      await Deno.writeFile(part, new Uint8Array());
      const killed = await open();
      const lending = await killed.lent.lend(part);
      const [place] = await write(1);
      assert.ok(place !== undefined);
      lending?.add(place);
      lending?.moves(`${folder}/out`);
      await Deno.writeTextFile(`${folder}/out`, "another file of that name, to be replaced");
      if (isNamed) await Deno.rename(part, `${folder}/out`);
      await killed.lent.stop();
      const { lent, taken } = await open();
      await lent.settle();
      assert.equal(taken.size, 1);
      // The part was ours, the file is the user's.
      assert.deepEqual(entries(folder), ["lent", "out"]);
      await lent.stop();
    }
  }));

Deno.test("a file that was changed, or is gone, has fewer chunks", () =>
  withLent(async ({ open, folder, part, write }) => {
    const killed = await open();
    const lending = await killed.lent.lend(part);
    const chunks = await write(3);
    for (const place of chunks) lending?.add(place);
    lending?.moves(`${folder}/out`);
    await Deno.rename(part, `${folder}/out`);
    await killed.lent.stop();
    const bytes = await Deno.readFile(`${folder}/out`);
    bytes[SIZE] = (bytes[SIZE] ?? 0) ^ 1;
    await Deno.writeFile(`${folder}/out`, bytes.subarray(0, 3 * SIZE - 1));
    const { lent, taken } = await open();
    await lent.settle();
    assert.deepEqual([...taken.keys()], [hashOf(chunks, 0).toHex()]);
    assert.equal(lent.counters.lent_damaged_total, 2);
    await lent.stop();
  }));

Deno.test("a get whose name was taken meanwhile leaves the file of that name where it is", () =>
  withLent(async ({ open, folder, part, write }) => {
    const { lent, taken } = await open();
    const lending = await lent.lend(part);
    for (const place of await write(2)) lending?.add(place);
    lending?.moves(`${folder}/out`);
    await Deno.writeTextFile(`${folder}/out`, "another's");
    await lending?.discard();
    assert.deepEqual(entries(folder), ["lent", "out"]);
    await lent.settle();
    assert.equal(taken.size, 2);
    assert.equal(await Deno.readTextFile(`${folder}/out`), "another's");
    assert.deepEqual(entries(`${folder}/lent`), []);
    await lent.stop();
  }));

Deno.test("a user's file is not ours because it is called as a part", () =>
  withLent(async ({ open, folder, part, write }) => {
    const killed = await open();
    const lending = await killed.lent.lend(part);
    for (const place of await write(2)) lending?.add(place);
    lending?.moves(`${folder}/film.part`);
    await Deno.rename(part, `${folder}/film.part`);
    await killed.lent.stop();
    const { lent, taken } = await open();
    await lent.settle();
    assert.equal(taken.size, 2);
    assert.deepEqual(entries(folder), ["film.part", "lent"]);
    await lent.stop();
  }));

Deno.test("a pipe that has come in a file's place stops nobody", {
  ignore: Deno.build.os === "windows",
}, () =>
  withLent(async ({ open, folder, part, write }) => {
    const killed = await open();
    const lending = await killed.lent.lend(part);
    for (const place of await write(1)) lending?.add(place);
    lending?.moves(`${folder}/out`);
    await Deno.remove(part);
    await new Deno.Command("mkfifo", { args: [`${folder}/out`] }).output();
    await killed.lent.stop();
    const { lent, taken } = await open();
    await lent.settle();
    assert.equal(taken.size, 0);
    assert.deepEqual(entries(folder), ["lent", "out"]);
    await lent.stop();
  }));

Deno.test("a chunk that is taken over while it is looked for is found", () =>
  withLent(async ({ folder, part, write }) => {
    const ledger = openLedger({ path: ":memory:" });
    const deps = { clock: systemClock, log: silentLog, work: inlineWork() };
    const lent = new LentChunks({ folder: `${folder}/lent`, ...deps });
    const memory = createMemoryChunkStore({ bytesMax: 10 * SIZE });
    const read = memory.read.bind(memory);
    let meanwhile = () => Promise.resolve();
    memory.read = async (hash, into, options) => {
      const bytes = await read(hash, into, options);
      await meanwhile();
      return bytes;
    };
    const store = await createBlobStore({ ledger, chunks: memory, lent, ...deps });
    await lent.open((hash, bytes) => store.addChunk(hash, bytes));
    const lending = await store.lend(part);
    const chunks = await write(1);
    for (const place of chunks) lending?.add(place);
    meanwhile = async () => {
      meanwhile = () => Promise.resolve();
      lending?.commit(true);
      await lent.settle();
    };
    assert.deepEqual(await store.readChunk(hashOf(chunks, 0)), seededBytes(SIZE, 0));
    await lent.stop();
    await store.settle();
    await ledger.close();
  }));

Deno.test("a store without room ends it, and everything is tidied away", () =>
  withLent(async ({ open, folder, part, write }) => {
    let tries = 0;
    const { lent } = await open(() => {
      tries += 1;
      return Promise.reject(new NetError("no_space", "Cannot store chunk: it is full"));
    });
    const lending = await lent.lend(part);
    for (const place of await write(3)) lending?.add(place);
    lending?.commit(true);
    await lent.settle();
    assert.equal(tries, 1);
    assert.equal(lent.counters.lent_chunks, 0);
    assert.deepEqual(entries(`${folder}/lent`), []);
    await lent.stop();
  }));

Deno.test("open() removes what belongs to no list", () =>
  withLent(async ({ open, folder }) => {
    await Deno.mkdir(`${folder}/lent`);
    await Deno.writeTextFile(`${folder}/lent/7.data`, "left");
    await Deno.writeTextFile(`${folder}/lent/8.list`, 'path "/nowhere"\n');
    const { lent } = await open();
    assert.deepEqual(entries(`${folder}/lent`), []);
    await lent.stop();
  }));

Deno.test("open() removes the part of a get that was killed before anything came", () =>
  withLent(async ({ open, folder, part }) => {
    const killed = await open();
    assert.ok(await killed.lent.lend(part) !== undefined);
    await killed.lent.stop();
    // A get that failed, and was killed behind the new place of its file.
    await Deno.writeTextFile(`${folder}/lent/9.list`, `path "${folder}/gone.part"\n`);
    await Deno.writeTextFile(`${folder}/lent/9.data`, "");
    using writer = await Deno.open(part, { write: true });
    await writer.lock(true);
    const other = await open();
    assert.deepEqual(entries(`${folder}/lent`), []);
    assert.deepEqual(entries(folder), ["a.part", "lent"], "somebody still writes it");
    await other.lent.stop();
    await writer.unlock();
    await Deno.writeTextFile(`${folder}/lent/1.list`, `path "${part}"\n`);
    const { lent, taken } = await open();
    assert.deepEqual(entries(folder), ["lent"]);
    assert.equal(taken.size, 0);
    await lent.stop();
  }));

interface LentKit {
  readonly folder: string;
  /** The file in the making. */
  readonly part: string;
  readonly open: (
    before?: () => Promise<void>,
  ) => Promise<{ readonly lent: LentChunks; readonly taken: ReadonlyMap<string, Uint8Array> }>;
  /** Writes so many chunks to the part. */
  readonly write: (count: number) => Promise<readonly Place[]>;
}

interface Place {
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly offset: number;
  readonly size: number;
}

async function withLent(action: (kit: LentKit) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-lent-" });
  const part = `${folder}/a.part`;
  await Deno.writeFile(part, new Uint8Array());
  try {
    await action({
      folder,
      part,
      open: async (before = () => Promise.resolve()) => {
        const deps = { clock: systemClock, log: silentLog, work: inlineWork() };
        const lent = new LentChunks({ folder: `${folder}/lent`, ...deps });
        const taken = new Map<string, Uint8Array>();
        const take: TakeChunk = async (hash, bytes) => {
          await before();
          taken.set(hash.toHex(), bytes.slice());
        };
        await lent.open(take);
        return { lent, taken };
      },
      write: async (count) => {
        const places: Place[] = [];
        using file = await Deno.open(part, { write: true, truncate: true });
        for (let i = 0; i < count; i++) {
          const bytes = seededBytes(SIZE, i);
          places.push({ hash: blake3(bytes), offset: i * SIZE, size: SIZE });
          for (let done = 0; done < SIZE;) done += await file.write(bytes.subarray(done));
        }
        return places;
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function hashOf(places: readonly Place[], index: number): Uint8Array {
  const place = places[index];
  assert.ok(place !== undefined);
  return place.hash;
}

function entries(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
