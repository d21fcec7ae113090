/** The folded state of memories: columns, and rows that are made when they are read and kept until they change. */
import type { PostcardWriter } from "../../../base/mod.ts";
import { type ModelLimits, ROWS_MAX } from "../limits.ts";
import { requireParts, type RowState } from "../rows.ts";
import { TextColumn } from "../tables/text_column.ts";
import { TIMED_PARTS, TimedRows } from "../tables/timed_rows.ts";
import { isSameMemory, type Memory, type MemoryFilter } from "./memory.ts";

const PARTS = new Set<string>([
  ...TIMED_PARTS,
  "source",
  "contentContains",
  "tag",
  "anyTag",
  "allTags",
  "isPinned",
]);
const NO_TAGS: readonly string[] = Object.freeze([]);

/** Memories by id. */
export class MemoryTable implements RowState<Memory, MemoryFilter> {
  /** Most rows there can be. */
  readonly rowsMax: number;
  readonly #rows = new TimedRows();
  readonly #contents = new TextColumn();
  readonly #sources = new TextColumn();
  readonly #tags: (readonly string[])[] = [];
  readonly #pinned: boolean[] = [];
  readonly #made: (Memory | undefined)[] = [];

  constructor({ rowsMax = ROWS_MAX }: ModelLimits = {}) {
    this.rowsMax = rowsMax;
  }

  get size(): number {
    return this.#rows.table.size;
  }

  get(id: bigint): Memory | undefined {
    const slot = this.#rows.table.findId(id);
    return slot < 0 ? undefined : this.#row(slot);
  }

  find(filter: MemoryFilter = {}): Memory[] {
    const wanted = this.#rows.order(this.#select(filter), filter);
    const { slots } = this.#rows;
    const memories: Memory[] = [];
    for (let i = 0; i < wanted; i++) memories.push(this.#row(slots[i] as number));
    return memories;
  }

  first(filter: MemoryFilter = {}): Memory | undefined {
    return this.find({ ...filter, limit: Math.min(1, filter.limit ?? 1) })[0];
  }

  count(filter: MemoryFilter = {}): number {
    return this.#select(filter);
  }

  isSame(a: Memory, b: Memory): boolean {
    return isSameMemory(a, b);
  }

  /** Slot of an id; -1 when there is none. */
  slotOf(idLow: number, idHigh: number): number {
    return this.#rows.table.find(idLow, idHigh);
  }

  /** Adds an id that is not there, unpinned; its slot, whose parts are to be set, or -1 when there is no room. */
  add(idLow: number, idHigh: number): number {
    if (this.size >= this.rowsMax) return -1;
    const slot = this.#rows.add(idLow, idHigh);
    this.#contents.set(slot, "");
    this.#sources.set(slot, "");
    this.#tags[slot] = NO_TAGS;
    this.#pinned[slot] = false;
    this.#made[slot] = undefined;
    return slot;
  }

  setContent(slot: number, content: string, source: string): void {
    this.#contents.set(slot, content);
    this.#sources.set(slot, source);
    this.#made[slot] = undefined;
  }

  /** @param tags Kept as it is. */
  setTags(slot: number, tags: readonly string[]): void {
    this.#tags[slot] = tags.length === 0 ? NO_TAGS : Object.freeze(tags);
    this.#made[slot] = undefined;
  }

  setPinned(slot: number, isPinned: boolean): void {
    this.#pinned[slot] = isPinned;
    this.#made[slot] = undefined;
  }

  setCreated(slot: number, low: number, high: number): void {
    this.#rows.created.set(slot, low, high);
    this.#made[slot] = undefined;
  }

  setUpdated(slot: number, low: number, high: number): void {
    this.#rows.updated.set(slot, low, high);
    this.#made[slot] = undefined;
  }

  remove(slot: number): void {
    const last = this.#rows.remove(slot);
    this.#contents.move(last, slot);
    this.#sources.move(last, slot);
    this.#tags[slot] = this.#tags[last] as readonly string[];
    this.#pinned[slot] = this.#pinned[last] as boolean;
    this.#made[slot] = this.#made[last];
    for (const column of [this.#tags, this.#pinned, this.#made]) column.length = last;
  }

  /** Appends id, memory and so on of all, in the order of ids, without making rows of them. */
  write(writer: PostcardWriter): void {
    const { table, created, updated } = this.#rows;
    for (const slot of this.#rows.byId()) {
      table.ids.write(writer, slot);
      table.ids.write(writer, slot);
      writer.text(this.#contents.get(slot));
      writer.list(this.#tags[slot] ?? NO_TAGS, (tag) => void writer.text(tag));
      writer.text(this.#sources.get(slot));
      created.write(writer, slot);
      updated.write(writer, slot);
      writer.flag(this.#pinned[slot] ?? false);
    }
  }

  #select(filter: MemoryFilter): number {
    requireParts(filter, PARTS);
    const { source, contentContains, tag, anyTag = [], allTags = [], isPinned } = filter;
    const rows = this.#rows;
    let count = rows.keepTimes(rows.list(filter), filter);
    if (isPinned !== undefined) {
      count = this.#keep(count, (slot) => this.#pinned[slot] === isPinned);
    }
    if (source !== undefined) count = this.#sources.keepEqual(rows.slots, count, source);
    if (tag !== undefined) count = this.#keepTags(count, (tags) => tags.includes(tag));
    if (anyTag.length > 0) {
      count = this.#keepTags(count, (tags) => anyTag.some((wanted) => tags.includes(wanted)));
    }
    if (allTags.length > 0) {
      count = this.#keepTags(count, (tags) => allTags.every((wanted) => tags.includes(wanted)));
    }
    if (contentContains !== undefined) {
      count = this.#contents.keepContaining(rows.slots, count, contentContains);
    }
    const { matching } = filter;
    return matching === undefined
      ? count
      : rows.keepMatching(count, (slot) => matching(this.#row(slot)));
  }

  #keepTags(count: number, isWanted: (tags: readonly string[]) => boolean): number {
    return this.#keep(count, (slot) => isWanted(this.#tags[slot] as readonly string[]));
  }

  #keep(count: number, isWanted: (slot: number) => boolean): number {
    const { slots } = this.#rows;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number;
      if (isWanted(slot)) slots[kept++] = slot;
    }
    return kept;
  }

  #row(slot: number): Memory {
    const made = this.#made[slot];
    if (made !== undefined) return made;
    const rows = this.#rows;
    const memory: Memory = Object.freeze({
      id: rows.table.ids.get(slot),
      content: this.#contents.get(slot),
      tags: this.#tags[slot] as readonly string[],
      source: this.#sources.get(slot),
      createdNs: rows.created.get(slot),
      updatedNs: rows.updated.get(slot),
      isPinned: this.#pinned[slot] as boolean,
    });
    this.#made[slot] = memory;
    return memory;
  }
}
