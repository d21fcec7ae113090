/**
 * A capability set while steps are applied to it. Only the tags that a step is about are touched, so that
 * what is not understood stays as it was.
 */
import { type CapabilitySet, compareUtf8, createCapabilitySet } from "../capability_set.ts";
import { separatorAt } from "../tags/axis_tags.ts";
import { formatTagKey, parseTag, type TagAxis } from "../tags/tag.ts";
import { meaningOfTag } from "../tags/tag_equality.ts";
import { indexOfText } from "../views/_rows.ts";
import { isToolMetadataOf } from "../views/tool_view.ts";

/** A list in tags `software.KIND.I.FIELD`. */
export type RowKind = "model" | "tool";

/** One row: its tags, and what follows the index in each. */
interface Row {
  readonly fields: readonly string[];
  readonly tags: readonly string[];
}

const ID_FIELD: Readonly<Record<RowKind, string>> = { model: "id", tool: "tool_id" };

/** A set that changes. */
export class SetDraft {
  readonly #tags: Set<string>;
  readonly #metadata: Map<string, string>;

  constructor(set: CapabilitySet) {
    this.#tags = new Set(set.tags);
    this.#metadata = new Map(set.metadata);
  }

  /** Adds a tag unless one of this meaning is there. */
  add(tag: string): void {
    if (!formsOf(tag).some((form) => this.#tags.has(form))) this.#tags.add(tag);
  }

  /** Takes away the tags of this meaning; false when there was none. */
  remove(tag: string): boolean {
    let isFound = false;
    for (const form of formsOf(tag)) isFound = this.#tags.delete(form) || isFound;
    return isFound;
  }

  /** Puts tags in the place of all whose key passes; false when none did. */
  replace(axis: TagAxis, isReplaced: (key: string) => boolean, tags: readonly string[]): boolean {
    let isFound = false;
    for (const text of this.#tags) {
      if (!text.startsWith(axis)) continue;
      const tag = parseTag(text);
      if (tag === undefined || !("axis" in tag) || tag.axis !== axis) continue;
      if (isReplaced(tag.key)) isFound = this.#tags.delete(text) || isFound;
    }
    for (const tag of tags) this.#tags.add(tag);
    return isFound;
  }

  /**
   * Takes rows of this id out of a list; the others move up. False when there was none.
   *
   * @param added Tags of a row to put at the end, as the writer of rows gives them for index 0.
   */
  replaceRows(kind: RowKind, id: string, added: readonly string[] = []): boolean {
    const prefix = `software.${kind}.`;
    const rows = this.#rows(prefix);
    const kept = rows.map(({ fields }) => fields).filter((row) => idOf(row, kind) !== id);
    const isFound = kept.length < rows.length;
    if (!isFound && added.length === 0) return false;
    if (added.length > 0) kept.push(added.map((tag) => tag.slice(`${prefix}0.`.length)));
    for (const { tags } of rows) for (const tag of tags) this.#tags.delete(tag);
    for (const [index, row] of kept.entries()) {
      for (const field of row) this.#tags.add(`${prefix}${index}.${field}`);
    }
    return isFound;
  }

  /** The number of the first row of this id, as it stands in its tags; `undefined` when there is none. */
  rowOf(kind: RowKind, id: string): string | undefined {
    const prefix = `software.${kind}.`;
    for (const tag of this.#tags) {
      const parts = rowParts(tag, prefix);
      if (parts !== undefined && idOf([parts.field], kind) === id) return parts.index;
    }
    return undefined;
  }

  /** Takes away what metadata tells of a tool. */
  forgetTool(toolId: string): void {
    for (const key of this.#metadata.keys()) {
      if (isToolMetadataOf(toolId, key)) this.#metadata.delete(key);
    }
  }

  /** Sets a metadata entry. */
  setMetadata(key: string, value: string): void {
    this.#metadata.set(key, value);
  }

  /** Takes a metadata entry away; false when there was none. */
  removeMetadata(key: string): boolean {
    return this.#metadata.delete(key);
  }

  /**
   * The set.
   *
   * @throws RangeError when a tag is empty or a text no valid Unicode.
   */
  finish(): CapabilitySet {
    return createCapabilitySet(this.#tags, this.#metadata);
  }

  /** All rows of a list, in their order. */
  #rows(prefix: string): readonly Row[] {
    const rows = new Map<number, { fields: string[]; tags: string[] }>();
    for (const tag of this.#tags) {
      const parts = rowParts(tag, prefix);
      const index = parts === undefined ? undefined : indexOfText(parts.index);
      if (parts === undefined || index === undefined) continue;
      const row = rows.get(index) ?? { fields: [], tags: [] };
      rows.set(index, row);
      row.fields.push(parts.field);
      row.tags.push(tag);
    }
    return [...rows].sort(([left], [right]) => left - right).map(([, row]) => row);
  }
}

/** The tag of a property. */
export function propertyTag(axis: TagAxis, key: string, value: number | string): readonly string[] {
  return value === 0 || value === "" ? [] : [`${formatTagKey({ axis, key })}=${value}`];
}

/** Every way to write a tag of this meaning. */
function formsOf(tag: string): readonly string[] {
  const meaning = meaningOfTag(tag);
  const parsed = parseTag(meaning);
  if (parsed?.kind !== "value") return [meaning];
  return [meaning, `${formatTagKey(parsed)}:${parsed.value}`];
}

function rowParts(
  tag: string,
  prefix: string,
): { readonly index: string; readonly field: string } | undefined {
  if (!tag.startsWith(prefix)) return undefined;
  const end = separatorAt(tag, prefix.length);
  const dot = tag.indexOf(".", prefix.length);
  if (dot === -1 || (end !== -1 && end < dot)) return undefined;
  const index = tag.slice(prefix.length, dot);
  return indexOfText(index) === undefined ? undefined : { index, field: tag.slice(dot + 1) };
}

/** The id in a row; the last one counts, as for readers. Rows without have the empty one. */
function idOf(fields: readonly string[], kind: RowKind): string {
  let id = "";
  for (const field of fields.toSorted(compareUtf8)) {
    const at = separatorAt(field, 0);
    if (at !== -1 && field.slice(0, at) === ID_FIELD[kind]) id = field.slice(at + 1);
  }
  return id;
}
