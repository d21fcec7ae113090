/**
 * Sets of slots, the small numbers that stand for entries of the index: few ones as an ascending list, many
 * as bits. Every operation takes both forms, and gives a set that shares no memory with its operands.
 *
 * What a slot stands for is not known here.
 */

/** A set in one of two forms; exactly one of `slots` and `bits` is there. */
export interface SlotSet {
  /** Members. */
  readonly size: number;
  /** Ascending; only the first `size` count. */
  readonly slots: Uint32Array | undefined;
  /** Bit `slot & 31` of word `slot >> 5`; words behind the end are zero. */
  readonly bits: Uint32Array | undefined;
}

/** No slot. */
export const EMPTY_SLOTS: SlotSet = { size: 0, slots: new Uint32Array(0), bits: undefined };

/** The set of a list. */
export function createSlotList(slots: Uint32Array, size = slots.length): SlotSet {
  return { size, slots, bits: undefined };
}

/** A copy that stays as it is. */
export function copySlots({ size, slots, bits }: SlotSet): SlotSet {
  return { size, slots: slots?.slice(0, size), bits: bits?.slice() };
}

/** Members in ascending order. */
export function listSlots({ size, slots, bits }: SlotSet): Uint32Array {
  if (slots !== undefined) return slots.subarray(0, size);
  const list = new Uint32Array(size);
  if (bits === undefined) return list;
  let count = 0;
  for (let at = 0; at < bits.length; at++) {
    let word = bits[at] ?? 0;
    while (word !== 0) {
      list[count++] = (at << 5) + 31 - Math.clz32(word & -word);
      word &= word - 1;
    }
  }
  return list;
}

/** True for a member. */
export function hasSlot({ size, slots, bits }: SlotSet, slot: number): boolean {
  if (bits !== undefined) return ((bits[slot >>> 5] ?? 0) >>> (slot & 31) & 1) === 1;
  return slots !== undefined && slots[placeOf(slots, size, slot)] === slot &&
    placeOf(slots, size, slot) < size;
}

/** Members of both. */
export function intersectSlots(left: SlotSet, right: SlotSet): SlotSet {
  if (left.slots !== undefined && right.slots !== undefined) {
    return left.size <= right.size ? meet(left, right) : meet(right, left);
  }
  if (left.slots !== undefined) return filterSlots(left, (slot) => hasSlot(right, slot));
  if (right.slots !== undefined) return filterSlots(right, (slot) => hasSlot(left, slot));
  const [one = NO_WORDS, other = NO_WORDS] = [left.bits, right.bits];
  const length = Math.min(one.length, other.length);
  const bits = new Uint32Array(length);
  let size = 0;
  for (let at = 0; at < length; at++) {
    const word = (one[at] ?? 0) & (other[at] ?? 0);
    bits[at] = word;
    if (word !== 0) size += countBits(word);
  }
  return { size, slots: undefined, bits };
}

/** Members of `left` that `right` has not. */
export function subtractSlots(left: SlotSet, right: SlotSet): SlotSet {
  if (left.bits === undefined) return filterSlots(left, (slot) => !hasSlot(right, slot));
  const bits = left.bits.slice();
  if (right.bits === undefined) {
    let { size } = left;
    for (const slot of listSlots(right)) {
      const at = slot >>> 5;
      const bit = 1 << (slot & 31);
      if (((bits[at] ?? 0) & bit) === 0) continue;
      bits[at] = (bits[at] ?? 0) & ~bit;
      size -= 1;
    }
    return { size, slots: undefined, bits };
  }
  const length = Math.min(bits.length, right.bits.length);
  for (let at = 0; at < length; at++) bits[at] = (bits[at] ?? 0) & ~(right.bits[at] ?? 0);
  return { size: countAll(bits), slots: undefined, bits };
}

/** Members of at least one. */
export function uniteSlots(sets: readonly SlotSet[]): SlotSet {
  const [first = EMPTY_SLOTS] = sets;
  if (sets.length <= 1) return copySlots(first);
  let total = 0;
  let words = 0;
  let hasBits = false;
  for (const { size, slots, bits } of sets) {
    total += size;
    // A list needs as many words as its last member tells.
    const needed = bits?.length ?? (size === 0 ? 0 : ((slots?.[size - 1] ?? 0) >>> 5) + 1);
    if (needed > words) words = needed;
    hasBits ||= bits !== undefined;
  }
  return !hasBits && (total < words || total <= INSERTION_MAX)
    ? uniteLists(sets, total)
    : uniteBits(sets, words);
}

