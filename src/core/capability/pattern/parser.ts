/**
 * Reads regular expressions in the syntax of the reference: what can be matched in one pass. Look-around
 * and back-references do not exist, so that no pattern can take long.
 */
import {
  ANYTHING,
  between,
  classOfLetter,
  classOfPosix,
  classOfProperty,
  ignoringCase,
  invert,
  NO_NEWLINE,
} from "./character_class.ts";
import { PATTERN_DEPTH_MAX } from "./limits.ts";
import { type Anchor, type CharacterTest, NOTHING, type Syntax } from "./syntax.ts";

/** How letters and lines are taken; `(?ims)`. */
interface Flags {
  readonly ignoresCase: boolean;
  readonly isMultiLine: boolean;
  readonly dotTakesNewline: boolean;
}

const FLAG_NAMES = { i: "ignoresCase", m: "isMultiLine", s: "dotTakesNewline" } as const;
const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const ANCHORS: Readonly<Record<string, Anchor>> = {
  A: "start",
  z: "end",
  b: "boundary",
  B: "no_boundary",
};
const PUNCTUATION = /^[!-/:-@[-`{-~]$/;
const QUANTIFIER = /\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\}/y;
const HEX = /x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]{1,8})\}/y;
const PROPERTY = /[pP](?:([A-Za-z])|\{(\^?)([^}]*)\})/y;
const POSIX = /\[:(\^?[a-z]+):\]/y;
const GROUP = /\?(?:P?<[A-Za-z_][0-9A-Za-z_.]*>|([ims]*)(?:-([ims]+))?([:)]))/y;
const POINT_MAX = 0x10_ffff;

/** The pattern cannot be read. */
class SyntaxFault extends Error {}

/** The tree of a pattern; `undefined` when it is none. */
export function parsePattern(pattern: string): Syntax | undefined {
  try {
    return new Parser(pattern).parse();
  } catch (error) {
    if (error instanceof SyntaxFault) return undefined;
    throw error;
  }
}

class Parser {
  readonly #text: string;
  #at = 0;
  #flags: Flags = { ignoresCase: false, isMultiLine: false, dotTakesNewline: false };

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Syntax {
    const syntax = this.#choice(0);
    if (this.#at < this.#text.length) throw new SyntaxFault();
    return syntax;
  }

  #choice(depth: number): Syntax {
    if (depth > PATTERN_DEPTH_MAX) throw new SyntaxFault();
    const items = [this.#sequence(depth)];
    while (this.#take("|")) items.push(this.#sequence(depth));
    return items.length === 1 ? items[0] ?? NOTHING : { kind: "choice", items };
  }

  #sequence(depth: number): Syntax {
    const items: Syntax[] = [];
    while (this.#at < this.#text.length && this.#peek() !== "|" && this.#peek() !== ")") {
      items.push(this.#quantified(this.#item(depth)));
    }
    return { kind: "sequence", items };
  }

  #item(depth: number): Syntax {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group(depth);
      case "[":
        return { kind: "character", test: this.#bracket(0) };
      case ".":
        return { kind: "character", test: this.#flags.dotTakesNewline ? ANYTHING : NO_NEWLINE };
      case "^":
        return { kind: "anchor", anchor: this.#flags.isMultiLine ? "line_start" : "start" };
      case "$":
        return { kind: "anchor", anchor: this.#flags.isMultiLine ? "line_end" : "end" };
      case "\\": {
        const anchor = ANCHORS[this.#peek()];
        if (anchor === undefined) return { kind: "character", test: this.#escape() };
        this.#at += 1;
        return { kind: "anchor", anchor };
      }
      case "*":
      case "+":
      case "?":
      case "{":
        throw new SyntaxFault();
      default:
        return { kind: "character", test: this.#range(character.codePointAt(0) ?? 0) };
    }
  }

  #group(depth: number): Syntax {
    const outer = this.#flags;
    if (this.#peek() === "?") {
      const [, on = "", off = "", end] = this.#match(GROUP);
      this.#flags = { ...outer, ...flagsOf(on, true), ...flagsOf(off, false) };
      // Flags alone hold for the rest of the group around them.
      if (end === ")") return NOTHING;
    }
    const syntax = this.#choice(depth + 1);
    this.#require(")");
    this.#flags = outer;
    return syntax;
  }

  #quantified(item: Syntax): Syntax {
    let syntax = item;
    for (;;) {
      const [min, max] = this.#quantifier() ?? [];
      if (min === undefined || max === undefined) return syntax;
      if (min > max) throw new SyntaxFault();
      // Whether few or many are preferred makes no difference to whether there is a match.
      this.#take("?");
      syntax = { kind: "repeat", item: syntax, min, max };
    }
  }

  #quantifier(): readonly [min: number, max: number] | undefined {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    if (this.#peek() !== "{") return undefined;
    const [, min, comma, max = ""] = this.#match(QUANTIFIER);
    const least = Number(min);
    if (comma === undefined) return [least, least];
    return [least, max === "" ? Infinity : Number(max)];
  }

  /** A set in brackets, behind the first one. */
  #bracket(depth: number): CharacterTest {
    if (depth > PATTERN_DEPTH_MAX) throw new SyntaxFault();
    const isInverted = this.#take("^");
    const tests: CharacterTest[] = [];
    // A closing bracket right at the beginning is a character.
    for (let isFirst = true; isFirst || this.#peek() !== "]"; isFirst = false) {
      tests.push(this.#member(depth));
    }
    this.#at += 1;
    const test: CharacterTest = (point) => tests.some((each) => each(point));
    return isInverted ? invert(test) : test;
  }

  #member(depth: number): CharacterTest {
    // Operators between sets are not known here; better no match than a wrong one.
    if (/^(?:&&|--|~~)/.test(this.#text.slice(this.#at, this.#at + 2))) throw new SyntaxFault();
    if (this.#peek() === "[") {
      POSIX.lastIndex = this.#at;
      const [whole, name] = POSIX.exec(this.#text) ?? [];
      this.#at += whole?.length ?? 1;
      return name === undefined ? this.#bracket(depth + 1) : required(classOfPosix(name));
    }
    const first = this.#point();
    if (typeof first !== "number") return first;
    if (this.#peek() !== "-" || this.#text[this.#at + 1] === "]") return this.#range(first);
    this.#at += 1;
    const last = this.#point();
    if (typeof last !== "number" || last < first) throw new SyntaxFault();
    return this.#range(first, last);
  }

  /** A character, or a set that an escape stands for. */
  #point(): number | CharacterTest {
    const character = this.#next();
    if (character !== "\\") return character.codePointAt(0) ?? 0;
    return this.#escapedPoint() ?? this.#escapedClass();
  }

  #escape(): CharacterTest {
    const point = this.#escapedPoint();
    return point === undefined ? this.#escapedClass() : this.#range(point);
  }

  #escapedPoint(): number | undefined {
    const letter = this.#peek();
    const control = Object.hasOwn(CONTROLS, letter) ? CONTROLS[letter] : undefined;
    if (control !== undefined || PUNCTUATION.test(letter)) {
      this.#at += 1;
      return control ?? letter.codePointAt(0);
    }
    if (!/[xuU]/.test(letter)) return undefined;
    const digits = this.#match(HEX).slice(1).find((group) => group !== undefined);
    const point = parseInt(digits ?? "", 16);
    if (point > POINT_MAX || (point >= 0xd800 && point <= 0xdfff)) throw new SyntaxFault();
    return point;
  }

  #escapedClass(): CharacterTest {
    const letter = this.#peek();
    if (letter !== "p" && letter !== "P") return required(classOfLetter(this.#next()));
    const [, short, caret = "", name = ""] = this.#match(PROPERTY);
    const test = required(classOfProperty(short ?? name));
    return (letter === "P") === (caret === "^") ? test : invert(test);
  }

  /** Characters of a range; the other case is added before anything is inverted. */
  #range(first: number, last = first): CharacterTest {
    const test = between(first, last);
    return this.#flags.ignoresCase ? ignoringCase(test) : test;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  /** The next character, which may be two units. */
  #next(): string {
    const point = this.#text.codePointAt(this.#at);
    if (point === undefined) throw new SyntaxFault();
    const character = String.fromCodePoint(point);
    this.#at += character.length;
    return character;
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #require(character: string): void {
    if (!this.#take(character)) throw new SyntaxFault();
  }

  #match(regex: RegExp): readonly (string | undefined)[] {
    regex.lastIndex = this.#at;
    const match = regex.exec(this.#text);
    if (match === null) throw new SyntaxFault();
    this.#at += match[0].length;
    return match;
  }
}

function flagsOf(names: string, value: boolean): Partial<Flags> {
  const flags: { -readonly [Name in keyof Flags]?: Flags[Name] } = {};
  for (const name of ["i", "m", "s"] as const) {
    if (names.includes(name)) flags[FLAG_NAMES[name]] = value;
  }
  return flags;
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new SyntaxFault();
  return value;
}
