import assert from "node:assert/strict";
import { concatBytes, NetError } from "../../src/base/mod.ts";
import {
  type BlobCursor,
  CHUNK_BYTES,
  type ChunkStore,
  createBlobStore,
  createMemoryChunkStore,
  createTreeBuilder,
  decodeBlobRef,
  formatAddress,
  openFileChunkStore,
} from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import { type Ledger, openLedger } from "../../src/core/ledger/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";
import { bytesSource, seededBytes } from "./sources.ts";
import { withStore } from "./store_kit.ts";

async function chunkCount(chunks: ChunkStore): Promise<number> {
  let count = 0;
  for await (const _ of chunks.list()) count += 1;
  return count;
}

Deno.test("put() stores chunks, record and reference", () =>
  withStore(async ({ store, clock }) => {
    for (const size of [0, 10, CHUNK_BYTES, CHUNK_BYTES + 1]) {
      const bytes = seededBytes(size, size);
      const blob = await store.put(bytesSource(bytes), { label: "a" });
      assert.equal(blob.address, formatAddress(blake3(bytes)));
      assert.equal(blob.size, size);
      assert.equal(blob.ref.kind, size > CHUNK_BYTES ? "manifest" : "small");
      assert.deepEqual(decodeBlobRef(blob.blobRef), { ok: true, ref: blob.ref });
      assert.deepEqual(await store.resolve(blob.hash), blob.ref);
      assert.deepEqual(await store.readRefOf(blob.hash), new Uint8Array(blob.blobRef));
      assert.deepEqual(await store.readRef(blake3(blob.blobRef)), new Uint8Array(blob.blobRef));
      const record = await store.stat(blob.hash);
      assert.equal(record?.chunkCount, blob.chunkCount);
      assert.equal(record?.label, "a");
      assert.equal(record?.createdAtMs, clock.wallMs());
    }
    assert.equal(store.counters.dataforts_blobs_stored_total, 4);
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 10 + 2 * CHUNK_BYTES + 1);
    assert.equal(await store.resolve(new Uint8Array(32)), undefined);
    assert.equal(await store.readChunk(new Uint8Array(32)), undefined);
  }));

Deno.test("put() of the same bytes again changes nothing", () =>
  withStore(async ({ store, chunks, clock }) => {
    const first = await store.put(bytesSource(seededBytes(10)));
    const createdAtMs = clock.wallMs();
    await clock.advance(1000);
    assert.equal((await store.put(bytesSource(seededBytes(10)))).address, first.address);
    assert.equal((await store.stat(first.hash))?.createdAtMs, createdAtMs);
    assert.equal(await chunkCount(chunks), 1);
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 10);
  }));

Deno.test("put() reports its progress, thinned out, and its end", () =>
  withStore(async ({ store }) => {
    const reports: number[] = [];
    await store.put(bytesSource(seededBytes(3 * CHUNK_BYTES)), {
      totalBytes: 3 * CHUNK_BYTES,
      onProgress: ({ stage, doneBytes, totalBytes }) => {
        assert.equal(stage, "store");
        assert.equal(totalBytes, 3 * CHUNK_BYTES);
        reports.push(doneBytes);
      },
    });
    assert.equal(reports.length, 2);
    assert.equal(reports.at(-1), 3 * CHUNK_BYTES);
  }));

Deno.test("a put that was given up leaves nothing", () =>
  withStore(async ({ store, chunks }) => {
    const abort = new AbortController();
    const source = bytesSource(seededBytes(4 * CHUNK_BYTES));
    let reads = 0;
    const slow = {
      read: (into: Uint8Array) => {
        if (++reads === 10) abort.abort(new Error("enough"));
        return source.read(into);
      },
    };
    await assert.rejects(store.put(slow, { signal: abort.signal }), /enough/);
    assert.deepEqual((await store.list()).blobs, []);
    assert.equal(await chunkCount(chunks), 0);
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 0);
  }));

