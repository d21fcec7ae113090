/** Sets of characters in patterns: `\d`, `\p{…}`, `[…]`. */
import type { CharacterTest } from "./syntax.ts";

const NEWLINE = 0x0a;

/** Any character but a newline. */
export const NO_NEWLINE: CharacterTest = (point) => point !== NEWLINE;
/** Any character. */
export const ANYTHING: CharacterTest = () => true;

/** A letter, digit, mark or connector, as `\b` sees it. */
export const isWord: CharacterTest = byProperty(
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u,
);

const CLASSES: ReadonlyMap<string, CharacterTest> = new Map([
  ["d", byProperty(/\p{Nd}/u)],
  ["s", byProperty(/\p{White_Space}/u)],
  ["w", isWord],
]);

const POSIX: ReadonlyMap<string, CharacterTest> = new Map([
  ["alnum", byProperty(/[0-9A-Za-z]/)],
  ["alpha", byProperty(/[A-Za-z]/)],
  ["blank", byProperty(/[\t ]/)],
  ["digit", byProperty(/[0-9]/)],
  ["lower", byProperty(/[a-z]/)],
  ["punct", byProperty(/[!-/:-@[-`{-~]/)],
  ["space", byProperty(/[\t\n\v\f\r ]/)],
  ["upper", byProperty(/[A-Z]/)],
  ["word", byProperty(/[0-9A-Za-z_]/)],
  ["xdigit", byProperty(/[0-9A-Fa-f]/)],
]);

const PROPERTY_NAME = /^[A-Za-z_]{1,40}(?:=[A-Za-z_]{1,40})?$/;

/** The set of `\d`, `\D` and so on; `undefined` when the letter names none. */
export function classOfLetter(letter: string): CharacterTest | undefined {
  const test = CLASSES.get(letter.toLowerCase());
  return test === undefined || letter === letter.toLowerCase() ? test : invert(test);
}

/** The set of `[:name:]`, `[:^name:]`. */
export function classOfPosix(name: string): CharacterTest | undefined {
  if (!name.startsWith("^")) return POSIX.get(name);
  const test = POSIX.get(name.slice(1));
  return test === undefined ? undefined : invert(test);
}

/** The set of a Unicode property; `undefined` when there is no such property. */
export function classOfProperty(name: string): CharacterTest | undefined {
  if (!PROPERTY_NAME.test(name)) return undefined;
  for (const spelling of [name, `Script=${name}`]) {
    try {
      // One character is matched at a time, so nothing can go back and forth here.
      return byProperty(new RegExp(`\\p{${spelling}}`, "u"));
    } catch {
      // Not a property by this name.
    }
  }
  return undefined;
}

/** All characters that the set has not. */
export function invert(test: CharacterTest): CharacterTest {
  return (point) => !test(point);
}

/** Characters from `first` to `last`. */
export function between(first: number, last: number): CharacterTest {
  return (point) => point >= first && point <= last;
}

/** The set whatever the case. */
export function ignoringCase(test: CharacterTest): CharacterTest {
  return (point) => {
    if (test(point)) return true;
    const text = String.fromCodePoint(point);
    return isIn(test, text.toLowerCase()) || isIn(test, text.toUpperCase());
  };
}

function isIn(test: CharacterTest, text: string): boolean {
  const point = text.codePointAt(0) ?? 0;
  // Some letters become two in the other case; they are left as they are.
  return text.length === String.fromCodePoint(point).length && test(point);
}

function byProperty(regex: RegExp): CharacterTest {
  return (point) => regex.test(String.fromCodePoint(point));
}
