/**
 * The chunk store on a disk that loses what was not synced, tears it, reorders it, or refuses: nothing that a
 * flush acknowledged is lost, and nothing is ever read that is not what was put.
 */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { type FileChunkStore, openFileChunkStore } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { type DiskOperation, SimDisk } from "../../sim/sim_disk.ts";
import { simErrors } from "../../sim/sim_inode.ts";
import { seededBytes } from "../sources.ts";

const FOLDER = "data/blobs";
/** Small ones, so that packs fill, die and are given up in a short run. */
const packLimits = { gatherBytes: 2_000, compactBytesMin: 3_000, packBytesMax: 6_000 };
const KEY = seededBytes(32, 99);
const CHUNKS = Array.from({ length: 24 }, (_, i) => seededBytes(20 + 37 * i, i + 1));
const HASHES = CHUNKS.map((each) => blake3(each));

function newDisk(): SimDisk {
  const disk = new SimDisk();
  disk.makeFolder("data");
  disk.syncFolder("");
  return disk;
}

/** What a run did before its end. */
interface Outcome {
  /** Chunks that a flush made durable and nobody removed since, by number. */
  readonly durable: Set<number>;
}

/** Puts, keeps, reads and removes by chance until the disk crashes or nothing is left to do. */
async function run(
  store: FileChunkStore,
  random: () => number,
  { durable }: Outcome,
  steps = 60,
): Promise<void> {
  /** Put for good since the last flush. */
  let waiting: number[] = [];
  const pick = () => Math.floor(random() * CHUNKS.length);
  for (let step = 0; step < steps; step++) {
    const dice = random();
    const i = pick();
    const [hash, bytes] = [HASHES[i]!, CHUNKS[i]!];
    if (dice < 0.5) {
      const isDurable = random() < 0.7;
      await store.put(hash, bytes, { isDurable, isPacked: random() < 0.5 });
      if (isDurable) waiting.push(i);
    } else if (dice < 0.6) {
      if (await store.keep(hash) !== undefined) waiting.push(i);
    } else if (dice < 0.7) {
      const read = await store.read(hash);
      assert.ok(read === undefined || read.toHex() === bytes.toHex());
      assert.equal(read?.length, await store.has(hash));
    } else if (dice < 0.8) {
      // What is being removed may be there or not after a crash.
      durable.delete(i);
      waiting = waiting.filter((each) => each !== i);
      await store.remove(hash);
    } else {
      const covered = waiting;
      waiting = [];
      await store.flush();
      for (const each of covered) durable.add(each);
    }
  }
}

async function check(disk: SimDisk, seed: number, { durable }: Outcome, isSealed: boolean) {
  const store = await openFileChunkStore(FOLDER, {
    disk,
    packLimits,
    ...(isSealed ? { storeKey: KEY } : {}),
  });
  for (const [i, hash] of HASHES.entries()) {
    const size = await store.has(hash);
    const read = await store.read(hash);
    assert.ok(
      read === undefined || read.toHex() === CHUNKS[i]!.toHex(),
      `seed ${seed}: wrong bytes`,
    );
    if (durable.has(i)) assert.ok(read !== undefined, `seed ${seed}: chunk ${i} is lost`);
    assert.ok(
      size === undefined || read !== undefined,
      `seed ${seed}: chunk ${i} was only said to be here`,
    );
  }
  let bytes = 0;
  for await (const hash of store.list()) bytes += await store.has(hash) ?? 0;
  assert.equal(store.room().usedBytes, bytes, `seed ${seed}`);
}