/** Members that pass the test. */
export function filterSlots(set: SlotSet, test: (slot: number) => boolean): SlotSet {
  const { size, slots, bits } = set;
  const kept = new Uint32Array(size);
  let count = 0;
  if (slots !== undefined) {
    for (let i = 0; i < size; i++) {
      const slot = slots[i] ?? 0;
      if (test(slot)) kept[count++] = slot;
    }
  } else if (bits !== undefined) {
    for (let at = 0; at < bits.length; at++) {
      let word = bits[at] ?? 0;
      while (word !== 0) {
        const slot = (at << 5) + 31 - Math.clz32(word & -word);
        word &= word - 1;
        if (test(slot)) kept[count++] = slot;
      }
    }
  }
  return createSlotList(kept, count);
}

/** How many members both have. */
export function countCommonSlots(left: SlotSet, right: SlotSet): number {
  if (left.bits === undefined || right.bits === undefined) {
    const [few, many] = left.slots !== undefined && (right.slots === undefined ||
        left.size <= right.size)
      ? [left, right]
      : [right, left];
    let count = 0;
    for (const slot of listSlots(few)) if (hasSlot(many, slot)) count += 1;
    return count;
  }
  const length = Math.min(left.bits.length, right.bits.length);
  let count = 0;
  for (let at = 0; at < length; at++) {
    const word = (left.bits[at] ?? 0) & (right.bits[at] ?? 0);
    if (word !== 0) count += countBits(word);
  }
  return count;
}

/** Index of the first of the first `size` that is not below `slot`. */
export function placeOf(slots: Uint32Array, size: number, slot: number): number {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((slots[middle] ?? 0) < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

const NO_WORDS = new Uint32Array(0);
/** A list this many times shorter than the other looks its members up in it instead of walking both. */
const HALVING_RATIO = 16;

/** Up to here sorting by insertion is faster. */
const INSERTION_MAX = 32;

/** Common members of two lists, the shorter first. */
function meet(short: SlotSet, long: SlotSet): SlotSet {
  const [few = NO_WORDS, many = NO_WORDS] = [short.slots, long.slots];
  if (short.size * HALVING_RATIO < long.size) {
    return filterSlots(short, (slot) => hasSlot(long, slot));
  }
  const common = new Uint32Array(short.size);
  let count = 0;
  for (let i = 0, j = 0; i < short.size && j < long.size;) {
    const [left, right] = [few[i] ?? 0, many[j] ?? 0];
    if (left === right) common[count++] = left;
    if (left <= right) i += 1;
    if (right <= left) j += 1;
  }
  return createSlotList(common, count);
}

function uniteLists(sets: readonly SlotSet[], total: number): SlotSet {
  const all = new Uint32Array(total);
  let filled = 0;
  for (const { size, slots } of sets) {
    if (slots === undefined) continue;
    // Most lists are so short that a loop is faster than a call.
    for (let i = 0; i < size; i++) all[filled++] = slots[i] ?? 0;
  }
  sortSlots(all);
  let count = 0;
  for (let i = 0; i < total; i++) {
    const slot = all[i] ?? 0;
    if (count === 0 || slot !== all[count - 1]) all[count++] = slot;
  }
  return createSlotList(all, count);
}

/** Sorts in place; short lists that are nearly in order faster than the engine's own. */
function sortSlots(slots: Uint32Array): void {
  if (slots.length > INSERTION_MAX) {
    slots.sort();
    return;
  }
  for (let i = 1; i < slots.length; i++) {
    const slot = slots[i] ?? 0;
    let at = i;
    for (; at > 0 && (slots[at - 1] ?? 0) > slot; at--) slots[at] = slots[at - 1] ?? 0;
    slots[at] = slot;
  }
}

function uniteBits(sets: readonly SlotSet[], words: number): SlotSet {
  const united = new Uint32Array(words);
  for (const { size, slots, bits } of sets) {
    if (bits !== undefined) {
      for (let at = 0; at < bits.length; at++) united[at] = (united[at] ?? 0) | (bits[at] ?? 0);
    } else if (slots !== undefined) {
      for (let i = 0; i < size; i++) {
        const slot = slots[i] ?? 0;
        united[slot >>> 5] = (united[slot >>> 5] ?? 0) | (1 << (slot & 31));
      }
    }
  }
  return { size: countAll(united), slots: undefined, bits: united };
}

function countAll(bits: Uint32Array): number {
  let count = 0;
  for (let at = 0; at < bits.length; at++) count += countBits(bits[at] ?? 0);
  return count;
}

/** Ones in 32 bits. */
function countBits(word: number): number {
  let count = word - ((word >>> 1) & 0x5555_5555);
  count = (count & 0x3333_3333) + ((count >>> 2) & 0x3333_3333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
