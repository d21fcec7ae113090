/**
 * Values inside typed tags: how a number, a list and a name of an entry are read and written
 * (`capabilities.md` 3). Readers ignore what they cannot read.
 */
import { unsignedOfText } from "../predicate/number_text.ts";
import type { TagAxis } from "../tags/tag.ts";

/**
 * The number of an unsigned text, `undefined` when it is none. Above 2^53 the nearest double: such
 * amounts are compared, not counted.
 */
export function countOfText(text: string | undefined): number | undefined {
  const value = text === undefined ? undefined : unsignedOfText(text);
  return typeof value === "bigint" ? Number(value) : value;
}

/** Collects tags of an axis; zero and empty values are not written. */
export class TagWriter {
  readonly tags: string[] = [];
  readonly #prefix: string;

  /** @param key What the keys begin with, with a dot at the end when it is not empty. */
  constructor(axis: TagAxis, key = "") {
    this.#prefix = `${axis}.${key}`;
  }

  /** A tag without value. */
  present(key: string): this {
    this.tags.push(this.#prefix + key);
    return this;
  }

  /** A tag with a text. */
  text(key: string, value: string | undefined): this {
    if (value !== undefined && value !== "") this.tags.push(`${this.#prefix}${key}=${value}`);
    return this;
  }

  /**
   * A tag with a number.
   *
   * @throws RangeError when it is no count.
   */
  count(key: string, value = 0): this {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(
        `Cannot write ${this.#prefix}${key}: value is ${value}, must be 0..2^53-1`,
      );
    }
    return value === 0 ? this : this.text(key, String(value));
  }

  /**
   * A tag with several texts.
   *
   * @throws RangeError when one of them is empty or has a comma, so that it would read as others.
   */
  list(key: string, values: readonly string[] = []): this {
    return this.text(key, joinTexts(this.#prefix + key, values));
  }
}

/**
 * Texts joined by commas.
 *
 * @param name For the error.
 * @throws RangeError when one of them is empty or has a comma.
 */
export function joinTexts(name: string, values: readonly string[]): string {
  for (const value of values) {
    if (value !== "" && !value.includes(",")) continue;
    throw new RangeError(
      `Cannot write ${name}: ${JSON.stringify(value)} must have letters and no comma`,
    );
  }
  return values.join(",");
}

/** The texts of a list that commas join; none for an empty text. */
export function splitTexts(text: string): readonly string[] {
  return text === "" ? [] : text.split(",");
}
