/** Quota and encryption of a node's chunks: kept for later starts, and never by chance another key. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { type ChunkStoreSettings, openStorage } from "../../src/services/mod.ts";
import { bytesSource, seededBytes } from "../blob/sources.ts";
import { ManualClock } from "../sim/manual_clock.ts";

async function withDataFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net_storage_" });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const open = (folder: string | undefined, settings?: ChunkStoreSettings) =>
  openStorage(
    { clock: new ManualClock(), log: silentLog, metrics: createMetricRegistry() },
    folder,
    settings,
  );

async function sealedFiles(folder: string): Promise<number> {
  let count = 0;
  for await (const { name } of Deno.readDir(`${folder}/blobs`)) {
    if (name.length !== 2) continue;
    for await (const file of Deno.readDir(`${folder}/blobs/${name}`)) {
      if (file.name.endsWith(".sealed")) count += 1;
    }
  }
  return count;
}

Deno.test("openStorage() keeps the quota for later starts, until it is taken away", () =>
  withDataFolder(async (folder) => {
    const first = await open(folder, { blobQuota: 10_000 });
    await first.blobs.put(bytesSource(seededBytes(6_000, 1)));
    assert.equal(first.blobs.room().capacityBytes, 10_000);
    await first.stop();
    const second = await open(folder);
    await assert.rejects(
      second.blobs.put(bytesSource(seededBytes(6_000, 2))),
      (error) => error instanceof NetError && error.code === "no_space",
    );
    assert.deepEqual(second.blobs.room(), {
      usedBytes: 6_000,
      capacityBytes: 10_000,
      freeBytes: 4_000,
    });
    await second.stop();
    const third = await open(folder, { blobQuota: "none" });
    await third.blobs.put(bytesSource(seededBytes(6_000, 2)));
    await third.stop();
    const fourth = await open(folder);
    assert.ok(fourth.blobs.room().capacityBytes > 10_000);
    await fourth.stop();
  }));

Deno.test("openStorage() in memory holds no more than its quota, or its ceiling", async () => {
  for (const [blobQuota, capacity] of [[5_000, 5_000], [2 ** 40, 256 * 1024 * 1024]] as const) {
    const storage = await open(undefined, { blobQuota });
    assert.equal(storage.blobs.room().capacityBytes, capacity);
    await storage.stop();
  }
});

Deno.test("openStorage() encrypts from the first start that says so, and needs its key from then on", () =>
  withDataFolder(async (folder) => {
    const plain = await open(folder);
    const one = await plain.blobs.put(bytesSource(seededBytes(5_000, 1)));
    await plain.stop();
    await assert.rejects(Deno.stat(`${folder}/store.key`), Deno.errors.NotFound);
    const sealing = await open(folder, { encryptStore: true });
    await sealing.blobs.put(bytesSource(seededBytes(5_000, 2)));
    await sealing.stop();
    const key = await Deno.readTextFile(`${folder}/store.key`);
    assert.match(key, /^[0-9a-f]{64}\n$/);
    assert.equal(((await Deno.stat(`${folder}/store.key`)).mode ?? 0) & 0o777, 0o600);
    // Without the flag it goes on.
    const later = await open(folder);
    await later.blobs.put(bytesSource(seededBytes(5_000, 3)));
    assert.deepEqual(await later.blobs.readChunk(one.hash), seededBytes(5_000, 1));
    await later.stop();
    assert.equal(await sealedFiles(folder), 2);
    // Off again for new ones; the key is needed all the same.
    const off = await open(folder, { encryptStore: false });
    await off.blobs.put(bytesSource(seededBytes(5_000, 4)));
    await off.stop();
    assert.equal(await sealedFiles(folder), 2);
    await Deno.remove(`${folder}/store.key`);
    for (const settings of [{}, { encryptStore: true }]) {
      await assert.rejects(
        open(folder, settings),
        (error) =>
          error instanceof NetError && error.code === "config_invalid" &&
          /store.key is missing/.test(error.message) && /backup/.test(error.next ?? ""),
      );
      // A new key in the place of the lost one would hide the loss.
      await assert.rejects(Deno.stat(`${folder}/store.key`), Deno.errors.NotFound);
    }
    await Deno.writeTextFile(`${folder}/store.key`, "damaged\n", { mode: 0o600 });
    await assert.rejects(
      open(folder),
      (error) => error instanceof NetError && /restore it from a backup/.test(error.next ?? ""),
    );
    await Deno.writeTextFile(`${folder}/store.key`, key);
    const again = await open(folder);
    assert.equal((await again.blobs.list()).blobs.length, 4);
    await again.stop();
  }));