Deno.test("a put that meets a full store is refused and leaves what was there", () =>
  withStore(async ({ store, chunks }) => {
    const kept = await store.put(bytesSource(seededBytes(CHUNK_BYTES)));
    // The first chunk is one that is there already: it must survive.
    const bytes = new Uint8Array(4 * CHUNK_BYTES);
    bytes.set(seededBytes(CHUNK_BYTES));
    bytes.set(seededBytes(3 * CHUNK_BYTES, 2), CHUNK_BYTES);
    await assert.rejects(
      store.put(bytesSource(bytes)),
      (error) => error instanceof NetError && error.code === "no_space",
    );
    assert.equal(await chunkCount(chunks), 1);
    assert.deepEqual(await store.readChunk(kept.hash), seededBytes(CHUNK_BYTES));
    assert.equal((await store.list()).blobs.length, 1);
  }, createMemoryChunkStore({ bytesMax: 3 * CHUNK_BYTES })));

Deno.test("a put whose record cannot be written is refused and leaves nothing", () =>
  withStore(async ({ store, chunks, ledger }) => {
    const { sql } = await import("kysely");
    await sql`CREATE TRIGGER full BEFORE INSERT ON blob BEGIN SELECT RAISE(ABORT, 'disk is full'); END`
      .execute(ledger.db);
    await assert.rejects(
      store.put(bytesSource(seededBytes(100))),
      (error) => error instanceof NetError && error.code === "no_space",
    );
    assert.equal(await chunkCount(chunks), 0);
  }));

Deno.test("remove() frees only chunks that no other blob refers to", () =>
  withStore(async ({ store, chunks }) => {
    const shared = seededBytes(CHUNK_BYTES, 1);
    const one = concatBytes(shared, Uint8Array.of(1));
    const two = concatBytes(shared, Uint8Array.of(2, 2));
    const a = await store.put(bytesSource(one));
    const b = await store.put(bytesSource(two));
    assert.deepEqual(await store.remove(a.hash), { freedBytes: 1 });
    assert.equal(await store.remove(a.hash), undefined);
    assert.equal(await store.hasChunk(blake3(shared)), CHUNK_BYTES);
    assert.deepEqual(await store.remove(b.hash), { freedBytes: CHUNK_BYTES + 2 });
    assert.equal(await chunkCount(chunks), 0);
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 0);
  }));

Deno.test("remove() frees a chunk once that a blob holds twice", () =>
  withStore(async ({ store, chunks }) => {
    const blob = await store.put(bytesSource(new Uint8Array(3 * CHUNK_BYTES)));
    assert.equal(blob.chunkCount, 3);
    assert.equal(await chunkCount(chunks), 1);
    assert.deepEqual(await store.remove(blob.hash), { freedBytes: CHUNK_BYTES });
  }));

Deno.test("remove() works on a full disk: chunks make room for forgetting them", () =>
  withStore(async ({ store, chunks, ledger }) => {
    const kept = await store.put(bytesSource(seededBytes(50, 1)));
    const blob = await store.put(bytesSource(seededBytes(100, 2)));
    // The ledger is full as long as the chunk is there.
    let isFull = true;
    const remove = chunks.remove.bind(chunks);
    Object.assign(chunks, {
      remove: (hash: Uint8Array) => {
        isFull = false;
        return remove(hash);
      },
    });
    const full: Ledger = {
      ...ledger,
      transaction: (action) =>
        isFull
          ? Promise.reject(new NetError("no_space", "Cannot use ledger: full"))
          : ledger.transaction(action),
    };
    const clock = new ManualClock();
    const again = await createBlobStore({ ledger: full, chunks, clock, log: silentLog });
    assert.deepEqual(await again.remove(blob.hash), { freedBytes: 100 });
    assert.equal(await again.stat(blob.hash), undefined);
    assert.equal(again.counters.dataforts_blob_disk_used_bytes, 50);
    assert.deepEqual(await again.readChunk(kept.hash), seededBytes(50, 1));
  }));

