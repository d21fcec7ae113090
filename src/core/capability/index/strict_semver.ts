/**
 * Versions by the letter of semver.org 2.0.0, for ranges in matchers (`capabilities.md` 13): three numbers,
 * pre-release and build parts count. Predicates read versions leniently, `predicate/semver.ts`.
 */

/** A version, read. */
export interface StrictSemver {
  readonly numbers: readonly bigint[];
  readonly preRelease: readonly string[];
  readonly build: readonly string[];
}

const NUMBER = "(0|[1-9][0-9]*)";
const PRE = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)";
const VERSION = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${PRE}(?:\\.${PRE})*))?(?:\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?$`,
);
const U64_MAX = (1n << 64n) - 1n;
/** Longer texts are no versions; the longest that anybody writes have 40 characters. */
const TEXT_MAX = 256;
const DIGITS = /^[0-9]+$/;

/** Reads a version; `undefined` when the text is none. */
export function parseStrictSemver(text: string): StrictSemver | undefined {
  if (text.length > TEXT_MAX) return undefined;
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const numbers = match.slice(1, 4).map(BigInt);
  if (numbers.some((number) => number > U64_MAX)) return undefined;
  return { numbers, preRelease: partsOf(match[4]), build: partsOf(match[5]) };
}

/**
 * Below zero, zero or above, as `left` comes before, with or after `right`. Builds of one version are put
 * in order too, as the reference does, so that no two texts are equal.
 */
export function compareStrictSemver(left: StrictSemver, right: StrictSemver): number {
  for (const at of [0, 1, 2]) {
    const order = compare(left.numbers[at] ?? 0n, right.numbers[at] ?? 0n);
    if (order !== 0) return order;
  }
  // A version is behind all that lead up to it.
  const isReleased = (version: StrictSemver) => version.preRelease.length === 0;
  if (isReleased(left) !== isReleased(right)) return isReleased(left) ? 1 : -1;
  return compareParts(left.preRelease, right.preRelease) || compareParts(left.build, right.build);
}

function compareParts(left: readonly string[], right: readonly string[]): number {
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [one = "", other = ""] = [left[i], right[i]];
    const [isNumber, isOtherNumber] = [DIGITS.test(one), DIGITS.test(other)];
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
    const order = isNumber ? compare(BigInt(one), BigInt(other)) : compare(one, other);
    if (order !== 0) return order;
    // Only builds may have zeros in front.
    if (one.length !== other.length) return one.length - other.length;
  }
  return left.length - right.length;
}

function compare<T extends bigint | string>(left: T, right: T): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function partsOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(".");
}
