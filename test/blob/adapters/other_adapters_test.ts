/** The node's own store as an adapter, the one that keeps nothing, and deadlines for those of others. */
import assert from "node:assert/strict";
import { systemClock, utf8 } from "../../../src/base/mod.ts";
import {
  type BlobAdapter,
  boundAdapter,
  CHUNK_BYTES,
  createMeshAdapter,
  createNoopAdapter,
  formatAddress,
  openFileAdapter,
  parseBlobTarget,
} from "../../../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { openStorage, type Storage } from "../../../src/services/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { checkAdapter, isKind, pieces, smallRef } from "./compliance.ts";

async function withStore(run: (adapter: BlobAdapter, storage: Storage) => Promise<void>) {
  const deps = { clock: systemClock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, undefined);
  try {
    await run(createMeshAdapter({ id: "own", store: storage.blobs }), storage);
  } finally {
    await storage.stop();
  }
}

Deno.test("the mesh adapter keeps what adapters promise, for one chunk and for many", async () => {
  for (const longBytes of [600_000, 2 * CHUNK_BYTES + 5]) {
    await withStore((adapter) => checkAdapter(adapter, { deletes: false, longBytes }));
  }
});

Deno.test("the mesh adapter takes manifests, and looks at all of them before it writes", () =>
  withStore(async (adapter, storage) => {
    const bytes = new Uint8Array(CHUNK_BYTES + 100).map((_, i) => i >>> 7);
    const { blobRef, hash } = await storage.blobs.put(pieces(bytes));
    await storage.blobs.remove(hash);
    const target = parseBlobTarget(blobRef.toHex());
    assert.ok(target.kind === "manifest");
    const damaged = bytes.slice();
    damaged[CHUNK_BYTES + 99] = 77;
    await assert.rejects(adapter.store(target, damaged), isKind("hash_mismatch"));
    assert.equal(await adapter.exists(target), false);
    assert.equal((await storage.blobs.list()).blobs.length, 0);
    await adapter.store(target, bytes);
    assert.equal(await adapter.exists(target), true);
    assert.deepEqual(await adapter.fetch(target), bytes);
    const range = await adapter.fetchRange(target, CHUNK_BYTES - 3, CHUNK_BYTES + 3);
    assert.deepEqual(range, bytes.slice(CHUNK_BYTES - 3, CHUNK_BYTES + 3));
    const [blob] = (await storage.blobs.list()).blobs;
    assert.equal(blob && formatAddress(blob.address), formatAddress(hash));
  }));

Deno.test("the mesh adapter refuses what has another length than its reference says", () =>
  withStore(async (adapter) => {
    const bytes = utf8("abc");
    await assert.rejects(adapter.store({ ...smallRef(bytes), size: 4 }, bytes), isKind("decode"));
  }));

Deno.test("the noop adapter stores nothing and finds nothing", async () => {
  const adapter = createNoopAdapter("none");
  const ref = smallRef(utf8("x"));
  await adapter.store(ref, utf8("x"));
  assert.equal(await adapter.exists(ref), false);
  await assert.rejects(adapter.fetch(ref), isKind("not_found"));
  await assert.rejects(adapter.fetchRange(ref, 0, 1), isKind("not_found"));
  assert.equal((await adapter.fetchRange(ref, 1, 1)).length, 0);
  await adapter.delete(ref);
});

Deno.test("a bounded adapter keeps what adapters promise", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const inner = await openFileAdapter({ id: "disk", folder, clock: systemClock });
    await checkAdapter(boundAdapter(inner, { clock: systemClock }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a bounded adapter answers for one that does not, after 30 s or what it was told", async () => {
  for (const deadlineMs of [undefined, 500]) {
    const clock = new ManualClock();
    const signals: (AbortSignal | undefined)[] = [];
    const hanging: BlobAdapter = {
      ...createNoopAdapter("foreign"),
      exists: (_ref, options) => {
        signals.push(options?.signal);
        return new Promise(() => {});
      },
    };
    const adapter = boundAdapter(hanging, { clock, deadlineMs });
    const failed = assert.rejects(adapter.exists(smallRef(utf8("x"))), isKind("timeout"));
    await clock.advance((deadlineMs ?? 30_000) - 1);
    assert.equal(signals[0]?.aborted, false);
    await clock.advance(1);
    await failed;
    assert.equal(signals[0]?.aborted, true);
  }
  assert.throws(() => boundAdapter(createNoopAdapter("x"), { clock: systemClock, deadlineMs: 0 }));
});

Deno.test("a bounded adapter lets go when its caller does", async () => {
  const hanging: BlobAdapter = {
    ...createNoopAdapter("foreign"),
    fetch: () => new Promise(() => {}),
  };
  const adapter = boundAdapter(hanging, { clock: new ManualClock() });
  const abort = new AbortController();
  const failed = assert.rejects(
    adapter.fetch(smallRef(utf8("x")), { signal: abort.signal }),
    /left/,
  );
  abort.abort(new Error("left"));
  await failed;
});
