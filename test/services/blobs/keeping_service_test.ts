import assert from "node:assert/strict";
import { DEFAULT_DATA_POLICY } from "../../../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { BlobKeepingService, openStorage } from "../../../src/services/mod.ts";
import { addLoose, whilePausing } from "../../blob/store_kit.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

Deno.test("BlobKeepingService collects by itself and says what waits", async () => {
  const clock = new ManualClock();
  const metrics = createMetricRegistry();
  const deps = { clock, log: silentLog, metrics };
  const storage = await openStorage(deps, undefined);
  const policy = () => DEFAULT_DATA_POLICY;
  const service = new BlobKeepingService({ ...deps, storage, policy }, { gcMs: 60_000 });
  await service.start();
  try {
    assert.equal(service.retentionMs, 86_400_000);
    const hash = await addLoose(storage.blobs, 1);
    await clock.advance(60_000);
    await service.collect();
    assert.equal(metrics.snapshot().dataforts_blob_gc_pending, 1);
    assert.equal(await storage.blobs.hasChunk(hash), 100);
    for (let hours = 0; hours < 25; hours++) await clock.advance(3_600_000);
    await whilePausing(clock, service.collect());
    assert.equal(await storage.blobs.hasChunk(hash), undefined);
    assert.equal(metrics.snapshot().dataforts_blob_gc_pending, 0);
  } finally {
    await service.stop();
    await storage.stop();
  }
});

Deno.test("BlobKeepingService gives chunks without a row one, some time after the start", async () => {
  const clock = new ManualClock();
  const deps = { clock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, undefined);
  const policy = () => DEFAULT_DATA_POLICY;
  const service = new BlobKeepingService({ ...deps, storage, policy }, { gcMs: 0 });
  await service.start();
  try {
    const hash = new Uint8Array(32);
    await storage.chunks.put(hash, new Uint8Array(5));
    await clock.advance(10_000);
    await service.collect(); // Behind the sweep.
    assert.equal((await storage.blobs.standingOf(hash))?.refcount, 0);
  } finally {
    await service.stop();
    await storage.stop();
  }
});
