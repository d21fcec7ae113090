import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryRecordStore } from "../../../src/log/mod.ts";
import { bytes, isRedexError, text } from "./redex_kit.ts";

/** What the store should be: a plain list. */
interface Row {
  readonly seq: number;
  readonly payload: string;
  readonly timeNs: bigint;
}

function rowsOf(store: MemoryRecordStore): Row[] {
  return store.read(0, Infinity, Infinity, Infinity).records
    .map(({ seq, payload, timeNs }) => ({ seq, payload: text(payload) ?? "", timeNs }));
}

const bytesOf = (rows: readonly Row[]) =>
  rows.reduce((sum, { payload }) => sum + 20 + payload.length, 0);

Deno.test("a store in memory is a list of records, whatever is appended and forgotten", async () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("append" as const),
      lengths: fc.array(
        fc.oneof(fc.nat(40), fc.nat(3_000), fc.constantFrom(0, 262_144, 300_000)),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    fc.record({ kind: fc.constant("many" as const), count: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ kind: fc.constant("skip" as const), count: fc.nat(50) }),
    fc.record({
      kind: fc.constant("compact" as const),
      share: fc.double({ min: 0, max: 1.1, noNaN: true }),
    }),
    fc.record({
      kind: fc.constant("rule" as const),
      eventsMax: fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined }),
      bytesMax: fc.option(fc.integer({ min: 1, max: 500_000 }), { nil: undefined }),
      notBeforeNs: fc.option(fc.bigInt({ min: 0n, max: 60n }), { nil: undefined }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const store = new MemoryRecordStore();
      let rows: Row[] = [];
      let next = 0;
      for (const [at, step] of steps.entries()) {
        // A clock that is set back now and then.
        const timeNs = BigInt(at % 7 === 6 ? at - 5 : at);
        if (step.kind === "append" || step.kind === "many") {
          const payloads = step.kind === "many"
            ? Array.from({ length: step.count }, (_, i) => `n${i}`)
            : step.lengths.map((length) => "x".repeat(length));
          assert.equal(store.append(payloads.map(bytes), timeNs), next);
          rows.push(...payloads.map((payload, i) => ({ seq: next + i, payload, timeNs })));
          next += payloads.length;
        } else if (step.kind === "skip") {
          next += step.count;
          store.skipTo(next);
        } else if (step.kind === "compact") {
          const first = store.firstSeq +
            Math.floor(step.share * (store.nextSeq - store.firstSeq));
          await store.compact(first);
          rows = rows.filter(({ seq }) => seq >= first);
        } else {
          const { eventsMax = Infinity, bytesMax = Infinity, notBeforeNs = 0n } = step;
          const old = rows.findLastIndex((row) => row.timeNs < notBeforeNs);
          let keep = 0;
          while (keep < rows.length && bytesOf(rows.slice(rows.length - keep - 1)) <= bytesMax) {
            keep++;
          }
          const gone = Math.max(rows.length - eventsMax, rows.length - keep, old + 1, 0);
          const expected = rows[gone]?.seq ?? next;
          const kept = store.firstToKeep(step);
          assert.equal(rows.find(({ seq }) => seq >= kept)?.seq ?? next, expected);
        }
        assert.equal(store.firstSeq, rows[0]?.seq ?? next);
        assert.equal(store.nextSeq, next);
        assert.equal(store.count, rows.length);
        assert.equal(store.bytes, bytesOf(rows));
      }
      assert.deepEqual(rowsOf(store), rows);
    }),
    { numRuns: 60 },
  );
});

Deno.test("what was given out does not change when the store grows", () => {
  const store = new MemoryRecordStore();
  const given = bytes("first");
  store.append([given], 1n);
  given.fill(0);
  const { records } = store.read(0, 1, 1, 1);
  for (let i = 0; i < 5_000; i++) store.append([bytes(`later ${i}`)], 2n);
  assert.equal(text(records[0]?.payload), "first", "a copy was kept, and its bytes stay");
});

Deno.test("a read stops at its bounds, and gives one record whatever its size", () => {
  const store = new MemoryRecordStore({ firstSeq: 100 });
  store.append(["aaaa", "bbbb", "cccc", "dddd"].map(bytes), 1n);
  const seqs = (
    read: ReturnType<typeof store.read>,
  ) => [read.records.map(({ seq }) => seq), read.next];
  assert.deepEqual(seqs(store.read(0, 1_000, 2, 100)), [[100, 101], 102]);
  assert.deepEqual(seqs(store.read(102, 1_000, 9, 1)), [[102], 103]);
  assert.deepEqual(seqs(store.read(101, 103, 9, 8)), [[101, 102], 103]);
  assert.deepEqual(seqs(store.read(104, 1_000, 9, 100)), [[], 104]);
  assert.deepEqual(seqs(store.read(500, 1_000, 9, 100)), [[], 500]);
  store.skipTo(110);
  assert.deepEqual(seqs(store.read(103, 1_000, 9, 100)), [[103], 110]);
  assert.deepEqual(seqs(store.read(104, 107, 9, 100)), [[], 107]);
});

Deno.test("a full store takes none of a batch", () => {
  const store = new MemoryRecordStore({ bytesMax: 100 });
  store.append([bytes("x".repeat(30))], 1n);
  assert.throws(
    () => store.append([bytes("a"), bytes("b".repeat(20))], 1n),
    isRedexError("payload_too_large"),
  );
  assert.deepEqual([store.count, store.bytes], [1, 50]);
  assert.equal(store.append([bytes("x".repeat(30))], 1n), 1);
});
