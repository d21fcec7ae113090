/** The store of a node as the flow sees it: on a real ledger, and as the simulator has it. */
import assert from "node:assert/strict";
import { createBlobStore, createMemoryChunkStore, type FlowStore } from "../../../src/blob/mod.ts";
import { openLedger } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { createFlowStore } from "../../../src/services/mod.ts";
import { bytesSource } from "../../blob/sources.ts";
import { whilePausing } from "../../blob/store_kit.ts";
import { CHUNK, chunkOf, WorldStore } from "../../blob/flow/flow_world.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

interface Kit {
  readonly store: FlowStore;
  readonly clock: ManualClock;
  /** Stores a chunk as a blob of its own. */
  putBlob(number: number): Promise<void>;
  removeBlob(number: number): Promise<void>;
  close(): Promise<void>;
}

async function realKit(): Promise<Kit> {
  const clock = new ManualClock();
  const ledger = openLedger({ path: ":memory:" });
  const chunks = createMemoryChunkStore({ bytesMax: 1 << 20 });
  const blobs = await createBlobStore({ ledger, chunks, clock, log: silentLog });
  return {
    store: createFlowStore({ clock, ledger, blobs }),
    clock,
    putBlob: async (number) => void await blobs.put(bytesSource(chunkOf(number).bytes)),
    removeBlob: async (number) => void await blobs.remove(chunkOf(number).hash),
    close: () => ledger.close(),
  };
}