Deno.test("a removal leaves chunks alone that a put under way counts on", () =>
  withStore(async ({ store }) => {
    const shared = seededBytes(CHUNK_BYTES, 1);
    const old = await store.put(bytesSource(shared));
    // The new blob begins with the chunk of the old one, and is not done when that is removed.
    const bytes = concatBytes(shared, Uint8Array.of(9));
    const inner = bytesSource(bytes);
    let at = 0;
    const source = {
      read: async (into: Uint8Array) => {
        if (at >= CHUNK_BYTES && at < bytes.length) await store.remove(old.hash);
        const count = await inner.read(into);
        at += count ?? 0;
        return count;
      },
    };
    const blob = await store.put(source);
    assert.deepEqual(await store.readChunk(blake3(shared)), shared);
    assert.equal(await store.stat(old.hash), undefined);
    assert.notEqual(await store.stat(blob.hash), undefined);
  }));

Deno.test("list() pages through blobs, newest first", () =>
  withStore(async ({ store, clock }) => {
    const added: string[] = [];
    for (let i = 0; i < 7; i++) {
      added.unshift((await store.put(bytesSource(seededBytes(i + 1, i)))).address);
      // Some share their time.
      if (i % 2 === 0) await clock.advance(5);
    }
    const seen: string[] = [];
    let pages = 0;
    let after: BlobCursor | undefined;
    for (;;) {
      const page = await store.list({ limit: 3, after });
      seen.push(...page.blobs.map((blob) => formatAddress(blob.address)));
      pages += 1;
      if (page.next === undefined) break;
      after = page.next;
    }
    assert.equal(pages, 3);
    assert.deepEqual([...seen].sort(), [...added].sort());
    assert.equal(new Set(seen).size, 7);
    assert.equal(seen.at(-1) === added.at(-1) || seen.at(-2) === added.at(-1), true);
    assert.equal((await store.list({ limit: 7 })).next, undefined);
  }));

Deno.test("adoptStrangers() gives chunks without a row one, and removes nothing", () =>
  withStore(async ({ store, chunks }) => {
    const blob = await store.put(bytesSource(seededBytes(100)));
    const lost = seededBytes(50, 7);
    await chunks.put(blake3(lost), lost);
    assert.equal(await store.standingOf(blake3(lost)), undefined);
    assert.equal(await store.adoptStrangers(), 1);
    assert.equal(await store.adoptStrangers(), 0);
    assert.equal((await store.standingOf(blake3(lost)))?.refcount, 0);
    assert.deepEqual(await store.readChunk(blob.hash), seededBytes(100));
    assert.equal(store.counters.dataforts_blob_disk_used_bytes, 150);
  }));

Deno.test("a draft holds its chunks until it ends", () =>
  withStore(async ({ store, chunks }) => {
    const bytes = seededBytes(30, 3);
    const hash = blake3(bytes);
    const blob = await store.put(bytesSource(bytes));
    const draft = store.begin();
    assert.equal(await draft.keepChunk(hash), 30);
    assert.equal((await store.standingOf(hash))?.isInUse, true);
    assert.deepEqual(await store.remove(blob.hash), { freedBytes: 0 });
    assert.equal(await chunks.has(hash), 30);
    const { ref, size } = blob;
    await draft.commit({
      address: hash,
      ref,
      size,
      chunks: [{ hash, size }],
      kind: "blob",
    });
    await draft.abort();
    assert.equal((await store.stat(hash))?.size, 30);
    assert.deepEqual(await store.remove(hash), { freedBytes: 30 });
    await assert.rejects(draft.putChunk(hash, bytes), { code: "conflict" });
  }));

