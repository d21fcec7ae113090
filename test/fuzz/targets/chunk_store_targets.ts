/** What a chunk store reads of its disk: packs that anything may have happened to, sealed chunks. */
import assert from "node:assert/strict";
import type { DiskFile } from "../../../src/base/mod.ts";
import {
  encodeRecord,
  RECORD_HEADER_BYTES,
  scanRecords,
} from "../../../src/blob/chunks/pack_record.ts";
import { ChunkSealer } from "../../../src/blob/chunks/sealing.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(57);
const sealer = new ChunkSealer(random.bytes(32), (length) => random.bytes(length));

/** A pack of chunks with these lengths; every other one is sealed. */
function packOf(lengths: readonly number[]): Uint8Array {
  const records = lengths.map((length, i) => {
    const bytes = random.bytes(length);
    const hash = blake3(bytes);
    const isSealed = i % 2 === 1;
    return { hash, isSealed, stored: isSealed ? sealer.seal(hash, bytes) : bytes };
  });
  const total = records.reduce((sum, { stored }) => sum + RECORD_HEADER_BYTES + stored.length, 0);
  const pack = new Uint8Array(total);
  let end = 0;
  for (const record of records) end = encodeRecord(pack, end, record);
  return pack;
}

function packTarget(): FuzzTarget {
  return {
    corpus: [packOf([]), packOf([0]), packOf([5, 100]), packOf([1, 2, 3, 60])],
    feed: (bytes) => {
      let end = 0;
      const found: unknown[] = [];
      for (const record of scanRecords(fileOf(bytes), 0, bytes.length)) {
        // In order, within the file, and as they would be written.
        assert.ok(record.at >= end);
        end = record.at + RECORD_HEADER_BYTES + record.storedBytes;
        assert.ok(end <= bytes.length && record.stored.length === record.storedBytes);
        const again = new Uint8Array(end - record.at);
        encodeRecord(again, 0, record);
        assert.equal(again.toHex(), bytes.subarray(record.at, end).toHex());
        found.push(record.hash);
      }
      return found.length === 0 ? undefined : found;
    },
  };
}

function sealedTarget(): FuzzTarget {
  const bytes = random.bytes(40);
  const hash = blake3(bytes);
  const sealed = sealer.seal(hash, bytes);
  return {
    corpus: [sealed, sealer.seal(hash, bytes)],
    feed: (input) => {
      const opened = sealer.open(hash, input);
      // Nobody without the key makes another one that opens.
      if (opened !== undefined) assert.equal(opened.toHex(), bytes.toHex());
      return opened;
    },
  };
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

/** Targets of this file by name. */
export const CHUNK_STORE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  chunk_pack: packTarget,
  chunk_sealed: sealedTarget,
};
