import assert from "node:assert/strict";
import fc from "fast-check";
import { PackedBatch } from "../../../src/log/bus/packed_batch.ts";
import { type SegmentPart, SegmentRing } from "../../../src/log/bus/segment_ring.ts";
import { ShardClock } from "../../../src/log/bus/shard_clock.ts";

const eventsOf = (parts: readonly SegmentPart[]) => new PackedBatch(0, parts, 0n, 1n).events;

Deno.test("a ring gives back what was put in, in order, whatever is pushed, taken and evicted", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), size: fc.integer({ min: 0, max: 70_000 }) }),
    fc.record({ kind: fc.constant("many" as const), count: fc.integer({ min: 1, max: 3_000 }) }),
    fc.record({ kind: fc.constant("take" as const), count: fc.integer({ min: 1, max: 2_500 }) }),
    fc.record({ kind: fc.constant("evict" as const), count: fc.integer({ min: 1, max: 1_500 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, isRecycled) => {
      const ring = new SegmentRing(4_096, 1 << 20);
      const model: { size: number; ts: number }[] = [];
      const kept: { readonly raw: Uint8Array; readonly insertionTs: bigint }[] = [];
      let ts = 0;
      const push = (size: number) => {
        const hasRoom = ring.hasRoom(size);
        const bytes = model.reduce((sum, event) => sum + event.size, 0);
        assert.equal(
          hasRoom,
          model.length < 4_095 && (bytes + size <= 1 << 20 || model.length === 0),
        );
        if (!hasRoom) return;
        ts += 1;
        ring.push(new Uint8Array(size).fill(ts & 0xff), 3, ts);
        model.push({ size, ts });
      };
      for (const step of steps) {
        if (step.kind === "push") push(step.size);
        else if (step.kind === "many") { for (let i = 0; i < step.count; i++) push(i % 9); }
        else if (step.kind === "evict") {
          for (let i = 0; i < step.count && model.length > 0; i++) {
            ring.evict();
            model.shift();
          }
        } else {
          const parts = ring.take(step.count);
          const expected = model.splice(0, step.count);
          const events = eventsOf(parts);
          kept.push(...events.map(({ raw, insertionTs }) => ({ raw, insertionTs })));
          assert.equal(events.length, expected.length);
          for (const [index, { raw, insertionTs }] of events.entries()) {
            const { size, ts } = expected[index] ?? { size: -1, ts: -1 };
            assert.equal(raw.length, size);
            assert.ok(raw.every((byte) => byte === (ts & 0xff)));
            assert.equal(insertionTs, (3n << 32n) | BigInt(ts));
          }
          ring.giveBack(parts, isRecycled);
        }
        assert.equal(ring.length, model.length);
        assert.equal(ring.bytes, model.reduce((sum, event) => sum + event.size, 0));
        // What nobody gave back stays as it was.
        if (!isRecycled) {
          for (const { raw, insertionTs } of kept.slice(-50)) {
            assert.ok(raw.every((byte) => byte === Number(insertionTs & 0xffn)));
          }
        }
        if (model[0] !== undefined) assert.equal(ring.oldestTs, 3 * 2 ** 32 + model[0].ts);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("an event larger than all of a ring fits when it is empty", () => {
  const ring = new SegmentRing(1_024, 100);
  assert.equal(ring.hasRoom(1_000), true);
  ring.push(new Uint8Array(1_000), 0, 1);
  assert.equal(ring.hasRoom(0), false);
  assert.equal(ring.fill, 10);
});

Deno.test("a shard's clock rises strictly over any times it is told, and over 104 days", () => {
  fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1e12, noNaN: true })), (times) => {
    const clock = new ShardClock(0);
    let last = 0n;
    for (const time of times) {
      clock.next(time);
      assert.ok(clock.last > last);
      last = clock.last;
    }
  }));
  const clock = new ShardClock(0);
  clock.next(4_294.967295);
  clock.next(4_294.967295);
  assert.equal(clock.last, 1n << 32n);
  clock.resume(5n << 32n, 10);
  clock.next(10);
  assert.equal(clock.last, (5n << 32n) + 1n);
  clock.next(11);
  assert.ok(clock.last >= (5n << 32n) + 999_000n);
});

Deno.test("small batches share a segment, also when their events are kept", () => {
  for (const isFree of [true, false]) {
    const ring = new SegmentRing(4_096, 1 << 20);
    const segments = new Set<unknown>();
    for (let n = 0; n < 1_024; n++) {
      ring.push(new Uint8Array(8), 0, n);
      const parts = ring.take(10);
      for (const { segment } of parts) segments.add(segment);
      ring.giveBack(parts, isFree);
    }
    assert.equal(segments.size, 1);
  }
});
