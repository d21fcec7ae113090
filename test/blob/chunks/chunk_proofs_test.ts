/** Chunks that need not be hashed again for a reader who verifies, and those that do. */
import assert from "node:assert/strict";
import { type FileChunkStore, openFileChunkStore } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { ChunkProofs } from "../../../src/blob/chunks/_chunk_proofs.ts";
import { seededBytes } from "../sources.ts";

Deno.test("a trusting read hashes what this process neither wrote nor verified, and what was written since", () =>
  withFolder(async (folder) => {
    const bytes = seededBytes(100_000, 1);
    const hash = blake3(bytes);
    const writer = await openFileChunkStore(folder);
    await writer.put(hash, bytes);
    assert.deepEqual(await readCounting(writer, hash), { bytes, hashed: 0 });
    await writer.close();
    // Another process wrote it, as far as this one knows.
    const store = await openFileChunkStore(folder);
    assert.deepEqual(await readCounting(store, hash), { bytes, hashed: 1 });
    assert.deepEqual(await readCounting(store, hash), { bytes, hashed: 0 });
    assert.deepEqual(await readCounting(store, hash, false), { bytes, hashed: 1 });
    const path = `${folder}/${hash.toHex().slice(0, 2)}/${hash.toHex()}`;
    await Deno.utime(path, new Date(), new Date(Date.now() + 5_000));
    assert.deepEqual(await readCounting(store, hash), { bytes, hashed: 1 });
    await Deno.writeFile(path, bytes.toReversed());
    await Deno.utime(path, new Date(), new Date(Date.now() + 9_000));
    assert.deepEqual(await readCounting(store, hash), { bytes: undefined, hashed: 1 });
    assert.equal(store.counters.corrupt, 1);
    await store.close();
  }));

Deno.test("a chunk that lost its end is damaged, whatever was proven of it", () =>
  withFolder(async (folder) => {
    const bytes = seededBytes(100_000, 2);
    const hash = blake3(bytes);
    const store = await openFileChunkStore(folder);
    await store.put(hash, bytes);
    const path = `${folder}/${hash.toHex().slice(0, 2)}/${hash.toHex()}`;
    const { mtime } = await Deno.stat(path);
    await Deno.truncate(path, 99_999);
    await Deno.utime(path, new Date(), mtime ?? new Date());
    assert.deepEqual(await readCounting(store, hash), { bytes: undefined, hashed: 1 });
    assert.equal(await store.read(hash), undefined);
    await store.close();
  }));

Deno.test("ChunkProofs forget the oldest, what is an hour old, and what has no time", () => {
  const proofs = new ChunkProofs();
  const stamp = (writtenAtMs: number | undefined) => ({ writtenAtMs, size: 7 });
  proofs.note("a", stamp(5), 0);
  assert.ok(proofs.holds("a", stamp(5), 3_599_999));
  assert.ok(!proofs.holds("a", stamp(5), 3_600_000));
  assert.ok(!proofs.holds("a", stamp(6), 0));
  assert.ok(!proofs.holds("a", { writtenAtMs: 5, size: 8 }, 0));
  proofs.note("b", stamp(undefined), 0);
  assert.ok(!proofs.holds("b", stamp(undefined), 0));
  for (let i = 0; i < 16_384; i++) proofs.note(String(i), stamp(1), 0);
  assert.ok(!proofs.holds("a", stamp(5), 0));
  assert.ok(proofs.holds("0", stamp(1), 0));
  proofs.remove("0");
  assert.ok(!proofs.holds("0", stamp(1), 0));
});

async function readCounting(store: FileChunkStore, hash: Uint8Array, isTrusting = true) {
  let hashed = 0;
  const bytes = await store.read(hash, undefined, {
    isTrusting,
    hash: (read) => {
      hashed += 1;
      return Promise.resolve(blake3(read));
    },
  });
  return { bytes, hashed };
}

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-proofs-" });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
