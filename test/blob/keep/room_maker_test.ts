import assert from "node:assert/strict";
import { type BlobOrigin, type BlobStore, createMemoryChunkStore } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { addLoose, type StoreParts, withStore } from "../store_kit.ts";

const NO_SPACE = { code: "no_space" };

function withRoomFor(bytesMax: number, action: (parts: StoreParts) => Promise<void>) {
  return withStore(action, createMemoryChunkStore({ bytesMax }));
}

async function putAs(store: BlobStore, origin: BlobOrigin, seed: number): Promise<Uint8Array> {
  const bytes = seededBytes(100, seed);
  const address = blake3(bytes);
  const draft = store.begin({ origin });
  await draft.putChunk(address, bytes);
  const ref = { kind: "small", uri: "mesh://x", hash: address, size: 100 } as const;
  const chunks = [{ hash: address, size: 100 }];
  await draft.commit({ address, ref, size: 100, chunks, kind: "blob" });
  return address;
}

Deno.test("a full store gives up what nothing needs, the oldest first, then refuses", () =>
  withRoomFor(1_000, async ({ store, clock }) => {
    const kept = await store.put(bytesSource(seededBytes(500)));
    const loose = [];
    for (let i = 1; i <= 5; i++) {
      await clock.advance(1_000);
      loose.push(await addLoose(store, i));
    }
    await store.put(bytesSource(seededBytes(150, 20)));
    const left = await Promise.all(loose.map((hash) => store.hasChunk(hash)));
    assert.deepEqual(left, [undefined, undefined, 100, 100, 100]);
    await store.put(bytesSource(seededBytes(350, 21)));
    assert.deepEqual(store.room(), { usedBytes: 1_000, capacityBytes: 1_000, freeBytes: 0 });
    await assert.rejects(store.put(bytesSource(seededBytes(10, 22))), NO_SPACE);
    assert.deepEqual(await store.readChunk(kept.hash), seededBytes(500));
    assert.equal(store.roomCounters.room_freed_bytes_total, 500);
    assert.equal(store.roomCounters.room_short_total, 1);
  }));

Deno.test("a full store gives up cached copies before fetched ones, and what was put never", () =>
  withRoomFor(500, async ({ store, ledger }) => {
    const [put, replica] = [await putAs(store, "put", 1), await putAs(store, "replica", 2)];
    const pinned = await putAs(store, "cached", 3);
    await ledger.db.updateTable("blob").set({ is_pinned: 1 }).where("address", "=", pinned)
      .execute();
    const fetched = await putAs(store, "fetched", 4);
    const cached = await putAs(store, "cached", 5);
    await store.put(bytesSource(seededBytes(80, 10)));
    assert.equal(await store.stat(cached), undefined);
    assert.notEqual(await store.stat(fetched), undefined);
    await store.put(bytesSource(seededBytes(80, 11)));
    assert.equal(await store.stat(fetched), undefined);
    await assert.rejects(store.put(bytesSource(seededBytes(80, 12))), NO_SPACE);
    for (const address of [put, replica, pinned]) assert.equal(await store.hasChunk(address), 100);
  }));

Deno.test("a full store gives up what caches hold, and nothing else that is held", () =>
  withRoomFor(300, async ({ store, clock }) => {
    const [cache, event, both] = [
      await addLoose(store, 1),
      await addLoose(store, 2),
      await addLoose(store, 3),
    ];
    await store.hold([cache, both], { reason: "cache", owner: "cache" });
    await store.hold([event, both], { reason: "event", owner: "view" });
    await store.put(bytesSource(seededBytes(60, 10)));
    assert.equal(await store.hasChunk(cache), undefined);
    await assert.rejects(store.put(bytesSource(seededBytes(80, 11))), NO_SPACE);
    const expiresAtMs = clock.wallMs() + 1_000;
    await store.hold([event], { reason: "event", owner: "view", expiresAtMs });
    await clock.advance(1_000);
    await store.put(bytesSource(seededBytes(80, 11)));
    assert.equal(await store.hasChunk(event), undefined);
    assert.equal(await store.hasChunk(both), 100);
    await store.release("view");
    await store.put(bytesSource(seededBytes(80, 12)));
    assert.equal(await store.hasChunk(both), undefined);
  }));

Deno.test("what a draft uses is not given up for its own next chunk", () =>
  withRoomFor(250, async ({ store }) => {
    const bytes = seededBytes(100, 1);
    const hash = await addLoose(store, 1);
    const draft = store.begin();
    assert.equal(await draft.keepChunk(hash), 100);
    const more = seededBytes(200, 2);
    await assert.rejects(draft.putChunk(blake3(more), more), NO_SPACE);
    assert.deepEqual(await store.readChunk(hash), bytes);
    await draft.abort();
    assert.equal(await store.addChunk(blake3(more), more), "stored");
    assert.equal(await store.hasChunk(hash), undefined);
  }));

Deno.test("puts at the same time share the room that is made", () =>
  withRoomFor(1_000, async ({ store }) => {
    for (let i = 1; i <= 10; i++) await addLoose(store, i);
    const puts = Array.from(
      { length: 9 },
      (_, i) => store.put(bytesSource(seededBytes(100, 50 + i))),
    );
    for (const blob of await Promise.all(puts)) assert.equal(await store.hasChunk(blob.hash), 100);
    assert.ok(store.room().usedBytes <= 1_000);
    assert.equal((await store.list()).blobs.length, 9);
  }));