for (const isSealed of [false, true]) {
  Deno.test(`a crash loses no ${isSealed ? "sealed" : "plain"} chunk that was flushed`, async () => {
    let crashes = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed);
      const disk = newDisk();
      disk.crashAt = 1 + Math.floor(random() * 160);
      const outcome: Outcome = { durable: new Set() };
      try {
        const store = await openFileChunkStore(FOLDER, {
          disk,
          packLimits,
          ...(isSealed ? { storeKey: KEY, isSealing: true } : {}),
        });
        await run(store, random, outcome);
      } catch (error) {
        const cause = error instanceof NetError ? error.cause ?? error : error;
        if (!disk.isCrashed) throw error;
        assert.ok(cause instanceof Error);
        crashes += 1;
      }
      await check(disk.afterCrash(random), seed, outcome, isSealed);
    }
    assert.ok(crashes > 100, `only ${crashes} runs crashed`);
  });

  Deno.test(`a kill loses no ${isSealed ? "sealed" : "plain"} chunk that was flushed`, async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = seededRandom(seed);
      const disk = newDisk();
      disk.crashAt = 1 + Math.floor(random() * 160);
      const outcome: Outcome = { durable: new Set() };
      try {
        const store = await openFileChunkStore(FOLDER, {
          disk,
          packLimits,
          ...(isSealed ? { storeKey: KEY, isSealing: true } : {}),
        });
        await run(store, random, outcome);
      } catch (error) {
        if (!disk.isCrashed) throw error;
      }
      disk.kill();
      await check(disk, seed, outcome, isSealed);
    }
  });
}

Deno.test("refused operations fail with typed errors, and what was acknowledged stays", async () => {
  const kinds: Readonly<Record<string, number>> = {};
  const codes = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    const random = seededRandom(seed);
    const disk = newDisk();
    const outcome: Outcome = { durable: new Set() };
    let store = await openFileChunkStore(FOLDER, { disk, packLimits });
    disk.fault = ({ kind }: DiskOperation) => {
      if (kind === "read" || random() > 0.05) return undefined;
      (kinds as Record<string, number>)[kind] = (kinds[kind] ?? 0) + 1;
      const keep = Math.floor(random() * 100);
      return { error: random() < 0.5 ? simErrors.noSpace() : simErrors.io(), keep };
    };
    for (let round = 0; round < 8; round++) {
      try {
        await run(store, random, outcome, 20);
      } catch (error) {
        assert.ok(error instanceof NetError, String(error));
        codes.add(error.code);
      }
    }
    disk.fault = undefined;
    // Without power: what a failed sync forgot is not there.
    await check(disk.afterCrash(random), seed, outcome, false);
    store = await openFileChunkStore(FOLDER, { disk: newDisk() });
    await store.close();
  }
  assert.deepEqual([...codes].sort(), ["failed", "no_space"]);
  for (const kind of ["write", "sync", "rename", "syncFolder"]) {
    assert.ok((kinds[kind] ?? 0) > 20, kind);
  }
});

Deno.test("a read that the device refuses says so and removes nothing", async () => {
  const disk = newDisk();
  const store = await openFileChunkStore(FOLDER, { disk, packLimits });
  const [bytes, hash] = [CHUNKS[20]!, HASHES[20]!];
  await store.put(hash, bytes);
  disk.fault = ({ kind }) => kind === "read" ? { error: simErrors.io() } : undefined;
  await assert.rejects(
    store.read(hash),
    (error) =>
      error instanceof NetError && error.code === "failed" &&
      /Cannot read chunk/.test(error.message),
  );
  disk.fault = undefined;
  assert.deepEqual(await store.read(hash), bytes);
  assert.equal(store.counters.corrupt, 0);
});

Deno.test("a put whose sync failed is not acknowledged, and the next one writes again", async () => {
  const disk = newDisk();
  const store = await openFileChunkStore(FOLDER, { disk, packLimits });
  const [bytes, hash] = [CHUNKS[5]!, HASHES[5]!];
  disk.fault = ({ kind }) => kind === "sync" ? { error: simErrors.io() } : undefined;
  await assert.rejects(store.put(hash, bytes), NetError);
  assert.equal(await store.has(hash), undefined);
  await store.put(hash, bytes, { isDurable: false });
  await assert.rejects(store.keep(hash), NetError);
  assert.equal(await store.has(hash), undefined);
  assert.equal(store.room().usedBytes, 0);
  disk.fault = undefined;
  assert.equal(await store.put(hash, bytes), "stored");
  await store.flush();
  const after = await openFileChunkStore(FOLDER, { disk: disk.afterCrash(() => 0.5) });
  assert.deepEqual(await after.read(hash), bytes);
});
