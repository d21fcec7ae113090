/**
 * Reads the text of a predicate piece by piece, and words what is wrong with it. What the pieces mean is
 * `parse_text.ts`.
 */
import { NetError } from "../../../base/mod.ts";
import { PREDICATE_TEXT_MAX } from "./limits.ts";

const SPACE = /\s*/y;
/** A name or a part of one; also all that may stand unquoted in front of an operator. */
const WORD = /[\p{L}\p{N}_./@#-]+/uy;
/** A value may have more in it, because nothing but a joint or a bracket can follow. */
const BARE_VALUE = /[^\s"()[\],&|]+/uy;
const QUOTED = /"(?:[^"\\]|\\.)*"/uy;
const REST = /[^\s]+/uy;
const SHOWN_MAX = 24;

/** True when the text can stand in a predicate without quotes, as a value. */
export function isBareValue(text: string): boolean {
  return matchAt(BARE_VALUE, text, 0) === text && text !== "";
}

/** True when the text can stand in a predicate without quotes, as a key. */
export function isWord(text: string): boolean {
  return matchAt(WORD, text, 0) === text && text !== "";
}

/** Cursor over one text. */
export class TextCursor {
  readonly #text: string;
  #at = 0;

  /** @throws NetError `usage` when the text is longer than any predicate has to be. */
  constructor(text: string) {
    this.#text = text;
    if (text.length <= PREDICATE_TEXT_MAX) return;
    throw new NetError(
      "usage",
      `Cannot read predicate: length is ${text.length}, must be at most ${PREDICATE_TEXT_MAX}`,
      { next: "ask for less at once" },
    );
  }

  /** Place of what comes next, spaces passed over; 0 is the first character. */
  get place(): number {
    this.#at += matchAt(SPACE, this.#text, this.#at)?.length ?? 0;
    return this.#at;
  }

  /** True behind the last character. */
  get isAtEnd(): boolean {
    return this.place === this.#text.length;
  }

  /** Takes this mark if it comes next. */
  take(mark: string): boolean {
    if (!this.#text.startsWith(mark, this.place)) return false;
    this.#at += mark.length;
    return true;
  }

  /** Takes this mark if it comes next, without a space before it. */
  takeAttached(mark: string): boolean {
    return this.#text.startsWith(mark, this.#at) && this.take(mark);
  }

  /** True when something that begins like this comes next. */
  startsWith(pattern: RegExp): boolean {
    return this.#text.slice(this.place, this.place + 2).search(pattern) === 0;
  }

  /** Takes this word if it comes next, and nothing that would make it a longer one. */
  takeWord(word: string): boolean {
    return matchAt(WORD, this.#text, this.place) === word && this.take(word);
  }

  /** Takes the first of these marks that comes next. */
  takeOneOf<Mark extends string>(marks: readonly Mark[]): Mark | undefined {
    return marks.find((mark) => this.take(mark));
  }

  /** Takes a word, `undefined` when there is none. */
  word(): string | undefined {
    return this.#match(WORD);
  }

  /** Takes what stands without quotes. */
  bareValue(): string | undefined {
    return this.#match(BARE_VALUE);
  }

  /** True when a quoted text follows without a space before it. */
  get isQuoteAttached(): boolean {
    return this.#text[this.#at] === '"';
  }

  /** Takes a text in quotes, unescaped; `undefined` when there is none. */
  quoted(): string | undefined {
    const { place } = this;
    if (this.#text[place] !== '"') return undefined;
    const text = unquote(this.#match(QUOTED) ?? "");
    return text ?? this.fail("a text in double quotes, escaped as in JSON", place);
  }

  /**
   * Says what is wrong.
   *
   * @param expected What had to be at the place.
   * @param place Default: what comes next.
   * @throws NetError `usage`, with the place in its data.
   */
  fail(expected: string, place = this.place, next = NEXT): never {
    const rest = matchAt(REST, this.#text, place);
    const shown = rest === undefined ? "the end" : JSON.stringify(cut(rest));
    throw new NetError(
      "usage",
      `Cannot read predicate: at column ${place + 1} is ${shown}, must be ${expected}`,
      { next, data: { at: place, expected } },
    );
  }

  #match(pattern: RegExp): string | undefined {
    const match = matchAt(pattern, this.#text, this.place);
    this.#at += match?.length ?? 0;
    return match;
  }
}

const NEXT = "write for example 'hardware.gpu && hardware.memory_gb>=64'";

/** What the pattern, a sticky one, finds at the place. */
function matchAt(pattern: RegExp, text: string, place: number): string | undefined {
  pattern.lastIndex = place;
  return pattern.exec(text)?.[0];
}

function unquote(quoted: string): string | undefined {
  try {
    const text: unknown = JSON.parse(quoted);
    return typeof text === "string" && text.isWellFormed() ? text : undefined;
  } catch {
    // Not closed, an unknown escape, or a control character: the caller says so.
    return undefined;
  }
}

function cut(text: string): string {
  const characters = [...text];
  return characters.length <= SHOWN_MAX ? text : `${characters.slice(0, SHOWN_MAX).join("")}…`;
}
