import assert from "node:assert/strict";
import fc from "fast-check";
import { recordsOf } from "../../../src/log/bus/adapters/_batch_records.ts";
import { encodeEnvelope } from "../../../src/log/bus/adapters/engine/mod.ts";
import { PackedBatch } from "../../../src/log/bus/packed_batch.ts";
import { SegmentRing } from "../../../src/log/bus/segment_ring.ts";

Deno.test("records of a batch are the envelopes of its events, whatever sizes and times they have", () => {
  const half = fc.oneof(fc.nat({ max: 2 ** 31 - 1 }), fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 21));
  const event = fc.record({ raw: fc.uint8Array({ maxLength: 300 }), high: half, low: half });
  const shard = fc.integer({ min: 0, max: 65_535 });
  fc.assert(fc.property(fc.array(event, { maxLength: 40 }), shard, (events, shard) => {
    const ring = new SegmentRing(1_024, 1 << 20);
    for (const { raw, high, low } of events) ring.push(raw, high, low);
    const parts = [...ring.take(Math.ceil(events.length / 3)), ...ring.take(events.length)];
    const records = recordsOf(new PackedBatch(shard, parts, 0n, 1n));
    const expected = events.map(({ raw, high, low }) =>
      encodeEnvelope({ raw, insertionTs: BigInt(high) << 32n | BigInt(low), shard })
    );
    assert.deepEqual(records.map((bytes) => bytes.toHex()), expected.map((bytes) => bytes.toHex()));
    const plain = { shard, events: new PackedBatch(shard, parts, 0n, 1n).events };
    assert.deepEqual(recordsOf({ ...plain, sequenceStart: 0n, producerNonce: 1n }), expected);
  }));
});
