/** The folded state of a user's collection: rows by id. */
import { isSameValue } from "../../cortex/same_value.ts";
import { type ModelLimits, ROWS_MAX } from "../../models/limits.ts";
import { placeOfWord, requireLimit, requireParts, type RowState } from "../../models/rows.ts";
import { IdTable } from "../../models/tables/id_table.ts";
import { SlotSorter } from "../../models/tables/slot_sort.ts";
import type { BlobPins } from "./definition.ts";
import { compileWhere, orderValues, rankOf, type RowFilter } from "./row_filter.ts";

/** What a table knows of its rows. */
export interface TableRow {
  readonly id: bigint;
}

const PARTS = new Set(["idIn", "where", "matching", "orderBy", "limit"]);
const ID_ORDERS = ["id-asc", "id-desc"];

/** Rows of one collection. Rows are frozen. */
export class RowTable<Row extends TableRow> implements RowState<Row, RowFilter<Row>> {
  /** Most rows there can be. */
  readonly rowsMax: number;
  readonly #ids = new IdTable();
  readonly #rows: Row[] = [];
  readonly #sorter = new SlotSorter();
  readonly #blobsOf: ((row: Row) => Iterable<string>) | undefined;
  readonly #blobRows = new Map<string, number>();
  #pins: BlobPins | undefined;
  #slots = new Uint32Array(this.#ids.capacity);

  constructor(blobsOf?: (row: Row) => Iterable<string>, { rowsMax = ROWS_MAX }: ModelLimits = {}) {
    this.#blobsOf = blobsOf;
    this.rowsMax = rowsMax;
  }

  get size(): number {
    return this.#rows.length;
  }

  get(id: bigint): Row | undefined {
    return this.#rows[this.#ids.findId(id)];
  }

  find(filter: RowFilter<Row> = {}): Row[] {
    const { orderBy = "id-asc", limit } = filter;
    if (typeof orderBy === "string") placeOfWord("order", ID_ORDERS, orderBy);
    if (limit !== undefined && requireLimit(limit) === 0) return [];
    const { slots, count } = this.#select(filter);
    const isDescending = orderBy === "id-desc";
    if (!this.#ids.isAscending || filter.idIn !== undefined) {
      this.#sorter.sort(slots, count, this.#ids.ids.words, isDescending);
    } else if (isDescending) slots.subarray(0, count).reverse();
    const rows: Row[] = [];
    const isByField = typeof orderBy === "object";
    const wanted = isByField ? count : Math.min(count, limit ?? count);
    for (let i = 0; i < wanted; i++) rows.push(this.#rows[slots[i] as number] as Row);
    if (!isByField) return rows;
    sortByField(rows, orderBy.field, orderBy.isDescending ?? false);
    return limit === undefined ? rows : rows.slice(0, limit);
  }

  first(filter: RowFilter<Row> = {}): Row | undefined {
    return this.find({ ...filter, limit: Math.min(1, filter.limit ?? 1) })[0];
  }

  count(filter: RowFilter<Row> = {}): number {
    return this.#select(filter).count;
  }

  isSame(a: Row, b: Row): boolean {
    return isSameValue(a, b);
  }

  /** Sets a row; false when there is no room for another. */
  put(row: Row): boolean {
    const [low, high] = [Number(row.id & 0xffffffffn), Number(row.id >> 32n)];
    let slot = this.#ids.find(low, high);
    if (slot < 0) {
      if (this.size >= this.rowsMax) return false;
      slot = this.#ids.add(low, high);
      if (this.#slots.length < this.#ids.capacity) {
        this.#slots = new Uint32Array(this.#ids.capacity);
      }
    }
    const before = this.#rows[slot];
    this.#rows[slot] = row;
    // What both refer to stays held in between.
    this.#holdBlobs(row, 1);
    if (before !== undefined) this.#holdBlobs(before, -1);
    return true;
  }

  remove(id: bigint): boolean {
    const slot = this.#ids.findId(id);
    const row = this.#rows[slot];
    if (row === undefined) return false;
    const last = this.#ids.remove(slot);
    this.#rows[slot] = this.#rows[last] as Row;
    this.#rows.length = last;
    this.#holdBlobs(row, -1);
    return true;
  }

  /** From now on tells which blobs rows refer to, beginning with those that they do. */
  pinWith(pins: BlobPins | undefined): this {
    this.#pins = pins;
    if (pins !== undefined) { for (const blob of this.#blobRows.keys()) pins.pin(blob); }
    return this;
  }

  #select(filter: RowFilter<Row>): { readonly slots: Uint32Array; readonly count: number } {
    requireParts(filter, PARTS);
    const { matching } = filter;
    // A condition of the user's own may query this table again.
    const slots = matching === undefined ? this.#slots : new Uint32Array(this.size);
    let count = 0;
    const tests = compileWhere(filter.where);
    const take = (slot: number) => {
      const row = this.#rows[slot] as Row;
      for (const test of tests) if (!test(row as Readonly<Record<string, unknown>>)) return;
      if (matching === undefined || matching(row)) slots[count++] = slot;
    };
    if (filter.idIn === undefined) {
      for (let slot = 0; slot < this.#rows.length; slot++) take(slot);
      return { slots, count };
    }
    for (const id of new Set(filter.idIn)) {
      const slot = this.#ids.findId(id);
      if (slot >= 0) take(slot);
    }
    return { slots, count };
  }

  #holdBlobs(row: Row, change: 1 | -1): void {
    if (this.#blobsOf === undefined) return;
    for (const blob of new Set(this.#blobsOf(row))) {
      const rows = (this.#blobRows.get(blob) ?? 0) + change;
      if (rows === 0) this.#blobRows.delete(blob);
      else this.#blobRows.set(blob, rows);
      if (rows === 0) this.#pins?.unpin(blob);
      else if (rows === 1 && change === 1) this.#pins?.pin(blob);
    }
  }
}

/** Stable, so that rows of equal values stay in the order of their ids; what is not there comes last either way. */
function sortByField<Row>(rows: Row[], field: keyof Row, isDescending: boolean): void {
  const sign = isDescending ? -1 : 1;
  rows.sort((a, b) => {
    const [left, right] = [a[field], b[field]];
    const isOneMissing = (rankOf(left) === MISSING) !== (rankOf(right) === MISSING);
    return isOneMissing ? rankOf(left) - rankOf(right) : sign * orderValues(left, right);
  });
}

const MISSING = rankOf(undefined);
