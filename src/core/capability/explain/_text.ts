/** Texts of explanations: short, and safe to show whatever a node announced. */
import { escapeUnprintable } from "../predicate/label.ts";

const TEXT_MAX = 64;
const LIST_MAX = 8;

/** The text without what a terminal could take for orders, and not too long. */
export function show(text: string): string {
  const characters = [...text];
  const isLong = characters.length > TEXT_MAX;
  return escapeUnprintable(isLong ? characters.slice(0, TEXT_MAX).join("") : text) +
    (isLong ? "…" : "");
}

/** Some of the texts, joined; `none` when there is none. */
export function showList(texts: readonly string[], none: string): string {
  if (texts.length === 0) return none;
  const more = texts.length > LIST_MAX ? ` and ${texts.length - LIST_MAX} more` : "";
  return texts.slice(0, LIST_MAX).map(show).join(", ") + more;
}