function worldKit(): Promise<Kit> {
  const clock = new ManualClock();
  const store = new WorldStore(clock, 1_000 * CHUNK);
  return Promise.resolve({
    store,
    clock,
    putBlob: (number) => {
      const { hash, bytes } = chunkOf(number);
      store.put(hash, bytes);
      store.refs.set(hash.toHex(), 1);
      return Promise.resolve();
    },
    removeBlob: (number) => {
      const { hash } = chunkOf(number);
      store.refs.delete(hash.toHex());
      store.rows.delete(hash.toHex());
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  });
}

for (const [name, open] of [["ledger", realKit], ["simulator", worldKit]] as const) {
  Deno.test(`${name}: chunks are added, found, and dropped unless somebody counts on them`, async () => {
    const { store, putBlob, close } = await open();
    const [blob, copy, replica] = [chunkOf(1), chunkOf(2), chunkOf(3)];
    await putBlob(1);
    assert.equal(await store.add(copy.hash, copy.bytes), "stored");
    assert.equal(await store.add(copy.hash, copy.bytes), "present");
    await store.add(replica.hash, replica.bytes);
    await store.hold([replica.hash], { reason: "replica", owner: "overflow:0000000000000009" });
    const hexes = (list: readonly { readonly hash: Uint8Array }[]) =>
      list.map(({ hash }) => hash.toHex()).sort();
    const hashes = [blob.hash, copy.hash, replica.hash, chunkOf(4).hash];
    assert.equal((await store.present(hashes)).length, 3);
    const loose = await store.oldest({ limit: 9, isReferredToo: false });
    assert.deepEqual(hexes(loose), hexes([copy]));
    const all = await store.oldest({ limit: 9, isReferredToo: true });
    assert.deepEqual(hexes(all), hexes([blob, copy]));
    assert.equal((await store.oldest({ limit: 1, isReferredToo: true })).length, 1);
    assert.equal(await store.drop(replica.hash), undefined);
    assert.notEqual(await store.drop(blob.hash), undefined);
    assert.equal(await store.has(blob.hash), undefined);
    assert.equal(await store.read(blob.hash), undefined);
    // The blob still refers to it.
    assert.ok((await store.sizes([blob.hash])).has(blob.hash.toHex()));
    assert.equal(await store.discard(replica.hash), undefined);
    assert.notEqual(await store.discard(copy.hash), undefined);
    assert.equal(await store.discard(copy.hash), undefined);
    await close();
  });

  Deno.test(`${name}: holds are found by the beginning of their owner's name`, async () => {
    const { store, close } = await open();
    const { hash } = chunkOf(1);
    await store.add(hash, chunkOf(1).bytes);
    await store.hold([hash], { reason: "cache", owner: "greedy:a/b" });
    await store.hold([hash], { reason: "cache", owner: "greedy:c" });
    await store.hold([hash], { reason: "cache", owner: "cache" });
    const owners = async (prefix: string) =>
      (await store.heldBy(prefix)).map(({ owner }) => owner).sort();
    assert.deepEqual(await owners("greedy:"), ["greedy:a/b", "greedy:c"]);
    assert.deepEqual(await owners("cache"), ["cache"]);
    assert.deepEqual(await owners("overflow:"), []);
    assert.equal((await store.standing(hash))?.refcount, 3);
    assert.equal(await store.release("greedy:c", [hash]), 1);
    assert.equal((await store.standing(hash))?.refcount, 2);
    await close();
  });

  Deno.test(`${name}: spills are written, renewed, and known to be needless`, async () => {
    const { store: { spilled }, putBlob, removeBlob, close } = await open();
    await putBlob(1);
    await putBlob(2);
    const [first, second] = [chunkOf(1).hash, chunkOf(2).hash];
    const at = (hash: Uint8Array, holder: bigint, provenAtMs: number) => ({
      hash,
      size: 64,
      holder,
      provenAtMs,
    });
    await spilled.write([at(first, 7n, 10), at(first, 2n ** 63n, 20), at(second, 7n, 30)]);
    assert.deepEqual(new Set(await spilled.holders(first)), new Set([7n, 2n ** 63n]));
    assert.equal(await spilled.count(), 2);
    assert.deepEqual((await spilled.oldest(25, 9)).map(({ provenAtMs }) => provenAtMs), [10, 20]);
    await spilled.write([at(first, 7n, 99)]);
    assert.deepEqual((await spilled.oldest(25, 9)).map(({ holder }) => holder), [2n ** 63n]);
    assert.deepEqual(await spilled.unneeded(9), []);
    await removeBlob(1);
    assert.equal((await spilled.unneeded(9)).length, 2);
    await spilled.remove(first, 7n);
    assert.deepEqual(await spilled.holders(first), [2n ** 63n]);
    await spilled.remove(first);
    assert.equal(await spilled.count(), 1);
    await close();
  });
}

Deno.test("ledger: what is pinned is no candidate, and what the flow adds is no fetch", async () => {
  const clock = new ManualClock();
  const ledger = openLedger({ path: ":memory:" });
  const chunks = createMemoryChunkStore({ bytesMax: 1 << 20 });
  const blobs = await createBlobStore({ ledger, chunks, clock, log: silentLog });
  const store = createFlowStore({ clock, ledger, blobs });
  const { hash, bytes } = chunkOf(1);
  await blobs.put(bytesSource(bytes));
  await ledger.db.updateTable("blob").set({ is_pinned: 1 }).execute();
  assert.deepEqual(await store.oldest({ limit: 9, isReferredToo: true }), []);
  assert.equal(await store.drop(hash), undefined);
  let reads = 0;
  const fetched: string[] = [];
  blobs.onRead(() => reads += 1);
  blobs.onChange((change) => {
    if (change.isCopy && !store.isAdding(change.hash)) fetched.push(change.hash.toHex());
  });
  await store.read(hash);
  assert.equal(reads, 0);
  await blobs.readChunk(hash);
  assert.equal(reads, 1);
  await store.add(chunkOf(2).hash, chunkOf(2).bytes);
  await blobs.addChunk(chunkOf(3).hash, chunkOf(3).bytes);
  await blobs.put(bytesSource(chunkOf(4).bytes));
  assert.deepEqual(fetched, [chunkOf(3).hash.toHex()]);
  await ledger.close();
});

Deno.test("ledger: a large store is looked through bit by bit, each chunk once a round", async () => {
  const clock = new ManualClock();
  const ledger = openLedger({ path: ":memory:" });
  const chunks = createMemoryChunkStore({ bytesMax: 1 << 20 });
  const blobs = await createBlobStore({ ledger, chunks, clock, log: silentLog });
  const store = createFlowStore({ clock, ledger, blobs });
  const count = 5_000;
  await ledger.transaction(async (db) => {
    for (let i = 0; i < count; i += 500) {
      const rows = Array.from({ length: 500 }, (_, k) => ({
        hash: chunkOf(i + k).hash,
        size: 64,
        // Many of the same age.
        first_seen_ms: Math.floor((i + k) / 700),
        last_seen_ms: 0,
        is_pinned: (i + k) % 4 === 0 ? 1 : 0,
      }));
      await db.insertInto("chunk").values(rows).execute();
    }
  });
  const seen = new Map<string, number>();
  for (let call = 0; call < 13; call++) {
    const found = await whilePausing(clock, store.oldest({ limit: 300, isReferredToo: false }));
    for (const { hash } of found) seen.set(hash.toHex(), (seen.get(hash.toHex()) ?? 0) + 1);
  }
  assert.equal(seen.size, count * 3 / 4);
  assert.ok([...seen.values()].every((times) => times === 1));
  await ledger.close();
});
