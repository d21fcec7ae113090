import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BATCH_BYTES_MAX,
  BATCH_RECORDS_MAX,
  RecordBatch,
  xxh3,
  xxh3Bucket,
  xxh3Joined,
  xxh3Low32,
  Xxh3Memory,
} from "../../../src/core/crypto/mod.ts";
import { createSeededSource } from "./random_bytes.ts";

const BUCKETS = [1, 2, 7, 1024, 65535];

const randomBytesOf = (length: number, seed: number) =>
  createSeededSource(seed * 2 + 1).bytes(length);

function check(bytes: Uint8Array): void {
  const hash = xxh3(bytes);
  assert.equal(xxh3Low32(bytes), Number(hash & 0xffff_ffffn), `length ${bytes.length}`);
  for (const buckets of BUCKETS) {
    const expected = Number((hash * BigInt(buckets)) >> 64n);
    assert.equal(xxh3Bucket(bytes, buckets), expected, `length ${bytes.length}, ${buckets}`);
  }
}

Deno.test("xxh3Low32() and xxh3Bucket() agree with xxh3() for all lengths up to 1024", () => {
  for (let length = 0; length <= 1024; length++) check(randomBytesOf(length, length + 1));
});

Deno.test("xxh3Low32() and xxh3Bucket() agree with xxh3() around pieces and blocks", () => {
  for (const length of [1025, 2048, 65535, 65536, 65537, 66560, 66561, 131072, 131073, 200_001]) {
    check(randomBytesOf(length, length));
  }
});

Deno.test("Xxh3Memory hashes where the bytes lie", () => {
  const memory = new Xxh3Memory(4096);
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(3000), fc.nat(), (at, length, seed) => {
      const bytes = randomBytesOf(length, seed);
      memory.bytes.set(bytes, at);
      const hash = xxh3(bytes);
      assert.equal(memory.low32(at, length), Number(hash & 0xffff_ffffn));
      assert.equal(memory.bucket(at, length, 1000), Number((hash * 1000n) >> 64n));
    }),
    { numRuns: 50 },
  );
});

Deno.test("RecordBatch makes the index records and times of many payloads", () => {
  const batch = new RecordBatch();
  fc.assert(fc.property(
    fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 }),
    fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100 }),
    fc.nat(0xffff_0000),
    (payloads, firstSeq, offset) => {
      assert.equal(batch.fill(payloads, 0), payloads.length);
      batch.make({ firstSeq, offset, timeLow: 5, timeHigh: 6, isInline: false });
      const view = new DataView(batch.records.buffer, batch.records.byteOffset);
      let place = offset;
      for (const [i, payload] of payloads.entries()) {
        assert.equal(view.getBigUint64(i * 20, true), BigInt(firstSeq + i));
        assert.equal(view.getUint32(i * 20 + 8, true), place);
        assert.equal(view.getUint32(i * 20 + 12, true), payload.length);
        assert.equal(view.getUint32(i * 20 + 16, true), xxh3Low32(payload) & 0x0fff_ffff);
        place += payload.length;
      }
      assert.equal(batch.records.length, payloads.length * 20);
      assert.deepEqual(
        batch.times,
        new Uint8Array(BigUint64Array.from(payloads, () => (6n << 32n) | 5n).buffer),
      );
      assert.equal(batch.byteLength, place - offset);
    },
  ));
});

Deno.test("RecordBatch puts payloads of 8 bytes into their records when told so", () => {
  const batch = new RecordBatch();
  const payload = randomBytesOf(8, 1);
  batch.fill([randomBytesOf(8, 2), payload], 0);
  batch.make({ firstSeq: 3, offset: 9, timeLow: 0, timeHigh: 0, isInline: true });
  const record = batch.records.subarray(20);
  assert.deepEqual(record.subarray(8, 16), payload);
  const word = new DataView(record.buffer, record.byteOffset).getUint32(16, true);
  assert.equal(word, ((xxh3Low32(payload) & 0x0fff_ffff) | 0x8000_0000) >>> 0);
});

Deno.test("RecordBatch takes as much as it has room for", () => {
  const batch = new RecordBatch();
  const many = Array.from({ length: BATCH_RECORDS_MAX + 2 }, () => new Uint8Array(1));
  assert.equal(batch.fill(many, 0), BATCH_RECORDS_MAX);
  assert.equal(batch.fill(many, BATCH_RECORDS_MAX), BATCH_RECORDS_MAX + 2);
  assert.equal(batch.count, 2);
  const large = new Uint8Array(BATCH_BYTES_MAX);
  assert.equal(batch.fill([large, large], 0), 1);
  assert.equal(batch.fill([new Uint8Array(BATCH_BYTES_MAX + 1)], 0), 0);
});

Deno.test("xxh3Joined() hashes two arrays as one, also when they are longer than its memory", () => {
  const bytes = randomBytesOf(200_000, 7);
  for (const length of [0, 1, 3, 8, 16, 33, 128, 129, 240, 241, 1_024, 65_536, 65_537, 200_000]) {
    const whole = bytes.subarray(0, length);
    for (const cut of [0, 1, 32, length >> 1, length - 1, length]) {
      if (cut < 0 || cut > length) continue;
      const joined = xxh3Joined(whole.subarray(0, cut), whole.subarray(cut));
      assert.equal(joined, xxh3(whole), `${length} cut at ${cut}`);
    }
  }
});
