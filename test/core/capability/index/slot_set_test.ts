import assert from "node:assert/strict";
import fc from "fast-check";
import { Posting } from "../../../../src/core/capability/index/posting.ts";
import {
  copySlots,
  countCommonSlots,
  createSlotList,
  filterSlots,
  hasSlot,
  intersectSlots,
  listSlots,
  type SlotSet,
  subtractSlots,
  uniteSlots,
} from "../../../../src/core/capability/index/slot_set.ts";

const SLOTS = 300;

const anySet: fc.Arbitrary<SlotSet> = fc.tuple(
  fc.uniqueArray(fc.nat(SLOTS - 1), { maxLength: SLOTS }),
  fc.boolean(),
).map(([slots, isBits]) => isBits ? bitsOf(slots) : createSlotList(Uint32Array.from(slots).sort()));

function bitsOf(slots: readonly number[]): SlotSet {
  const bits = new Uint32Array((Math.max(0, ...slots) >>> 5) + 1);
  for (const slot of slots) bits[slot >>> 5] = (bits[slot >>> 5] ?? 0) | (1 << (slot & 31));
  return { size: slots.length, slots: undefined, bits };
}

function assertSet(set: SlotSet, expected: readonly number[]): void {
  assert.deepEqual([...listSlots(set)], expected);
  assert.equal(set.size, expected.length);
}

Deno.test("sets of slots in either form combine as sets do", () => {
  fc.assert(fc.property(anySet, anySet, anySet, (left, right, third) => {
    const [one, other] = [[...listSlots(left)], [...listSlots(right)]];
    const before = JSON.stringify([left, right, third]);
    const common = one.filter((slot) => other.includes(slot));
    assertSet(intersectSlots(left, right), common);
    assert.equal(countCommonSlots(left, right), common.length);
    assertSet(subtractSlots(left, right), one.filter((slot) => !other.includes(slot)));
    assertSet(filterSlots(left, (slot) => slot % 3 === 0), one.filter((slot) => slot % 3 === 0));
    assertSet(copySlots(left), one);
    const all = [...new Set([...one, ...other, ...listSlots(third)])].sort((a, b) => a - b);
    assertSet(uniteSlots([left, right, third]), all);
    assertSet(uniteSlots([left]), one);
    for (let slot = 0; slot < SLOTS; slot++) assert.equal(hasSlot(left, slot), one.includes(slot));
    assert.equal(JSON.stringify([left, right, third]), before, "operands stay");
  }));
  assertSet(uniteSlots([]), []);
});

Deno.test("Posting holds what was added and not deleted, in whatever form", () => {
  const anyChange = fc.tuple(fc.nat(SLOTS - 1), fc.integer({ min: 0, max: 9 }));
  fc.assert(fc.property(
    fc.array(anyChange, { maxLength: 700, size: "max" }),
    fc.constantFrom(4, 7),
    (changes, likely) => {
      const posting = new Posting();
      const members = new Set<number>();
      for (const [slot, chance] of changes) {
        if (chance < likely) assert.equal(posting.add(slot, SLOTS), !members.has(slot));
        else assert.equal(posting.delete(slot), members.has(slot));
        if (chance < likely) members.add(slot);
        else members.delete(slot);
        assert.equal(posting.size, members.size);
        assert.equal(posting.has(slot), members.has(slot));
      }
      assertSet(posting.view(), [...members].sort((a, b) => a - b));
    },
  ));
});

Deno.test("Posting grows with the index and shrinks back to a list", () => {
  const posting = new Posting();
  for (let slot = 0; slot < 10_000; slot++) {
    posting.add(slot, 64 << Math.max(0, slot >>> 6).toString(2).length);
  }
  assert.equal(posting.view().slots, undefined);
  for (let slot = 0; slot < 9_990; slot++) posting.delete(slot);
  assert.equal(posting.view().bits, undefined);
  assertSet(posting.view(), [9_990, 9_991, 9_992, 9_993, 9_994, 9_995, 9_996, 9_997, 9_998, 9_999]);
});
