/**
 * Walks over the tags of a set that begin alike. Tags are in order, so they lie side by side and are
 * found by halving; no tag is taken apart that the caller does not ask for.
 *
 * Prefixes are ASCII: with them UTF-16 and UTF-8 agree on where they belong.
 */

/** Takes what stands behind the prefix. */
export type TailReader = (tail: string) => void;

/** Takes the rest of a key, and the value; `undefined` when the tag has none. */
export type PropertyReader = (key: string, value: string | undefined) => void;

const COLON = 0x3a;
const EQUALS = 0x3d;

/**
 * Hands over what follows the prefix in each tag that has it.
 *
 * @param tags In canonical order.
 */
export function readTagsBehind(tags: readonly string[], prefix: string, read: TailReader): void {
  for (let at = firstBehind(tags, prefix); at < tags.length; at++) {
    const tag = tags[at] ?? "";
    if (!tag.startsWith(prefix)) return;
    read(tag.slice(prefix.length));
  }
}

/**
 * Hands over key and value of each structured tag whose text begins with the prefix.
 *
 * @param tags In canonical order.
 * @param prefix `axis.`, or more of the key; without separator.
 *
 * @example
 * ```ts
 * import { readProperties } from "./axis_tags.ts";
 * const found = new Map<string, string | undefined>();
 * readProperties(["hardware.gpu", "hardware.gpu.vendor:amd"], "hardware.gpu", (key, value) => {
 *   found.set(key, value);
 * });
 * console.assert(found.size === 2 && found.get(".vendor") === "amd");
 * ```
 */
export function readProperties(
  tags: readonly string[],
  prefix: string,
  read: PropertyReader,
): void {
  const { length } = prefix;
  for (let at = firstBehind(tags, prefix); at < tags.length; at++) {
    const tag = tags[at] ?? "";
    if (!tag.startsWith(prefix)) return;
    const end = separatorAt(tag, length);
    if (end === -1) read(tag.slice(length), undefined);
    else read(tag.slice(length, end), tag.slice(end + 1));
  }
}

/** Index of the first `=` or `:` from `start` on, -1 when there is none. */
export function separatorAt(tag: string, start: number): number {
  for (let at = start; at < tag.length; at++) {
    const unit = tag.charCodeAt(at);
    if (unit === EQUALS || unit === COLON) return at;
  }
  return -1;
}

function firstBehind(tags: readonly string[], prefix: string): number {
  let low = 0;
  let high = tags.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tags[middle] ?? "") < prefix) low = middle + 1;
    else high = middle;
  }
  return low;
}
