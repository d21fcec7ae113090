/**
 * Finds the tags of one key in a set without reading the others (`capabilities.md` 2, 9).
 *
 * Nothing is kept per set: a pass over 20 tags takes 0.15 µs, as long as a lookup in a table kept beside
 * the set, and no memory. In longer lists the place is searched by halves, because tags are in order.
 */
import { parseTag, type TagKey } from "./tag.ts";

/** A question to the tags of a set, which must be in canonical order. */
export type TagsTest = (tags: readonly string[]) => boolean;

const COLON = 0x3a;
const EQUALS = 0x3d;
/** From here on halving is faster than a pass. */
const HALVING_MIN = 64;
/** Without these UTF-16 and UTF-8 sort alike, and plain comparison finds the place. */
const UNLIKE_UNITS = /[\ud800-\uffff]/;

/** Asks whether there is a tag of this meaning, whichever separator it is written with. */
export function createTagTest(text: string): TagsTest {
  const tag = parseTag(text);
  return tag?.kind === "value" ? createEqualsTest(tag, tag.value) : (tags) => tags.includes(text);
}

/**
 * Asks whether there is a tag of the key, with a value or without.
 *
 * @example
 * ```ts
 * import { createKeyTest } from "./tag_lookup.ts";
 * const hasGpu = createKeyTest({ axis: "hardware", key: "gpu" });
 * console.assert(hasGpu(["hardware.gpu"]) && !hasGpu(["hardware.gpu.vendor=amd"]));
 * ```
 */
export function createKeyTest(key: TagKey): TagsTest {
  const name = searchedName(key);
  if (name === undefined) return never;
  const hasValue = createNamedValueTest(name, () => true);
  return (tags) => tags.includes(name) || hasValue(tags);
}

/** Asks whether one of the key's values passes; a tag without a value never does. */
export function createValueTest(key: TagKey, test: (value: string) => boolean): TagsTest {
  const name = searchedName(key);
  return name === undefined ? never : createNamedValueTest(name, test);
}

/** Asks whether one of the key's values is this one. */
export function createEqualsTest(key: TagKey, value: string): TagsTest {
  const name = searchedName(key);
  if (name === undefined) return never;
  const forms = [`${name}=${value}`, `${name}:${value}`] as const;
  return (tags) => tags.includes(forms[0]) || tags.includes(forms[1]);
}

/** `axis.key`; `undefined` when no tag can have the key because reading would cut it. */
function searchedName({ axis, key }: TagKey): string | undefined {
  return /[=:]/.test(key) ? undefined : `${axis}.${key}`;
}

function createNamedValueTest(name: string, test: (value: string) => boolean): TagsTest {
  const { length } = name;
  const isPlain = !UNLIKE_UNITS.test(name);
  const first = `${name}:`;
  return (tags) => {
    const isLong = isPlain && tags.length >= HALVING_MIN;
    for (let at = isLong ? placeOf(tags, first) : 0; at < tags.length; at++) {
      const tag = tags[at] ?? "";
      const unit = tag.charCodeAt(length);
      if ((unit === EQUALS || unit === COLON) && tag.startsWith(name)) {
        if (test(tag.slice(length + 1))) return true;
      } else if (isLong && !tag.startsWith(name)) return false;
    }
    return false;
  };
}

/** Index of the first tag that does not sort before `text`. */
function placeOf(tags: readonly string[], text: string): number {
  let low = 0;
  let high = tags.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tags[middle] ?? "") < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

function never(): boolean {
  return false;
}
