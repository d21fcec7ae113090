/**
 * Reads JSON member by member, for formats that carry bare 64-bit numbers and demand each member once.
 *
 * Strict as RFC 8259 and as the reference: every member is seen, numbers are not rounded, half surrogate
 * pairs are refused, depth is bounded. Never throws: after the first failure every read gives zero or nothing.
 */
import { JSON_DEPTH_MAX } from "./limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const U64_DIGITS_MAX = 20;
/** Below it a sum of decimal digits is exact in a double. */
const EXACT_DIGITS_MAX = 15;

/** Cursor over one JSON text. */
export class JsonReader {
  readonly #text: string;
  #at = 0;
  #hasFailed = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** True once something was not as it had to be. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Enters an object; its first key, or `undefined` when it is empty. */
  firstKey(): string | undefined {
    return this.#require("{") && !this.#take("}") ? this.#key() : undefined;
  }

  /** The next key of the object, `undefined` behind the last. */
  nextKey(): string | undefined {
    if (this.#take(",")) return this.#key();
    this.#require("}");
    return undefined;
  }

  /** Enters an array; true when it has an item. */
  firstItem(): boolean {
    return this.#require("[") && !this.#take("]");
  }

  /** True when the array has another item. */
  nextItem(): boolean {
    if (this.#take(",")) return !this.#hasFailed;
    this.#require("]");
    return false;
  }

  /** Takes a `null` if there is one. */
  takeNull(): boolean {
    this.#skipSpace();
    if (this.#hasFailed || !this.#text.startsWith("null", this.#at)) return false;
    this.#at += 4;
    return true;
  }

  /** A string. */
  text(): string {
    this.#skipSpace();
    const text = this.#text;
    if (this.#hasFailed || text.charCodeAt(this.#at) !== QUOTE) return this.#failText();
    const start = this.#at + 1;
    let hasEscape = false;
    for (let at = start; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) {
        this.#at = at + 1;
        return hasEscape ? this.#unescape(text.slice(start - 1, at + 1)) : text.slice(start, at);
      }
      if (unit < 0x20) break;
      if (unit === BACKSLASH) {
        hasEscape = true;
        at += 1;
      }
    }
    return this.#failText();
  }

  /** An integer of 0..`max`, written without sign, fraction and exponent. */
  unsigned(max: bigint): bigint {
    const digits = this.#digits();
    const value = digits.length <= U64_DIGITS_MAX ? BigInt(digits) : max + 1n;
    if (value <= max) return value;
    this.fail();
    return 0n;
  }

  /** Like {@linkcode JsonReader.unsigned} for numbers that a double holds. */
  small(max: number): number {
    const digits = this.#digits();
    const value = digits.length <= EXACT_DIGITS_MAX ? Number(digits) : max + 1;
    if (value <= max) return value;
    this.fail();
    return 0;
  }

  /** Passes over any value; its text as it stands. */
  raw(): string {
    this.#skipSpace();
    const start = this.#at;
    this.#skip(1);
    return this.#hasFailed ? "" : this.#text.slice(start, this.#at);
  }

  /** Checks that nothing follows. */
  end(): void {
    this.#skipSpace();
    if (this.#at !== this.#text.length) this.fail();
  }

  /** Marks the text as not acceptable. */
  fail(): void {
    this.#hasFailed = true;
    this.#at = this.#text.length;
  }

  #key(): string | undefined {
    const key = this.text();
    return this.#require(":") ? key : undefined;
  }

  #digits(): string {
    this.#skipSpace();
    UNSIGNED.lastIndex = this.#at;
    const digits = UNSIGNED.exec(this.#text)?.[0];
    if (digits === undefined) {
      this.fail();
      return "0";
    }
    this.#at += digits.length;
    return digits;
  }

  #skip(depth: number): void {
    if (depth > JSON_DEPTH_MAX) return this.fail();
    this.#skipSpace();
    const first = this.#text[this.#at];
    if (first === "{") {
      for (let key = this.firstKey(); key !== undefined; key = this.nextKey()) {
        this.#skip(depth + 1);
      }
    } else if (first === "[") {
      for (let isMore = this.firstItem(); isMore; isMore = this.nextItem()) this.#skip(depth + 1);
    } else if (first === '"') {
      this.text();
    } else {
      PLAIN.lastIndex = this.#at;
      const length = PLAIN.exec(this.#text)?.[0].length;
      if (length === undefined) this.fail();
      else this.#at += length;
    }
  }

  #unescape(quoted: string): string {
    try {
      const value: unknown = JSON.parse(quoted);
      if (typeof value === "string" && value.isWellFormed()) return value;
    } catch {
      // An unknown escape: the text fails like any other that is no JSON.
    }
    return this.#failText();
  }

  /** Takes the character if it is the next one. */
  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #require(character: string): boolean {
    if (this.#take(character)) return true;
    this.fail();
    return false;
  }

  #skipSpace(): void {
    for (;; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
    }
  }

  #failText(): string {
    this.fail();
    return "";
  }
}

const UNSIGNED = /0|[1-9][0-9]*/y;
const PLAIN = /null|true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
