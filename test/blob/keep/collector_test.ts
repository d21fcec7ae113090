import assert from "node:assert/strict";
import { toHex } from "../../../src/base/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { addLoose, whilePausing, withStore } from "../store_kit.ts";

const DAY_MS = 86_400_000;

Deno.test("collect() removes what nothing needs once it is old enough", () =>
  withStore(async ({ store, clock }) => {
    const blob = await store.put(bytesSource(seededBytes(500)));
    const hash = await addLoose(store, 7);
    await clock.advance(DAY_MS - 1);
    const early = await store.collect({ retentionMs: DAY_MS });
    assert.equal(early.removed, 0);
    assert.deepEqual([early.scanned, early.kept.fresh], [1, 1]);
    await clock.advance(1);
    const report = await store.collect({ retentionMs: DAY_MS });
    assert.deepEqual([report.removed, report.freedBytes, report.scanned], [1, 100, 1]);
    assert.equal(await store.hasChunk(hash), undefined);
    assert.equal(await store.standingOf(hash), undefined);
    assert.deepEqual(await store.readChunk(blob.hash), seededBytes(500));
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 500);
    assert.equal(store.counters.dataforts_blob_gc_swept_total, 1);
  }));

Deno.test("collect() under pressure bypasses the age and nothing else", () =>
  withStore(async ({ store, ledger, clock }) => {
    await store.put(bytesSource(seededBytes(500)));
    const reasons = ["staging", "replica", "event", "cache"] as const;
    for (const [i, reason] of reasons.entries()) {
      await store.hold([await addLoose(store, i)], { reason, owner: reason });
    }
    const pinned = await addLoose(store, 10);
    await ledger.db.updateTable("chunk").set({ is_pinned: 1 }).where("hash", "=", pinned).execute();
    const used = store.begin();
    const inUse = await addLoose(store, 11);
    await used.keepChunk(inUse);
    const loose = await addLoose(store, 12);
    const report = await store.collect({ retentionMs: DAY_MS, isUnderPressure: true });
    assert.equal(report.removed, 1);
    assert.equal(await store.hasChunk(loose), undefined);
    assert.deepEqual({ ...report.kept }, {
      pinned: 1,
      referenced: 2, // The event, the cache; the blob's are not looked at.
      staged: 1,
      replica: 1,
      stripe: 0,
      in_use: 1,
      fresh: 0,
    });
    await used.abort();
    await clock.advance(2 * DAY_MS);
    assert.equal((await store.collect({ retentionMs: DAY_MS })).removed, 1);
    assert.equal(await store.hasChunk(inUse), undefined);
  }));

Deno.test("collect() of a dry run names the candidates, oldest first, and removes nothing", () =>
  withStore(async ({ store, clock }) => {
    const hashes = [];
    for (let i = 0; i < 3; i++) {
      hashes.push(toHex(await addLoose(store, i, 10 + i)));
      await clock.advance(1_000);
    }
    const expiresAtMs = clock.wallMs();
    await store.hold([new Uint8Array(32)], { reason: "cache", owner: "a", expiresAtMs });
    const options = { retentionMs: 0, isDryRun: true };
    const report = await store.collect(options);
    assert.deepEqual(report.candidates.map(({ hash }) => toHex(hash)), hashes);
    assert.deepEqual([report.candidateCount, report.candidateBytes], [3, 33]);
    assert.deepEqual([report.removed, report.freedBytes, report.holdsEnded], [0, 0, 0]);
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 33);
    const some = await store.collect({ ...options, bytesWanted: 11 });
    assert.equal(some.candidateCount, 2);
    assert.equal((await store.collect({ retentionMs: 0 })).holdsEnded, 1);
  }));

Deno.test("collect() stops when as much is free as is wanted, the oldest first", () =>
  withStore(async ({ store, clock }) => {
    const hashes = [];
    for (let i = 0; i < 5; i++) {
      hashes.push(await addLoose(store, i));
      await clock.advance(1_000);
    }
    const report = await store.collect({ retentionMs: 0, bytesWanted: 150 });
    assert.deepEqual([report.removed, report.freedBytes], [2, 200]);
    const left = await Promise.all(hashes.map((hash) => store.hasChunk(hash)));
    assert.deepEqual(left, [undefined, undefined, 100, 100, 100]);
  }));

Deno.test("collect() asks again before a chunk goes", () =>
  withStore(async ({ store, chunks, clock }) => {
    const hashes = [];
    for (let i = 0; i < 300; i++) hashes.push(await addLoose(store, i));
    hashes.sort((a, b) => toHex(a) < toHex(b) ? -1 : 1);
    const [first = new Uint8Array()] = hashes;
    const last = hashes.at(-1) ?? first;
    const remove = chunks.remove.bind(chunks);
    const held: Promise<void>[] = [];
    // While the first ones go, another one gets a reason to stay; the first is on its way out already.
    Object.assign(chunks, {
      remove: (hash: Uint8Array) => {
        if (held.length === 0) {
          held.push(store.hold([last], { reason: "event", owner: "view" }));
          held.push(store.hold([first], { reason: "event", owner: "view" }));
        }
        return remove(hash);
      },
    });
    const report = await whilePausing(clock, store.collect({ retentionMs: 0 }));
    await Promise.all(held);
    assert.deepEqual([report.candidateCount, report.removed], [299, 299]);
    assert.deepEqual([await store.hasChunk(first), await store.hasChunk(last)], [undefined, 100]);
  }));

Deno.test("collect() forgets rows whose chunk is gone", () =>
  withStore(async ({ store, chunks }) => {
    const hash = await addLoose(store, 1);
    await chunks.remove(hash);
    const report = await store.collect({ retentionMs: 0 });
    assert.deepEqual([report.candidateCount, report.removed, report.freedBytes], [1, 0, 0]);
    assert.equal(await store.standingOf(hash), undefined);
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 0);
  }));

Deno.test("collect() pauses between slices and can be stopped there", () =>
  withStore(async ({ store, clock, ledger }) => {
    const rows = Array.from({ length: 1_000 }, (_, i) => ({
      hash: blake3(Uint8Array.of(i, i >> 8)),
      size: 1,
      first_seen_ms: i,
      last_seen_ms: i,
      is_pinned: i % 2,
      is_loose: 1,
    }));
    await ledger.db.insertInto("chunk").values(rows).execute();
    const abort = new AbortController();
    const stopped = store.collect({ retentionMs: 0, isDryRun: true, signal: abort.signal });
    abort.abort(new Error("enough"));
    await assert.rejects(whilePausing(clock, stopped), /enough/);
    const report = await whilePausing(clock, store.collect({ retentionMs: 0, isDryRun: true }));
    assert.deepEqual([report.scanned, report.candidateCount], [1_000, 500]);
    assert.equal(report.kept.pinned, 500);
  }));

Deno.test("a corrupt chunk leaves the books when it is found", () =>
  withStore(async ({ store, chunks, ledger }) => {
    const blob = await store.put(bytesSource(seededBytes(100)));
    const read = chunks.read.bind(chunks);
    Object.assign(chunks, {
      read: async (hash: Uint8Array) => {
        if (await read(hash) === undefined) return undefined;
        await chunks.remove(hash);
        Object.assign(chunks.counters, { corrupt: chunks.counters.corrupt + 1 });
        return undefined;
      },
    });
    assert.equal(await store.readChunk(blob.hash), undefined);
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 0);
    assert.equal(await store.standingOf(blob.hash), undefined);
    assert.notEqual(await store.stat(blob.hash), undefined);
    const left = await ledger.db.selectFrom("chunk").selectAll().execute();
    assert.equal(left.length, 0);
  }));
