/**
 * JSON read with its numbers as they were written, for a reader to whom `1` and `1.0` are different values
 * (`storage.md` 2.5). As strict as the reference: no half surrogate pairs, no number beyond a double, bounded
 * depth; of members with the same name the last counts. Hostile input gives `undefined`, never an error.
 */
import { JSON_DEPTH_MAX } from "./limits.ts";

/** A number as it was written. */
export class JsonNumberText {
  constructor(readonly number: string) {}
}

/** JSON in which `1` and `1.0` differ. */
export type FilterValue =
  | null
  | boolean
  | string
  | JsonNumberText
  | readonly FilterValue[]
  | FilterObject;

/** An object of {@linkcode FilterValue}; without a prototype when it was read. */
export interface FilterObject {
  readonly [key: string]: FilterValue;
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
/** Digits of a whole number that no 64 bits can hold any more. */
const WHOLE_DIGITS_MAX = 20;
const U64_MAX = (1n << 64n) - 1n;
const I64_MIN = -(1n << 63n);

/**
 * Reads JSON from bytes or text.
 *
 * @returns `undefined` when it is none.
 *
 * @example
 * ```ts
 * import { JsonNumberText, readJson } from "./json.ts";
 * const value = readJson("1.0");
 * console.assert(value instanceof JsonNumberText && value.number === "1.0");
 * ```
 */
export function readJson(source: Uint8Array | string): FilterValue | undefined {
  let text: string;
  if (typeof source === "string") text = source;
  else {
    try {
      text = DECODER.decode(source);
    } catch {
      return undefined;
    }
  }
  return new Reader(text).document();
}

/** Text of a value, without spaces; members stand in their own order. */
export function writeJson(value: FilterValue): string {
  if (value instanceof JsonNumberText) return value.number;
  if (Array.isArray(value)) return `[${value.map(writeJson).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, item]) =>
    `${JSON.stringify(key)}:${writeJson(item)}`
  );
  return `{${members.join()}}`;
}

/** The value of a JavaScript value: whole numbers become integers, others floats. */
export function toFilterValue(value: unknown): FilterValue | undefined {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : readJson(text);
}

/** Exact equality: order of members does not count, whether a number is whole or a float does. */
export function equalJson(left: FilterValue, right: FilterValue): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object") return false;
  if (left === null || right === null) return false;
  if (left instanceof JsonNumberText || right instanceof JsonNumberText) {
    return left instanceof JsonNumberText && right instanceof JsonNumberText &&
      equalNumbers(left.number, right.number);
  }
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && left.length === right.length &&
      left.every((item, index) => equalJson(item, right[index]));
  }
  return equalObjects(left as FilterObject, right as FilterObject);
}

/** The exact whole number of a text; `undefined` when it is a float, or more than 64 bits hold. */
export function wholeNumberOf(text: string): bigint | undefined {
  // "-0" is a float: a whole number has no sign to lose.
  if (text === "-0" || /[.eE]/.test(text) || text.length > WHOLE_DIGITS_MAX) return undefined;
  const value = BigInt(text);
  return value <= U64_MAX && value >= I64_MIN ? value : undefined;
}

/** True for a value with members. */
export function isObject(value: FilterValue): value is FilterObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof JsonNumberText);
}

function equalNumbers(left: string, right: string): boolean {
  if (left === right) return true;
  const whole = wholeNumberOf(left);
  const other = wholeNumberOf(right);
  return whole === undefined && other === undefined
    ? Number(left) === Number(right)
    : whole === other;
}

function equalObjects(left: FilterObject, right: FilterObject): boolean {
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => {
    const item = left[key];
    return item !== undefined && Object.hasOwn(right, key) && equalJson(item, right[key] ?? null);
  });
}

/** Reads one text from left to right; after the first fault everything is `undefined`. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): FilterValue | undefined {
    const value = this.#value(1);
    this.#skipSpace();
    return this.#at === this.#text.length ? value : undefined;
  }

  #value(depth: number): FilterValue | undefined {
    this.#skipSpace();
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return depth > JSON_DEPTH_MAX ? undefined : this.#object(depth);
      case 0x5b:
        return depth > JSON_DEPTH_MAX ? undefined : this.#array(depth);
      case 0x22:
        return this.#string();
      case 0x74:
        return this.#word("true", true);
      case 0x66:
        return this.#word("false", false);
      case 0x6e:
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): FilterObject | undefined {
    const members: Record<string, FilterValue> = Object.create(null);
    this.#at += 1;
    if (this.#take(0x7d)) return members;
    do {
      this.#skipSpace();
      const key = this.#string();
      if (key === undefined || !this.#take(0x3a)) return undefined;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      members[key] = value;
    } while (this.#take(0x2c));
    return this.#take(0x7d) ? members : undefined;
  }

  #array(depth: number): FilterValue[] | undefined {
    const items: FilterValue[] = [];
    this.#at += 1;
    if (this.#take(0x5d)) return items;
    do {
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      items.push(value);
    } while (this.#take(0x2c));
    return this.#take(0x5d) ? items : undefined;
  }

  #string(): string | undefined {
    const text = this.#text;
    if (text.charCodeAt(this.#at) !== 0x22) return undefined;
    const start = this.#at + 1;
    let hasEscape = false;
    for (let at = start; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === 0x22) {
        this.#at = at + 1;
        const plain = text.slice(start, at);
        if (hasEscape) return unescape(text.slice(start - 1, at + 1));
        return plain.isWellFormed() ? plain : undefined;
      }
      if (unit < 0x20) return undefined;
      if (unit === 0x5c) {
        hasEscape = true;
        at += 1;
      }
    }
    return undefined;
  }

  #number(): JsonNumberText | undefined {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) return undefined;
    const [text, fraction, exponent] = match;
    // The reference refuses what a double cannot hold; whole numbers of few digits always fit.
    if (fraction !== undefined || exponent !== undefined || text.length > 300) {
      if (!Number.isFinite(Number(text))) return undefined;
    }
    this.#at += text.length;
    return new JsonNumberText(text);
  }

  #word<Value extends boolean | null>(word: string, value: Value): Value | undefined {
    if (!this.#text.startsWith(word, this.#at)) return undefined;
    this.#at += word.length;
    return value;
  }

  #take(unit: number): boolean {
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) !== unit) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    for (;; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
    }
  }
}

function unescape(quoted: string): string | undefined {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === "string" && value.isWellFormed() ? value : undefined;
  } catch {
    return undefined;
  }
}
