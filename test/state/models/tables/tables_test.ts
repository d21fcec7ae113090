import assert from "node:assert/strict";
import fc from "fast-check";
import { IdTable } from "../../../../src/state/models/tables/id_table.ts";
import { SlotSorter } from "../../../../src/state/models/tables/slot_sort.ts";
import { TextColumn } from "../../../../src/state/models/tables/text_column.ts";
import { U64Column } from "../../../../src/state/models/tables/u64_column.ts";
import { boundsOf } from "../../../../src/state/models/tables/u64_range.ts";
import { anyId, anyText, anyTime, naiveContains } from "../model_samples.ts";

const low = (value: bigint) => Number(value & 0xffffffffn);
const high = (value: bigint) => Number(value >> 32n);

Deno.test("IdTable knows every id that was added and not removed, without holes", () => {
  const step = fc.tuple(fc.boolean(), fc.oneof(anyId, fc.bigInt({ min: 0n, max: 300n })));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const table = new IdTable();
      const slots: bigint[] = [];
      for (const [isAdded, id] of steps) {
        const slot = table.find(low(id), high(id));
        assert.equal(slot, slots.indexOf(id));
        if (isAdded && slot < 0) {
          assert.equal(table.add(low(id), high(id)), slots.length);
          slots.push(id);
        } else if (!isAdded && slot >= 0) {
          const last = table.remove(slot);
          assert.equal(last, slots.length - 1);
          slots[slot] = slots[last] ?? assert.fail();
          slots.pop();
        }
        assert.equal(table.size, slots.length);
        if (table.isAscending) assert.deepEqual(slots, slots.toSorted((a, b) => a < b ? -1 : 1));
      }
      for (const [slot, id] of slots.entries()) {
        assert.equal(table.findId(id), slot);
        assert.equal(table.ids.get(slot), id);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("IdTable takes another hash when ids were chosen to meet", () => {
  const table = new IdTable();
  const ids: [number, number][] = [];
  for (let high = 20_000; high > 0; high--) {
    // All of these are the same under the first hash.
    ids.push([(Math.imul(high, 0x9e3779b1) ^ 12_345) >>> 0, high]);
  }
  for (const id of ids) table.add(...id);
  assert.ok(table.hashChanges >= 1 && table.hashChanges < 4, `${table.hashChanges}`);
  for (const [slot, id] of ids.entries()) assert.equal(table.find(...id), slot);
  const drawn = new IdTable();
  for (let i = 200_000; i > 0; i--) drawn.add(i * 4096 % 2 ** 32, i >>> 4);
  assert.equal(drawn.hashChanges, 0);
});

Deno.test("IdTable.findId() finds nothing for what is no id", () => {
  const table = new IdTable();
  table.add(5, 0);
  assert.equal(table.findId(5n), 0);
  for (const id of [-1n, 2n ** 64n, 2n ** 64n + 5n]) assert.equal(table.findId(id), -1);
});

Deno.test("SlotSorter sorts any number of slots, either way, and keeps equals as they were", () => {
  const anyValue = fc.oneof(anyTime, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
  const sorter = new SlotSorter();
  const drawn = fc.array(anyValue, { maxLength: 300, size: "max" });
  fc.assert(
    fc.property(drawn, fc.boolean(), (values, isDescending) => {
      const column = new U64Column(values.length);
      for (const [slot, value] of values.entries()) column.set(slot, low(value), high(value));
      const slots = Uint32Array.from(values, (_, slot) => slot);
      const count = values.length - (values.length >> 2);
      const expected = [...slots.subarray(0, count)].sort((a, b) => {
        const [left = 0n, right = 0n] = [values[a], values[b]];
        return (left < right ? -1 : left > right ? 1 : 0) * (isDescending ? -1 : 1);
      });
      sorter.sort(slots, count, column.words, isDescending);
      assert.deepEqual([...slots.subarray(0, count)], expected);
      assert.deepEqual([...slots.subarray(count)], values.map((_, slot) => slot).slice(count));
    }),
    { numRuns: 60 },
  );
});

Deno.test("boundsOf() is what all ranges allow", () => {
  assert.equal(boundsOf(), undefined);
  assert.equal(boundsOf(undefined, { gte: 0n, lte: 2n ** 64n - 1n }), undefined);
  assert.equal(boundsOf({ gt: 5n, lt: 6n }), "none");
  assert.equal(boundsOf({ gte: 7n }, { lte: 6n }), "none");
  assert.deepEqual(boundsOf({ gt: 2n ** 32n }, { lte: 2n ** 33n, gte: 1n }), {
    lowMin: 1,
    highMin: 1,
    lowMax: 0,
    highMax: 2,
  });
});

Deno.test("TextColumn finds texts as the specification words it, also after they changed", () => {
  const change = fc.tuple(fc.nat(5), fc.oneof(anyText, fc.string()));
  const drawn = fc.array(change, { maxLength: 30, size: "max" });
  fc.assert(fc.property(drawn, fc.oneof(anyText, fc.string()), (changes, needle) => {
    const column = new TextColumn();
    const texts: string[] = [];
    for (const [place, text] of changes) {
      const slot = Math.min(place, texts.length);
      texts[slot] = text;
      column.set(slot, text);
      const slots = Uint32Array.from(texts, (_, at) => at);
      const count = column.keepContaining(slots, texts.length, needle);
      const expected = texts.flatMap((held, at) => naiveContains(held, needle) ? [at] : []);
      assert.deepEqual([...slots.subarray(0, count)], expected);
      if (place === 5 && texts.length > 1) {
        texts[0] = texts.pop() ?? "";
        column.move(texts.length, 0);
      }
    }
    assert.deepEqual(texts.map((_, slot) => column.get(slot)), texts);
  }));
});

Deno.test("TextColumn searches texts that are too long to be remembered in lower case", () => {
  const column = new TextColumn();
  column.set(0, `${"x".repeat(10_000)}Needle`);
  for (let time = 0; time < 2; time++) {
    assert.equal(column.keepContaining(Uint32Array.of(0), 1, "NEEDLE"), 1);
    assert.equal(column.keepContaining(Uint32Array.of(0), 1, "ß"), 0);
  }
});
