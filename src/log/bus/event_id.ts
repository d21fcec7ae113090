/** Ids that engines give to events, and their order (`storage.md` 2.4). */

/** What an id looks like; an engine keeps to one look per shard. */
export type EventIdKind = "redis" | "numeric" | "opaque";

const PAIR = /^([0-9]{1,20})-([0-9]{1,20})$/;
const DECIMAL = /^[0-9]{1,39}$/;
const U64_MAX = (1n << 64n) - 1n;
const U128_MAX = (1n << 128n) - 1n;

/** `ms-seq` is Redis', a decimal of at most 128 bits numeric, all else opaque. */
export function eventIdKind(id: string): EventIdKind {
  if (pairOf(id) !== undefined) return "redis";
  return decimalOf(id) === undefined ? "opaque" : "numeric";
}

/** Order of two ids: as pairs if both are, else as decimals if both are, else as text by code point. */
export function compareEventIds(left: string, right: string): number {
  if (left === right) return 0;
  const pair = pairOf(left);
  const otherPair = pairOf(right);
  if (pair !== undefined && otherPair !== undefined) {
    return compare(pair[0], otherPair[0]) || compare(pair[1], otherPair[1]);
  }
  const decimal = decimalOf(left);
  const otherDecimal = decimalOf(right);
  if (decimal !== undefined && otherDecimal !== undefined) return compare(decimal, otherDecimal);
  return compareTexts(left, right);
}

function pairOf(id: string): readonly [bigint, bigint] | undefined {
  const [, first, second] = PAIR.exec(id) ?? [];
  if (first === undefined || second === undefined) return undefined;
  const pair = [BigInt(first), BigInt(second)] as const;
  return pair[0] <= U64_MAX && pair[1] <= U64_MAX ? pair : undefined;
}

function decimalOf(id: string): bigint | undefined {
  if (!DECIMAL.test(id)) return undefined;
  const value = BigInt(id);
  return value <= U128_MAX ? value : undefined;
}

/** By code points, as the bytes of UTF-8 are ordered; half surrogates stand where they are. */
function compareTexts(left: string, right: string): number {
  const others = right[Symbol.iterator]();
  for (const character of left) {
    const other = others.next();
    if (other.done) return 1;
    const difference = (character.codePointAt(0) ?? 0) - (other.value.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return others.next().done ? 0 : -1;
}

function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
