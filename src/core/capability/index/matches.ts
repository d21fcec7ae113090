/**
 * What a query found: slots, which become node ids when they are read.
 *
 * An answer stays what it was when the index changes; nodes that went in between are left out when it is
 * read. Reading an answer at once, as most do, costs nothing for that.
 */
import { type IndexEntry, readEntry } from "./capability_index.ts";
import type { IndexTables } from "./index_tables.ts";
import { createSlotList, hasSlot, listSlots, type SlotSet } from "./slot_set.ts";

/** Entries found, and their nodes. */
export class IndexMatches {
  /** For what builds on an answer in this folder. */
  readonly slots: SlotSet;
  readonly #tables: IndexTables;
  readonly #version: number;

  constructor(tables: IndexTables, slots: SlotSet) {
    this.slots = slots;
    this.#tables = tables;
    this.#version = tables.version;
  }

  /** Entries found: nodes, counted once per class. */
  get size(): number {
    return this.slots.size;
  }

  /** True when one of the node's entries was found. */
  has(nodeId: bigint): boolean {
    const { table } = this.#tables;
    return table.slotsOf(nodeId).some((slot) => hasSlot(this.slots, slot) && this.#isSame(slot));
  }

  /**
   * Node ids in ascending order, each once.
   *
   * @param limit At most so many, 0 for all.
   */
  ids(limit = 0): bigint[] {
    const { nodeIds, hasSharedNodes } = this.#tables.table;
    const ids: bigint[] = [];
    if (this.slots.size <= INSERTION_MAX) {
      const few = this.#few();
      this.#sortFew(few);
      for (const slot of few) ids.push(nodeIds[slot] ?? 0n);
    } else {
      const slots = this.#current();
      const sorted = new BigUint64Array(slots.length);
      for (let i = 0; i < slots.length; i++) sorted[i] = nodeIds[slots[i] ?? 0] ?? 0n;
      sorted.sort();
      for (let i = 0; i < sorted.length; i++) ids.push(sorted[i] ?? 0n);
    }
    const unique = hasSharedNodes ? ids.filter((id, i) => id !== ids[i - 1]) : ids;
    return limit > 0 && limit < unique.length ? unique.slice(0, limit) : unique;
  }

  /** What is known of the entries found, in no order. */
  *entries(): Generator<IndexEntry, void, undefined> {
    for (const slot of this.#current()) {
      if (this.#isSame(slot)) yield readEntry(this.#tables, slot);
    }
  }

  /** Slots that still stand for what they stood for. */
  #current(): Uint32Array {
    const slots = listSlots(this.slots);
    return this.#version === this.#tables.version
      ? slots
      : slots.filter((slot) => this.#isSame(slot));
  }

  #isSame(slot: number): boolean {
    return (this.#tables.table.assignedAt[slot] ?? Infinity) <= this.#version;
  }

  /** The same for few, as a list of its own. */
  #few(): number[] {
    const { size, slots } = this.slots;
    const list = slots ?? listSlots(this.slots);
    const isOld = this.#version !== this.#tables.version;
    const few: number[] = [];
    for (let i = 0; i < size; i++) {
      const slot = list[i] ?? 0;
      if (!isOld || this.#isSame(slot)) few.push(slot);
    }
    return few;
  }

  /** Sorts a short list by node id, half by half. */
  #sortFew(slots: number[]): void {
    const { nodeHalves } = this.#tables.table;
    for (let i = 1; i < slots.length; i++) {
      const slot = slots[i] ?? 0;
      const low = nodeHalves[2 * slot] ?? 0;
      const high = nodeHalves[2 * slot + 1] ?? 0;
      let at = i;
      for (; at > 0; at--) {
        const other = slots[at - 1] ?? 0;
        const otherHigh = nodeHalves[2 * other + 1] ?? 0;
        if (otherHigh < high || (otherHigh === high && (nodeHalves[2 * other] ?? 0) <= low)) break;
        slots[at] = other;
      }
      slots[at] = slot;
    }
  }
}

/** The entries with the lowest node ids among `slots`. */
export function lowestMatches(tables: IndexTables, slots: SlotSet, count: number): IndexMatches {
  const { nodeIds, classHashes } = tables.table;
  const lowest = Array.from(listSlots(slots)).sort((left, right) =>
    compare(nodeIds[left] ?? 0n, nodeIds[right] ?? 0n) ||
    compare(classHashes[left] ?? 0n, classHashes[right] ?? 0n)
  ).slice(0, count);
  return new IndexMatches(tables, createSlotList(Uint32Array.from(lowest).sort()));
}

function compare(left: bigint, right: bigint): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Up to here sorting by insertion is faster than a sorted array of its own. */
const INSERTION_MAX = 24;