Deno.test("an aborted draft removes what it stored, unless that is kept for another try", () =>
  withStore(async ({ store, chunks }) => {
    for (const keepChunks of [false, true]) {
      const bytes = seededBytes(30, 3);
      const draft = store.begin();
      assert.equal(await draft.putChunk(blake3(bytes), bytes), "stored");
      await draft.abort({ keepChunks });
      await draft.abort();
      assert.equal(await chunks.has(blake3(bytes)), keepChunks ? 30 : undefined);
    }
  }));

Deno.test("a blob that is put again takes the label that is given, and keeps the one it has", () =>
  withStore(async ({ store }) => {
    const bytes = seededBytes(1_000, 6);
    const put = await store.put(bytesSource(bytes), { label: "first" });
    await store.put(bytesSource(bytes));
    assert.equal((await store.stat(put.hash))?.label, "first");
    await store.put(bytesSource(bytes), { label: "second" });
    assert.equal((await store.stat(put.hash))?.label, "second");
  }));

Deno.test("another reference to the same bytes takes the place of the first", () =>
  withStore(async ({ store }) => {
    const bytes = seededBytes(2_000_000, 5);
    const first = await store.put(bytesSource(bytes), { label: "first" });
    const halves = [bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)];
    const builder = createTreeBuilder();
    const draft = store.begin();
    const chunks = [];
    for (const half of halves) {
      const chunk = { hash: blake3(half), size: half.length };
      await draft.putChunk(chunk.hash, half);
      chunks.push(chunk);
      builder.addChunk(chunk);
    }
    const { ref, nodes } = builder.finish();
    for (const node of nodes) {
      await draft.putChunk(node.hash, node.bytes);
      chunks.push({ hash: node.hash, size: node.bytes.length });
    }
    await draft.commit({ address: first.hash, ref, size: bytes.length, chunks, kind: "blob" });
    const record = await store.stat(first.hash);
    assert.equal(record?.label, "first");
    assert.deepEqual(await store.resolve(first.hash), ref);
    assert.deepEqual(await store.stat(ref.rootHash), record);
    assert.equal((await store.standingOf(first.hash))?.refcount, 0);
    assert.equal((await store.standingOf(ref.rootHash))?.refcount, 1);
  }));

Deno.test("chunks of their own: added, held, released, removed", () =>
  withStore(async ({ store, clock }) => {
    const bytes = seededBytes(40, 4);
    const hash = blake3(bytes);
    const changes: string[] = [];
    const stop = store.onChange(({ kind, size }) => changes.push(`${kind} ${size}`));
    assert.equal(await store.addChunk(hash, bytes), "stored");
    assert.equal(await store.addChunk(hash, bytes, { isDurable: true }), "present");
    await store.hold([hash], { reason: "staging", owner: "staging:a" });
    const expiresAtMs = clock.wallMs() + 1_000;
    await store.hold([hash], { reason: "replica", owner: "replica:b", expiresAtMs });
    assert.equal((await store.standingOf(hash))?.isStaged, true);
    assert.equal((await store.standingOf(hash))?.isReplica, true);
    assert.equal(await store.removeChunk(hash), undefined);
    await clock.advance(1_000);
    assert.equal((await store.standingOf(hash))?.isReplica, false);
    assert.equal(await store.release("staging:a"), 1);
    assert.equal(await store.release("staging:a"), 0);
    assert.equal(await store.removeChunk(hash), 40);
    assert.equal(await store.standingOf(hash), undefined);
    stop();
    assert.deepEqual(changes, ["added 40", "removed 40"]);
  }));

