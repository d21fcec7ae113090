import assert from "node:assert/strict";
import { type ChunkRows, openLedger, upsertChunkRows } from "../../../src/core/ledger/mod.ts";
import { seededBytes } from "../../blob/sources.ts";

const toRows = (chunks: readonly { hash: Uint8Array; size: number }[]): ChunkRows => {
  const hashes = new Uint8Array(chunks.length * 32);
  for (const [i, { hash }] of chunks.entries()) hashes.set(hash, i * 32);
  return { length: chunks.length, hashes, sizes: chunks.map(({ size }) => size) };
};

Deno.test("rows of thousands of chunks are those of one by one, in the order of the hashes", async () => {
  const ledger = openLedger({ path: ":memory:" });
  try {
    const bytes = seededBytes(2_500 * 32, 3);
    const chunks = Array.from({ length: 2_500 }, (_, i) => ({
      hash: bytes.slice(i * 32, i * 32 + 32),
      size: i === 0 ? 0 : i === 1 ? 99_999_999 : i * 7,
    }));
    const sizes = new Map(chunks.map(({ hash, size }) => [hash.toHex(), size]));
    const address = new Uint8Array(32).fill(1);
    await ledger.transaction(async (db) => {
      await upsertChunkRows(db, toRows(chunks.slice(0, 1_500)), 5);
      // Known ones, new ones, and one twice.
      const others = [...chunks.slice(1_000), ...chunks.slice(1_000, 1_001)];
      await upsertChunkRows(db, toRows(others), 9);
      await db.insertInto("blob").values({
        address,
        blob_ref: address,
        ref_hash: address,
        size: 1,
        chunk_count: chunks.length,
        created_at_ms: 1,
        kind: "directory",
        origin: "put",
        label: "",
        tree_root: null,
      }).execute();
      await upsertChunkRows(db, toRows([...chunks, ...chunks.slice(0, 1)]), 11, address);
    });
    const rows = await ledger.db.selectFrom("chunk").selectAll().execute();
    assert.equal(rows.length, chunks.length);
    const seen = new Map(rows.map((row) => [Uint8Array.from(row.hash).toHex(), row]));
    for (const [i, { hash, size }] of chunks.entries()) {
      const row = seen.get(hash.toHex());
      assert.equal(row?.size, size);
      assert.equal(row.first_seen_ms, i < 1_500 ? 5 : 9);
      assert.equal(row.last_seen_ms, 11);
    }
    const parts = await ledger.db.selectFrom("blob_chunk").selectAll().orderBy("position")
      .execute();
    assert.equal(parts.length, chunks.length + 1);
    const keys = parts.map(({ hash }) => Uint8Array.from(hash).toHex());
    assert.deepEqual(keys, keys.toSorted());
    for (const [i, part] of parts.entries()) {
      assert.equal(part.position, i);
      assert.equal(part.size, sizes.get(keys[i] ?? ""));
    }
    await assert.rejects(
      ledger.transaction((db) =>
        upsertChunkRows(db, toRows([{ hash: address, size: 10 ** 8 }]), 1)
      ),
      RangeError,
    );
  } finally {
    await ledger.close();
  }
});
