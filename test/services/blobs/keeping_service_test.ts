import assert from "node:assert/strict";
import { toHex } from "../../../src/base/mod.ts";
import { DEFAULT_DATA_POLICY } from "../../../src/blob/mod.ts";
import { createMetricRegistry, type MetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  BlobKeepingService,
  type BlobKeepingServiceDeps,
  openStorage,
  type Storage,
} from "../../../src/services/mod.ts";
import { putStripes } from "../../blob/keep/stripe_kit.ts";
import { bytesSource, seededBytes } from "../../blob/sources.ts";
import { addLoose, whilePausing } from "../../blob/store_kit.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const HOUR_MS = 3_600_000;

interface Parts {
  readonly service: BlobKeepingService;
  readonly storage: Storage;
  readonly clock: ManualClock;
  readonly metrics: MetricRegistry;
}

async function withService(
  action: (parts: Parts) => Promise<void>,
  options: {
    readonly gcMs?: number;
    readonly blobQuota?: number;
    readonly fetch?: BlobKeepingServiceDeps["fetch"];
  } = {},
): Promise<void> {
  const { gcMs = 0, blobQuota, fetch } = options;
  const clock = new ManualClock();
  const metrics = createMetricRegistry();
  const deps = { clock, log: silentLog, metrics };
  const storage = await openStorage(deps, undefined, { blobQuota });
  const policy = () => DEFAULT_DATA_POLICY;
  const service = new BlobKeepingService({ ...deps, storage, policy, fetch }, { gcMs });
  await service.start();
  try {
    await action({ service, storage, clock, metrics });
  } finally {
    await service.stop();
    await storage.stop();
  }
}

Deno.test("BlobKeepingService collects by itself and says what waits", () =>
  withService(async ({ service, storage, clock, metrics }) => {
    assert.equal(service.retentionMs, 24 * HOUR_MS);
    const hash = await addLoose(storage.blobs, 1);
    await clock.advance(60_000);
    await service.collect();
    const name = 'dataforts_blob_gc_pending{adapter="mesh"}';
    assert.equal(metrics.snapshot()[name], 1);
    assert.equal(await storage.blobs.hasChunk(hash), 100);
    for (let hours = 0; hours < 25; hours++) await clock.advance(HOUR_MS);
    await whilePausing(clock, service.collect());
    assert.equal(await storage.blobs.hasChunk(hash), undefined);
    assert.equal(metrics.snapshot()[name], 0);
    assert.equal(metrics.snapshot()['dataforts_blob_gc_swept_total{adapter="mesh"}'], 1);
  }, { gcMs: 60_000 }));

Deno.test("BlobKeepingService gives chunks without a row one, some time after the start", () =>
  withService(async ({ service, storage, clock }) => {
    const hash = new Uint8Array(32);
    await storage.chunks.put(hash, new Uint8Array(5));
    await clock.advance(10_000);
    await service.collect(); // Behind the audit.
    assert.equal((await storage.blobs.standingOf(hash))?.refcount, 0);
  }));

Deno.test("BlobKeepingService makes what a blob lacks out of its parity, as far as that goes", () =>
  withService(async ({ service, storage, clock, metrics }) => {
    const { blobs, chunks } = storage;
    const { stripes } = await putStripes(blobs, 12);
    const [first = [], second = [], third = []] = stripes;
    // Of 4+2 a stripe may lose two, whichever, and the last one has lost one more.
    const lost = [first[1], first[5], ...third.slice(0, 3)].filter((hash) => hash !== undefined);
    for (const hash of lost) await chunks.remove(hash);
    const report = await whilePausing(clock, service.audit());
    const missing = report.missing.map(({ hash }) => toHex(hash));
    assert.deepEqual(missing.toSorted(), third.slice(0, 3).map(toHex).toSorted());
    for (const hash of [...first, ...second]) assert.equal(await blobs.hasChunk(hash), 100);
    assert.equal(service.state.missingCount, 3);
    assert.equal(metrics.snapshot()["net_blob_keeping_restored_chunks_total"], 2);
  }));

Deno.test("BlobKeepingService is degraded while the store is almost full, with room between the marks", () =>
  withService(async ({ service, storage, clock }) => {
    const put = async (size: number, seed: number) => {
      const { hash } = await storage.blobs.put(bytesSource(seededBytes(size, seed)));
      await clock.advance(5_000);
      return hash;
    };
    await put(850, 1);
    const second = await put(90, 2);
    assert.equal(service.health().state, "healthy");
    const third = await put(15, 3);
    assert.equal(service.health().state, "degraded");
    assert.match(service.health().detail ?? "", /the store is full to 96 %/);
    await storage.blobs.remove(third);
    await clock.advance(5_000);
    assert.equal(service.state.isFull, true); // 940 of 1,000: between the marks.
    await storage.blobs.remove(second);
    await clock.advance(5_000);
    assert.equal(service.state.isFull, false);
    assert.equal(service.health().state, "healthy");
  }, { blobQuota: 1_000 }));

Deno.test("BlobKeepingService fetches what blobs lack, and says what nobody has", () => {
  const asked: string[] = [];
  const fetch = (hash: Uint8Array) => {
    asked.push(toHex(hash));
    return asked.length === 1
      ? Promise.resolve(seededBytes(100, 1))
      : Promise.reject(new Error("nobody has it"));
  };
  return withService(async ({ service, storage, clock, metrics }) => {
    const first = await storage.blobs.put(bytesSource(seededBytes(100, 1)));
    await storage.chunks.remove(first.hash);
    await service.audit();
    assert.deepEqual(asked, [toHex(first.hash)]);
    assert.equal(service.health().state, "healthy");
    assert.deepEqual(await storage.blobs.readChunk(first.hash), seededBytes(100, 1));
    const second = await storage.blobs.put(bytesSource(seededBytes(100, 2)));
    await storage.chunks.remove(second.hash);
    await service.audit();
    assert.match(service.health().detail ?? "", /^1 chunks of blobs are missing/);
    assert.equal(metrics.snapshot().net_blob_keeping_missing_chunks, 1);
    assert.equal(service.state.missing.length, 1);
    // It is put again, or no longer needed: then all is well.
    await storage.blobs.put(bytesSource(seededBytes(100, 2)));
    await clock.advance(5_000);
    assert.equal(service.health().state, "healthy");
  }, { fetch });
});

Deno.test("BlobKeepingService looks at the books when a chunk turns out damaged", () =>
  withService(async ({ service, storage, clock }) => {
    const blob = await storage.blobs.put(bytesSource(seededBytes(100, 1)));
    await clock.advance(20_000);
    await storage.chunks.remove(blob.hash);
    Object.assign(storage.chunks.counters, { corrupt: 1 });
    await clock.advance(5_000);
    await service.collect(); // Behind the audit.
    assert.equal(service.state.missingCount, 1);
    assert.equal(service.state.corruptCount, 1);
  }));
