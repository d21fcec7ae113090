/**
 * Versions in tags: read leniently, compared by three numbers (`capabilities.md` 9). Pre-release and
 * build parts do not count.
 */
import { unsignedOfText } from "./number_text.ts";

/** Major, minor and patch. */
export type Semver = readonly [number | bigint, number | bigint, number | bigint];

// Not `trim()`: what counts as a space differs between the two languages.
const OUTER_SPACE = /^\p{White_Space}+|\p{White_Space}+$/gu;

/**
 * Reads one to three numbers joined by dots; missing ones are 0, all else is `undefined`.
 *
 * @example
 * ```ts
 * import { parseSemver } from "./semver.ts";
 * console.assert(parseSemver("3.10-rc1+build")?.join(".") === "3.10.0");
 * ```
 */
export function parseSemver(text: string): Semver | undefined {
  const end = text.search(/[-+]/);
  // A leading plus sign is cut off too, and nothing is left.
  const parts = (end === -1 ? text : text.slice(0, end)).split(".");
  if (parts.length > 3) return undefined;
  const [major, minor = "0", patch = "0"] = parts.map((part) => part.replace(OUTER_SPACE, ""));
  const numbers = [unsignedOfText(major ?? ""), unsignedOfText(minor), unsignedOfText(patch)];
  const [first, second, third] = numbers;
  if (first === undefined || second === undefined || third === undefined) return undefined;
  return [first, second, third];
}

/** Below zero, zero or above, as `left` is older than, equal to or newer than `right`. */
export function compareSemver(left: Semver, right: Semver): number {
  for (const at of [0, 1, 2] as const) {
    if (left[at] < right[at]) return -1;
    if (left[at] > right[at]) return 1;
  }
  return 0;
}

/** True when `version` may stand in for `base`: not older, and the first number that is not 0 the same. */
export function isSemverCompatible(version: Semver, base: Semver): boolean {
  const order = compareSemver(version, base);
  if (order < 0) return false;
  if (base[0] !== 0) return version[0] === base[0];
  if (base[1] !== 0) return version[0] === 0 && version[1] === base[1];
  return order === 0;
}
