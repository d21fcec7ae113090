/** What the chunk store keeps on its disk (docs/blob-store.md). */
import assert from "node:assert/strict";
import type { DiskFile } from "../../../src/base/mod.ts";
import { encodeRecord, scanRecords } from "../../../src/blob/chunks/pack_record.ts";
import { ChunkSealer } from "../../../src/blob/chunks/sealing.ts";
import type { VectorSuite } from "../suite.ts";
import { bytesOf, listOf, numberOf, objectOf, type VectorObject } from "../vector_reader.ts";

/** Cases of `docs/vectors/chunk_store.json`. */
export const CHUNK_STORE_SUITE: VectorSuite = () => ({
  sealed: checkSealed,
  refused: (vector) =>
    assert.equal(
      sealerOf(vector).open(bytesOf(vector, "hash"), bytesOf(vector, "sealed")),
      undefined,
    ),
  packs: checkPack,
});

function sealerOf(vector: VectorObject): ChunkSealer {
  return new ChunkSealer(bytesOf(vector, "store_key"), () => assert.fail("no nonce is needed"));
}

function checkSealed(vector: VectorObject): void {
  const [hash, bytes] = [bytesOf(vector, "hash"), bytesOf(vector, "bytes")];
  const nonce = new Uint8Array(bytesOf(vector, "nonce"));
  const sealer = new ChunkSealer(bytesOf(vector, "store_key"), () => nonce);
  assert.deepEqual(sealer.keyId, bytesOf(vector, "key_id"));
  assert.deepEqual(sealer.seal(hash, bytes), bytesOf(vector, "sealed"));
  assert.deepEqual(sealerOf(vector).open(hash, bytesOf(vector, "sealed")), bytes);
}

function checkPack(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const found = [...scanRecords(fileOf(bytes), 0, bytes.length)].map((record) => ({
    ...record,
    stored: record.stored.slice(),
  }));
  const wanted = listOf(vector, "records").map((each) => objectOf(each, "record"));
  assert.equal(found.length, wanted.length);
  for (const [i, record] of found.entries()) {
    const expected = wanted[i] ?? {};
    assert.equal(record.at, numberOf(expected, "at"));
    assert.deepEqual(record.hash, bytesOf(expected, "hash"));
    assert.equal(record.isSealed, expected.sealed);
    assert.deepEqual(record.stored, bytesOf(expected, "stored"));
    const again = bytes.slice();
    encodeRecord(again, record.at, record);
    assert.deepEqual(again, bytes);
  }
}

function fileOf(bytes: Uint8Array): DiskFile {
  const refuse = () => assert.fail("a scan only reads");
  return {
    size: () => bytes.length,
    readAt: (offset, into) => {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    writeAt: refuse,
    truncate: refuse,
    sync: refuse,
    syncNow: refuse,
    close: () => {},
  };
}
