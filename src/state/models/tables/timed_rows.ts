/**
 * What the tables of tasks and memories share: an id and two times per row, filters over them, order and limit.
 *
 * A filter works on a list of slots that gets shorter column by column; only what is left in the end becomes rows.
 */
import { NetError } from "../../../base/mod.ts";
import { ID_IN_MAX } from "../limits.ts";
import { placeOfWord, requireLimit } from "../rows.ts";
import { IdTable } from "./id_table.ts";
import { SlotSorter } from "./slot_sort.ts";
import { U64Column } from "./u64_column.ts";
import { boundsOf, type U64Range } from "./u64_range.ts";

/** Orders of rows; rows of the same time are in the order of their ids. */
export const ROW_ORDERS = [
  "id-asc",
  "id-desc",
  "created-asc",
  "created-desc",
  "updated-asc",
  "updated-desc",
] as const;

/** An order of rows. */
export type RowOrder = typeof ROW_ORDERS[number];

/** Parts of a filter that do not depend on what the rows are. All parts have to hold. */
export interface TimedFilter {
  /** One of these; ids that are not there are no matter. */
  readonly idIn?: readonly bigint[];
  /** At least; the bound belongs to it, as in the core (`storage.md` 10). */
  readonly createdAfterNs?: bigint;
  /** At most; the bound belongs to it. */
  readonly createdBeforeNs?: bigint;
  readonly updatedAfterNs?: bigint;
  readonly updatedBeforeNs?: bigint;
  /** For bounds that do not belong to it: `{ gt: 5n }` is after 5. */
  readonly created?: U64Range;
  readonly updated?: U64Range;
  /** `id-asc` when left out. */
  readonly orderBy?: RowOrder;
  /** Rows wanted, after ordering; 0 is none. All when left out. */
  readonly limit?: number;
}

/** Names of these parts. */
export const TIMED_PARTS = [
  "idIn",
  "createdAfterNs",
  "createdBeforeNs",
  "updatedAfterNs",
  "updatedBeforeNs",
  "created",
  "updated",
  "orderBy",
  "limit",
  "matching",
] as const;

/** Ids and times of rows, by slot. */
export class TimedRows {
  readonly table = new IdTable();
  readonly created = new U64Column(this.table.capacity);
  readonly updated = new U64Column(this.table.capacity);
  /** The list that filters work on; one query at a time, none of which calls out. */
  slots = new Uint32Array(this.table.capacity);
  readonly #sorter = new SlotSorter();

  /** Adds a row; its slot. */
  add(idLow: number, idHigh: number): number {
    const slot = this.table.add(idLow, idHigh);
    const { capacity } = this.table;
    if (this.slots.length < capacity) {
      this.created.grow(capacity);
      this.updated.grow(capacity);
      this.slots = new Uint32Array(capacity);
    }
    return slot;
  }

  /** Removes a row; the slot whose row was moved there, as {@linkcode IdTable.remove} says. */
  remove(slot: number): number {
    const last = this.table.remove(slot);
    this.created.copy(last, slot);
    this.updated.copy(last, slot);
    return last;
  }

  /** Lists in `slots` what may match: all rows, or those named; how many. */
  list(filter: TimedFilter): number {
    if (filter.idIn !== undefined) return this.#listNamed(filter.idIn);
    const { slots, table: { size } } = this;
    for (let slot = 0; slot < size; slot++) slots[slot] = slot;
    return size;
  }

  /** Keeps of the first `count` slots those whose times are wanted; how many. */
  keepTimes(count: number, filter: TimedFilter): number {
    const created = boundsOf(filter.created, {
      gte: filter.createdAfterNs,
      lte: filter.createdBeforeNs,
    });
    const updated = boundsOf(filter.updated, {
      gte: filter.updatedAfterNs,
      lte: filter.updatedBeforeNs,
    });
    if (created === "none" || updated === "none") return 0;
    let kept = count;
    if (created !== undefined) kept = this.created.keepWithin(this.slots, kept, created);
    if (updated !== undefined) kept = this.updated.keepWithin(this.slots, kept, updated);
    return kept;
  }

  /** All slots in the order of their ids; an array of the caller's own. */
  byId(): Uint32Array {
    return this.slots.slice(0, this.order(this.list({}), {}));
  }

  /** Keeps of the first `count` slots those that a user's own condition wants, which may query these rows again. */
  keepMatching(count: number, isWanted: (slot: number) => boolean): number {
    const kept = this.slots.slice(0, count).filter(isWanted);
    this.slots.set(kept);
    return kept.length;
  }

  /** Puts the first `count` slots in order; how many of them are wanted. */
  order(count: number, filter: TimedFilter): number {
    const { orderBy = "id-asc", limit = count } = filter;
    placeOfWord("order", ROW_ORDERS, orderBy);
    if (requireLimit(limit) === 0) return 0;
    const [column, direction] = orderBy.split("-");
    const isDescending = direction === "desc";
    const isById = column === "id";
    if (!this.table.isAscending || filter.idIn !== undefined) {
      this.#sorter.sort(this.slots, count, this.table.ids.words, isById && isDescending);
    } else if (isById && isDescending) this.slots.subarray(0, count).reverse();
    if (!isById) {
      const { words } = column === "created" ? this.created : this.updated;
      this.#sorter.sort(this.slots, count, words, isDescending);
    }
    return Math.min(limit, count);
  }

  #listNamed(ids: readonly bigint[]): number {
    if (ids.length > ID_IN_MAX) {
      throw new NetError(
        "limit",
        `Cannot query: ${ids.length} ids, at most ${ID_IN_MAX} are allowed`,
      );
    }
    let count = 0;
    for (const id of new Set(ids)) {
      const slot = this.table.findId(id);
      if (slot >= 0) this.slots[count++] = slot;
    }
    return count;
  }
}
