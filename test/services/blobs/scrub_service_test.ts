/** The scrub of a node: parity, peers, restarts, its own rhythm. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import type { BlobTransfer, PutForm } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  createScrubMemory,
  openStorage,
  ScrubService,
  type ScrubServiceOptions,
} from "../../../src/services/mod.ts";
import { bytesSource, seededBytes } from "../../blob/sources.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const EC: PutForm = {
  chunking: { kind: "fixed", chunkBytes: 4 * 1024 * 1024 },
  encoding: { kind: "reed_solomon", data: 2, parity: 1 },
};

interface Kit {
  readonly clock: ManualClock;
  readonly storage: Awaited<ReturnType<typeof openStorage>>;
  readonly service: ScrubService;
  readonly metrics: ReturnType<typeof createMetricRegistry>;
  readonly folder: string;
  /** Moves the clock until `work` settles. */
  run<T>(work: Promise<T>): Promise<T>;
}

async function withKit(
  action: (kit: Kit) => Promise<void>,
  options: Partial<ScrubServiceOptions> & { readonly transfer?: BlobTransfer } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net_scrub_" });
  const clock = new ManualClock();
  const metrics = createMetricRegistry();
  const deps = { clock, log: silentLog, metrics };
  const storage = await openStorage(deps, folder);
  const service = new ScrubService({
    ...deps,
    storage,
    memory: createScrubMemory(storage.ledger),
    transfer: () => options.transfer,
  }, { everyMs: 0, ...options });
  await service.start();
  const run = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    work.finally(() => isDone = true).catch(() => {});
    while (!isDone) {
      await new Promise((resolve) => setTimeout(resolve));
      await clock.advance(10);
    }
    return await work;
  };
  try {
    await action({ clock, storage, service, metrics, folder, run });
  } finally {
    await run(service.stop());
    await storage.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

async function damage({ folder }: Kit, hash: Uint8Array): Promise<void> {
  const key = hash.toHex();
  const path = `${folder}/blobs/${key.slice(0, 2)}/${key}`;
  const bytes = await Deno.readFile(path);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await Deno.writeFile(path, bytes);
}

async function chunksOf({ storage }: Kit): Promise<Uint8Array[]> {
  const hashes: Uint8Array[] = [];
  for await (const hash of storage.chunks.list()) hashes.push(hash);
  return hashes;
}

Deno.test("ScrubService restores a damaged chunk from the parity of its blob", () =>
  withKit(async (kit) => {
    const { storage, service, run } = kit;
    const payload = seededBytes(8 * 1024 * 1024);
    const blob = await run(storage.blobs.put(bytesSource(payload), { form: EC }));
    assert.equal(blob.ref.kind, "tree");
    const sizes = await Promise.all(
      (await chunksOf(kit)).map(async (hash) => ({ hash, size: await storage.chunks.has(hash) })),
    );
    const [data] = sizes.filter(({ size }) => size === 4 * 1024 * 1024);
    assert.ok(data !== undefined);
    await damage(kit, data.hash);
    const found = await run(service.scrub());
    assert.deepEqual(
      found.findings,
      [{ kind: "corrupt", name: data.hash.toHex(), isRepaired: false }],
    );
    assert.equal(service.health().state, "degraded");
    const repaired = await run(service.scrub({ isRepairing: true }));
    assert.equal(repaired.counts.missing, 1);
    assert.equal(repaired.counts.repaired, 1);
    assert.deepEqual(service.health(), { state: "healthy" });
    const last = await run(service.scrub());
    assert.deepEqual(last.findings, []);
    assert.equal(kit.metrics.snapshot().net_blob_scrub_corrupt_last, 0);
  }));

Deno.test("ScrubService gets from peers what nothing here gives, and says what nobody has", () => {
  const payload = seededBytes(5_000);
  let asked = 0;
  const transfer = {
    fetchChunk: () => {
      asked += 1;
      if (asked > 1) return Promise.resolve({ bytes: payload, peer: 7n });
      return Promise.reject(new NetError("not_found", "Nobody has it"));
    },
  } as unknown as BlobTransfer;
  return withKit(async (kit) => {
    const { storage, service, run } = kit;
    const blob = await storage.blobs.put(bytesSource(payload));
    await damage(kit, blob.hash);
    const first = await run(service.scrub({ isRepairing: true }));
    assert.equal(first.counts.repaired, 0);
    const second = await run(service.scrub({ isRepairing: true }));
    assert.equal(second.counts.repaired, 1);
    assert.deepEqual(await storage.blobs.readChunk(blob.hash), payload);
  }, { transfer });
});

Deno.test("ScrubService goes on after a restart where it was broken off, unless told otherwise", () =>
  withKit(async (kit) => {
    const { storage, service, clock, run } = kit;
    for (let i = 0; i < 400; i++) {
      const bytes = seededBytes(1_000, i + 1);
      await storage.chunks.put(blake3(bytes), bytes, { isPacked: true });
    }
    const abort = new AbortController();
    const broken = service.scrub({ signal: abort.signal, onProgress: () => abort.abort() });
    await assert.rejects(run(broken), { name: "AbortError" });
    await assert.rejects(
      run(Promise.all([service.scrub(), service.scrub()])),
      (error) => error instanceof NetError && error.code === "conflict",
    );
    while (service.isRunning) {
      await new Promise((resolve) => setTimeout(resolve));
      await clock.advance(10);
    }
    const deps = { clock, log: silentLog, metrics: createMetricRegistry(), storage };
    const memory = createScrubMemory(storage.ledger);
    await memory.write({
      startedAtMs: 5,
      endedAtMs: undefined,
      after: new Uint8Array(32).fill(0x80),
      counts: { ...(service.last?.counts ?? assert.fail()), chunks: 1_000 },
    });
    const other = new ScrubService({ ...deps, memory, transfer: () => undefined }, { everyMs: 0 });
    await other.start();
    const resumed = await run(other.scrub());
    assert.ok(resumed.isResumed && resumed.startedAtMs === 5);
    assert.ok(resumed.counts.chunks > 1_100 && resumed.counts.chunks < 1_300);
    const fresh = await run(other.scrub({ isFresh: true }));
    assert.equal(fresh.isResumed, false);
    assert.equal(fresh.counts.chunks, 400);
    await other.stop();
  }));

Deno.test("ScrubService scrubs by itself, as often as it is told", () =>
  withKit(async ({ service, clock, storage, run }) => {
    await storage.blobs.put(bytesSource(seededBytes(5_000)));
    const until = async (endedAfterMs: number) => {
      while ((service.last?.endedAtMs ?? -1) < endedAfterMs) {
        await new Promise((resolve) => setTimeout(resolve));
        await clock.advance(10_000);
      }
      return service.last?.endedAtMs ?? 0;
    };
    const first = await run(until(0));
    const second = await run(until(first + 1));
    assert.ok(second - first >= 3_600_000 && second - first < 3_800_000, `${second - first}`);
    assert.equal(service.last?.counts.chunks, 1);
  }, { everyMs: 3_600_000 }));
