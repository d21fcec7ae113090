/** Rows of a list in tags, `software.KIND.I.FIELD`, brought back in the order of their index. */
import { unsignedOfText } from "../predicate/number_text.ts";
import { readProperties } from "../tags/axis_tags.ts";

const U32_MAX = 0xffff_ffff;

/** The row's number; `undefined` when the text is none. */
export function indexOfText(text: string): number | undefined {
  const digit = text.length === 1 ? text.charCodeAt(0) - 0x30 : -1;
  if (digit >= 0 && digit <= 9) return digit;
  const index = unsignedOfText(text);
  return typeof index === "number" && index <= U32_MAX ? index : undefined;
}

/**
 * Reads rows.
 *
 * @param prefix `software.KIND.`.
 * @param create Makes an empty row, for the first field of an index.
 * @param read Takes one field of a row.
 */
export function readRows<Row>(
  tags: readonly string[],
  prefix: string,
  create: () => Row,
  read: (row: Row, field: string, value: string) => void,
): readonly Row[] {
  const rows = new Map<number, Row>();
  readProperties(tags, prefix, (key, value = "") => {
    const dot = key.indexOf(".");
    const index = dot === -1 ? undefined : indexOfText(key.slice(0, dot));
    if (index === undefined) return;
    let row = rows.get(index);
    if (row === undefined) rows.set(index, row = create());
    read(row, key.slice(dot + 1), value);
  });
  return [...rows].sort(([left], [right]) => left - right).map(([, row]) => row);
}
