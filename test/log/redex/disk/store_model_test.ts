import assert from "node:assert/strict";
import fc from "fast-check";
import type { RecordStore } from "../../../../src/log/redex/record_store.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import { SimDisk } from "../../../sim/sim_disk.ts";
import { FOLDER } from "./fault_run.ts";
import { openStore, payloadOf } from "./store_kit.ts";

interface Kept {
  readonly seq: number;
  readonly payload: Uint8Array;
  readonly timeNs: bigint;
  readonly heapBytes: number;
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("append"), lengths: lengths() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("inline"), lengths: lengths() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("skip"), by: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sync") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("reopen") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("forget"), part: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact"), part: fc.nat(100) }) },
) as fc.Arbitrary<Step>;

interface Step {
  readonly kind: "append" | "inline" | "skip" | "sync" | "reopen" | "forget" | "compact";
  readonly lengths?: readonly number[];
  readonly by?: number;
  readonly part?: number;
}

Deno.test("a store on disk is a list of records, whatever is done to it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(3000), async (steps, extra) => {
      const disk = new SimDisk();
      disk.makeFolder(FOLDER);
      const options = { disk, clock: new ManualClock(), segmentBytesMax: 1024 + extra };
      let store = await openStore(FOLDER, options);
      let kept: Kept[] = [];
      let nextSeq = 0;
      for (const [at, { kind, lengths = [], by = 0, part = 0 }] of steps.entries()) {
        const first = firstAt(kept, part, nextSeq);
        if (kind === "append" || kind === "inline") {
          const isInline = kind === "inline";
          const batch = lengths.map((length, i) => payloadOf(at * 9 + i, isInline ? 8 : length));
          if (batch.length === 0) continue;
          const timeNs = BigInt(at) << 33n | BigInt(at);
          assert.equal(store.append(batch, timeNs, isInline), nextSeq);
          for (const payload of batch) {
            const heapBytes = isInline ? 0 : payload.length;
            kept.push({ seq: nextSeq++, payload, timeNs, heapBytes });
          }
        } else if (kind === "skip") store.skipTo(nextSeq += by);
        else if (kind === "sync") {
          await store.sync();
          assert.equal(store.persistedSeq, nextSeq);
        } else if (kind === "reopen") {
          await store.close();
          store = await openStore(FOLDER, options);
        } else {
          await store.compact(first, kind === "compact");
          kept = kept.filter(({ seq }) => seq >= first);
        }
        check(store, kept, nextSeq);
      }
      await store.close();
      assert.equal(disk.openFiles, 0);
    }),
    { numRuns: 150 },
  );
});

function lengths(): fc.Arbitrary<number[]> {
  const length = fc.oneof(fc.constant(0), fc.nat(40), fc.nat(400));
  return fc.array(length, { minLength: 1, maxLength: 6 })
    .filter((all) => all.reduce((sum, each) => sum + each, 0) <= 1024);
}

function firstAt(kept: readonly Kept[], part: number, nextSeq: number): number {
  return kept[Math.floor(kept.length * part / 100)]?.seq ?? nextSeq;
}

function check(store: RecordStore, kept: readonly Kept[], nextSeq: number): void {
  assert.equal(store.nextSeq, nextSeq);
  assert.equal(store.count, kept.length);
  assert.equal(store.firstSeq, kept[0]?.seq ?? nextSeq);
  assert.equal(store.bytes, kept.reduce((sum, { heapBytes }) => sum + 20 + heapBytes, 0));
  assert.equal(store.damaged, 0);
  const all: Kept[] = [];
  for (let from = 0; from < nextSeq;) {
    const { records, next, damaged } = store.read(from, nextSeq, 7, 300);
    assert.deepEqual(damaged, []);
    assert.ok(records.length <= 7 && next > from);
    const bytes = records.slice(0, -1).reduce((sum, { payload }) => sum + payload.length, 0);
    assert.ok(bytes <= 300);
    for (const { seq, payload, timeNs } of records) {
      all.push({ seq, payload, timeNs, heapBytes: kept[all.length]?.heapBytes ?? -1 });
    }
    from = next;
  }
  assert.deepEqual(all, kept);
  checkRuns(store, kept, nextSeq);
  const eventsMax = Math.ceil(kept.length / 2);
  assert.equal(store.firstToKeep({ eventsMax }), kept[kept.length - eventsMax]?.seq ?? nextSeq);
  const bytesMax = Math.floor(store.bytes / 3);
  let bytes = 0;
  let at = kept.length;
  for (; at > 0; at--) {
    bytes += 20 + (kept[at - 1]?.heapBytes ?? 0);
    if (bytes > bytesMax) break;
  }
  assert.equal(store.firstToKeep({ bytesMax }), kept[at]?.seq ?? nextSeq);
  const notBeforeNs = kept[Math.floor(kept.length / 2)]?.timeNs ?? 0n;
  const young = kept.find(({ timeNs }) => timeNs >= notBeforeNs);
  assert.equal(store.firstToKeep({ notBeforeNs }), young?.seq ?? nextSeq);
  const [from, to] = [Math.floor(nextSeq / 3), Math.floor(nextSeq * 2 / 3)];
  const part = store.read(from, to, 1000, 1e6);
  assert.deepEqual(
    part.records.map(({ seq }) => seq),
    kept.filter(({ seq }) => seq >= from && seq < to).map(({ seq }) => seq),
  );
}

/** What is read in one piece is what is read one by one. */
function checkRuns(store: RecordStore, kept: readonly Kept[], nextSeq: number): void {
  const bySeq = new Map(kept.map((record) => [record.seq, record]));
  for (let from = 0; from <= nextSeq;) {
    const run = store.readRun?.(from, 5);
    if (run === undefined) {
      from += 1;
      continue;
    }
    assert.equal(run.firstSeq, from);
    assert.ok(run.count >= 1 && run.count <= 5);
    for (let i = 0; i < run.count; i++) {
      const payload = run.bytes.slice(run.starts[i], run.starts[i + 1]);
      assert.deepEqual(payload, bySeq.get(from + i)?.payload);
    }
    from += run.count;
  }
}
