/**
 * A column of texts that is searched as the Rust core searches (`storage.md` 9): a needle in ASCII is compared byte
 * by byte but for the case of A to Z, any other needle in Unicode lower case. `straße` is found by `STRAßE`, not by
 * `STRASSE`; the Kelvin sign is no k.
 *
 * Lower case is worked out when a row is first searched, and remembered.
 */
import { LOWERED_TEXT_MAX } from "../limits.ts";

// deno-lint-ignore no-control-regex -- ASCII is a range of codes, some of them controls.
const ASCII = /^[\x00-\x7f]*$/;

/** Column of texts. */
export class TextColumn {
  readonly #texts: string[] = [];
  #asciiLowered: (string | undefined)[] = [];
  #unicodeLowered: (string | undefined)[] = [];

  get(slot: number): string {
    return this.#texts[slot] ?? "";
  }

  /** Sets a row, or adds the next one. */
  set(slot: number, text: string): void {
    this.#texts[slot] = text;
    this.#forget(slot);
  }

  /** Moves the last row over another, and drops it. */
  move(last: number, slot: number): void {
    if (last !== slot) this.set(slot, this.get(last));
    this.#texts.length = last;
    if (this.#asciiLowered.length > last) this.#asciiLowered.length = last;
    if (this.#unicodeLowered.length > last) this.#unicodeLowered.length = last;
  }

  /** Keeps of the first `count` slots those whose text contains the needle; how many. */
  keepContaining(slots: Uint32Array, count: number, needle: string): number {
    if (needle === "") return count;
    const isAscii = ASCII.test(needle);
    const wanted = isAscii ? lowerAscii(needle) : needle.toLowerCase();
    const lowered = isAscii ? this.#asciiLowered : this.#unicodeLowered;
    const lower = isAscii ? lowerAscii : lowerUnicode;
    const texts = this.#texts;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number;
      const text = lowered[slot] ?? remember(lowered, slot, texts[slot] as string, lower);
      if (text.includes(wanted)) slots[kept++] = slot;
    }
    return kept;
  }

  /** Keeps of the first `count` slots those with this very text; how many. */
  keepEqual(slots: Uint32Array, count: number, text: string): number {
    const texts = this.#texts;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number;
      if (texts[slot] === text) slots[kept++] = slot;
    }
    return kept;
  }

  #forget(slot: number): void {
    if (slot < this.#asciiLowered.length) this.#asciiLowered[slot] = undefined;
    if (slot < this.#unicodeLowered.length) this.#unicodeLowered[slot] = undefined;
  }
}

/** A test of texts: whether they contain the needle, by the rules of text search. */
export function textSearch(needle: string): (text: string) => boolean {
  if (needle === "") return () => true;
  if (!ASCII.test(needle)) {
    const lowered = needle.toLowerCase();
    return (text) => text.toLowerCase().includes(lowered);
  }
  const lowered = lowerAscii(needle);
  return (text) => lowerAscii(text).includes(lowered);
}

function remember(
  lowered: (string | undefined)[],
  slot: number,
  text: string,
  lower: (text: string) => string,
): string {
  const result = lower(text);
  if (text.length > LOWERED_TEXT_MAX) return result;
  // An array without holes stays quick to read.
  for (let next = lowered.length; next < slot; next++) lowered.push(undefined);
  lowered[slot] = result;
  return result;
}

function lowerUnicode(text: string): string {
  return text.toLowerCase();
}

function lowerAscii(text: string): string {
  return ASCII.test(text)
    ? text.toLowerCase()
    : text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}