Deno.test("blobs survive closing and opening", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const open = async () => {
      const ledger = openLedger({ path: `${folder}/net.db` });
      const chunks = await openFileChunkStore(`${folder}/blobs`);
      const clock = new ManualClock();
      return { ledger, store: await createBlobStore({ ledger, chunks, clock, log: silentLog }) };
    };
    const first = await open();
    const blob = await first.store.put(bytesSource(seededBytes(CHUNK_BYTES + 9)));
    await first.ledger.close();
    const again = await open();
    assert.deepEqual(await again.store.resolve(blob.hash), blob.ref);
    assert.equal(again.store.counters.dataforts_blob_disk_used_bytes, CHUNK_BYTES + 9);
    const chunk = await again.store.readChunk(
      blake3(seededBytes(CHUNK_BYTES + 9).subarray(0, CHUNK_BYTES)),
    );
    assert.equal(chunk?.length, CHUNK_BYTES);
    await again.ledger.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("put() without syncing leaves the disk alone until sync()", async () => {
  const ledger = openLedger({ path: ":memory:" });
  const chunks = createMemoryChunkStore({ bytesMax: 1_000 });
  const did: string[] = [];
  const [put, keep, flush] = [
    chunks.put.bind(chunks),
    chunks.keep.bind(chunks),
    chunks.flush.bind(chunks),
  ];
  const spies: Partial<ChunkStore> = {
    put: (hash, bytes, options) => {
      did.push(options?.isDurable === false ? "put" : "put durable");
      return put(hash, bytes, options);
    },
    keep: (hash) => {
      did.push("keep");
      return keep(hash);
    },
    flush: () => {
      did.push("flush");
      return flush();
    },
  };
  Object.assign(chunks, spies);
  try {
    const clock = new ManualClock();
    const store = await createBlobStore({ ledger, chunks, clock, log: silentLog });
    const { hash } = await store.put(bytesSource(Uint8Array.of(1, 2, 3)), { isSynced: false });
    assert.deepEqual(did.splice(0), ["put"]);
    await store.sync(hash);
    assert.deepEqual(did.splice(0), ["keep", "flush"]);
    // Once is enough, and a blob that was put as usual needs none.
    await store.sync(hash);
    const other = await store.put(bytesSource(Uint8Array.of(4)));
    assert.deepEqual(did.splice(0), ["put durable", "flush"]);
    await store.sync(other.hash);
    assert.deepEqual(did, []);
  } finally {
    await ledger.close();
  }
});

Deno.test("sync() syncs what a process before this one put without syncing it", () =>
  withStore(async ({ store, chunks, ledger, clock }) => {
    const bytes = seededBytes(1_000);
    const { hash } = await store.put(bytesSource(bytes), { isSynced: false });
    const again = await createBlobStore({ ledger, chunks, clock, log: silentLog });
    const kept: string[] = [];
    const keep = chunks.keep.bind(chunks);
    chunks.keep = (chunk) => {
      kept.push(chunk.toHex());
      return keep(chunk);
    };
    await again.sync(hash);
    await again.sync(hash);
    assert.deepEqual(kept, [hash.toHex()]);
  }));

Deno.test("hold(), release() and the end of a draft leave turns for other work", () =>
  withStore(async ({ store, clock }) => {
    const hashes = Array.from({ length: 20_000 }, (_, i) => {
      const hash = new Uint8Array(32);
      new DataView(hash.buffer).setUint32(0, i);
      return hash;
    });
    let turns = 0;
    const soon = clock.soon.bind(clock);
    clock.soon = (action) => {
      turns += 1;
      soon(action);
    };
    const turnsOf = async (work: () => Promise<unknown>): Promise<number> => {
      let isDone = false;
      turns = 0;
      const done = work().finally(() => isDone = true);
      while (!isDone) {
        turns += 1;
        await clock.advance(0);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      await done;
      return turns;
    };
    const hold = { reason: "replica", owner: "a" } as const;
    assert.ok(await turnsOf(() => store.hold(hashes, hold)) >= 5);
    assert.equal((await store.holdOwners("a")).length, 1);
    const [first] = hashes;
    assert.ok(first !== undefined);
    assert.equal(await store.release("a", [first]), 1);
    let released = 0;
    const release = async () => released = await store.release("a");
    assert.ok(await turnsOf(release) >= 5);
    assert.equal(released, 19_999);
    const draft = store.begin();
    for (const hash of hashes) await draft.keepChunk(hash);
    assert.ok(await turnsOf(() => draft.abort()) >= 3);
  }));
