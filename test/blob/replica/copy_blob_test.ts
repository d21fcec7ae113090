/** Copies of every kind of blob: nothing of one is left behind, and nothing wrong is taken. */
import assert from "node:assert/strict";
import {
  type BlobStore,
  CHUNK_BYTES,
  copyBlob,
  countBlobBytes,
  createBlobStore,
  createMemoryChunkStore,
  encodeBlobRef,
  encodeDirManifest,
  listBlobHashes,
  type PutForm,
  refOfChunks,
  type StoredBlob,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { type Ledger, openLedger } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesOf, sourceOf } from "../../services/blobs/blob_mesh_kit.ts";

interface Side {
  readonly ledger: Ledger;
  readonly store: BlobStore;
}

interface Pair {
  readonly from: Side;
  readonly to: Side;
  /** Chunks that were fetched, in hex. */
  readonly fetched: string[];
  copy(
    blob: Pick<StoredBlob, "hash" | "ref">,
    options?: {
      readonly isDirectory?: boolean;
      readonly bytesMax?: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<StoredBlob>;
  /** In place of what the source would give. */
  answer: (hash: Uint8Array) => Promise<Uint8Array>;
}

async function withPair(action: (pair: Pair) => Promise<void>): Promise<void> {
  const side = async (): Promise<Side> => {
    const ledger = openLedger({ path: ":memory:" });
    const chunks = createMemoryChunkStore({ bytesMax: 64 * CHUNK_BYTES });
    const clock = new ManualClock();
    return { ledger, store: await createBlobStore({ ledger, chunks, clock, log: silentLog }) };
  };
  const [from, to] = [await side(), await side()];
  const fetched: string[] = [];
  const pair: Pair = {
    from,
    to,
    fetched,
    answer: async (hash) => {
      const bytes = await from.store.readChunk(hash);
      assert.ok(bytes !== undefined, `the source has ${hash.toHex()}`);
      return bytes.slice();
    },
    copy: ({ hash, ref }, options = {}) =>
      copyBlob({
        store: to.store,
        fetch: (chunk) => {
          fetched.push(chunk.toHex());
          return pair.answer(chunk);
        },
      }, {
        address: hash,
        ref,
        isDirectory: options.isDirectory ?? false,
        bytesMax: options.bytesMax ?? 64 * CHUNK_BYTES,
        signal: options.signal ?? new AbortController().signal,
      }),
  };
  try {
    await action(pair);
  } finally {
    await from.ledger.close();
    await to.ledger.close();
  }
}

const CODED: PutForm = {
  chunking: { kind: "fixed", chunkBytes: 1_000 },
  encoding: { kind: "reed_solomon", data: 4, parity: 2 },
};
const FORMS: Readonly<Record<string, { readonly size: number; readonly form?: PutForm }>> = {
  "an empty one": { size: 0 },
  "a small one": { size: 5_000 },
  "a manifest": { size: 2 * CHUNK_BYTES + 5 },
  "a tree": {
    size: 200_000,
    form: { chunking: { kind: "fixed", chunkBytes: 1_000 }, encoding: { kind: "replicated" } },
  },
  "a tree with parity": { size: 200_500, form: CODED },
};

for (const [name, { size, form }] of Object.entries(FORMS)) {
  Deno.test(`copyBlob() takes all of ${name}`, () =>
    withPair(async ({ from, to, copy, fetched }) => {
      const stored = await from.store.put(sourceOf(bytesOf(size)), { form });
      const copied = await copy(stored);
      assert.deepEqual(copied.blobRef, stored.blobRef);
      const hashes = async ({ ledger }: Side) =>
        (await listBlobHashes(ledger.db, stored.hash)).map((hash) => hash.toHex()).sort();
      const wanted = await hashes(from);
      assert.deepEqual(await hashes(to), wanted);
      assert.deepEqual([...new Set(fetched)].sort(), wanted);
      for (const hash of wanted) {
        assert.ok(await to.store.readChunk(Uint8Array.fromHex(hash)) !== undefined);
      }
      assert.equal((await to.store.stat(stored.hash))?.origin, "replica");
      // A second time nothing has to come.
      fetched.length = 0;
      await copy(stored);
      assert.deepEqual(fetched, []);
    }));
}

Deno.test("copyBlob() takes the files of a folder with it", () =>
  withPair(async ({ from, to, copy }) => {
    const small = await from.store.put(sourceOf(bytesOf(100, 1)));
    const large = await from.store.put(sourceOf(bytesOf(CHUNK_BYTES + 1, 2)));
    const manifest = encodeDirManifest([
      { kind: "dir", path: "a", mode: 16_877 },
      { kind: "file", path: "a/small", mode: 33_188, blob: encodeBlobRef(small.ref) },
      { kind: "file", path: "large", mode: 33_188, blob: encodeBlobRef(large.ref) },
      { kind: "symlink", path: "link", target: "large" },
    ]);
    const folder = await from.store.put(sourceOf(manifest));
    const copied = await copy(folder, { isDirectory: true });
    assert.equal(copied.chunkCount, 1 + 1 + 2);
    assert.equal((await to.store.stat(folder.hash))?.kind, "directory");
    const chunks = large.ref.kind === "manifest" ? large.ref.chunks : [];
    for (const { hash } of [...chunks, { hash: small.hash }]) {
      assert.ok(await to.store.hasChunk(hash) !== undefined);
    }
    // What is no manifest is no folder.
    await assert.rejects(copy(small, { isDirectory: true }), { code: "integrity" });
  }));

Deno.test("copyBlob() refuses a whole that is not what its address says, and keeps no record", () =>
  withPair(async ({ from, to, copy }) => {
    const { ref, hash } = await from.store.put(sourceOf(bytesOf(CHUNK_BYTES + 9)));
    const other = hash.map((byte) => byte ^ 255);
    await assert.rejects(copy({ hash: other, ref }), { code: "integrity" });
    assert.equal(await to.store.stat(other), undefined);
    const tree = await from.store.put(sourceOf(bytesOf(9_000, 4)), { form: CODED });
    await assert.rejects(copy({ hash: other, ref: tree.ref }), { code: "integrity" });
    // By its root a tree is as good as by the hash of the whole.
    assert.ok(tree.ref.kind === "tree");
    await copy({ hash: tree.ref.rootHash, ref: tree.ref });
  }));

Deno.test("copyBlob() refuses chunks of another size than listed", () =>
  withPair(async ({ from, copy }) => {
    const bytes = bytesOf(CHUNK_BYTES + 9);
    const parts = [bytes.subarray(0, CHUNK_BYTES), bytes.subarray(CHUNK_BYTES)];
    for (const part of parts) await from.store.addChunk(blake3(part), part);
    const chunks = parts.map((part) => ({ hash: blake3(part), size: part.length }));
    const [first, last] = chunks;
    assert.ok(first && last);
    const wrong = [first, { ...last, size: 10 }];
    const ref = refOfChunks({ wholeHash: blake3(bytes), size: CHUNK_BYTES + 10, chunks: wrong });
    await assert.rejects(copy({ hash: blake3(bytes), ref }), { code: "integrity" });
  }));

Deno.test("copyBlob() that ends early goes on from what it had", () =>
  withPair(async (pair) => {
    const { from, to, copy, fetched } = pair;
    const stored = await from.store.put(sourceOf(bytesOf(50_000)), { form: CODED });
    const { answer } = pair;
    pair.answer = (hash) =>
      fetched.length > 30 ? Promise.reject(new Error("the line is cut")) : answer(hash);
    await assert.rejects(copy(stored), /the line is cut/);
    assert.equal(await to.store.stat(stored.hash), undefined);
    const before = new Set(fetched.slice(0, 20));
    fetched.length = 0;
    pair.answer = answer;
    await copy(stored);
    assert.deepEqual(fetched.filter((hash) => before.has(hash)), []);
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(copy(stored, { signal }), /enough/);
  }));

Deno.test("copyBlob() takes no more bytes than were announced, and keeps none of those", () =>
  withPair(async ({ from, to, copy, fetched }) => {
    const stored = await from.store.put(sourceOf(bytesOf(200_000)), { form: CODED });
    const bytesMax = await countBlobBytes(from.ledger.db, stored.hash);
    await assert.rejects(copy(stored, { bytesMax: 20_000 }), { code: "integrity" });
    // What was on its way when it was noticed is no more than a window.
    assert.ok(fetched.length <= 40, `${fetched.length} chunks were fetched`);
    assert.equal(to.store.room().usedBytes, 0);
    await copy(stored, { bytesMax });
    // Content that is there again and again takes room once.
    const same = await from.store.put(sourceOf(new Uint8Array(3 * CHUNK_BYTES)));
    await copy(same, { bytesMax: CHUNK_BYTES });
  }));

Deno.test("copyBlob() keeps nothing of what turned out to be another blob", () =>
  withPair(async ({ from, to, copy }) => {
    const { ref, hash } = await from.store.put(sourceOf(bytesOf(CHUNK_BYTES + 9)));
    await assert.rejects(copy({ hash: hash.map((byte) => byte ^ 255), ref }), {
      code: "integrity",
    });
    assert.equal(to.store.room().usedBytes, 0);
  }));
