/**
 * The Range header of one request (RFC 9110 14): one range of bytes, `a-b`, `a-` or `-n`.
 *
 * Several ranges and other units are legal to ask for and legal to ignore: the whole is answered then.
 */

/** What a request wants of an object. */
export type WantedRange =
  | { readonly kind: "whole" }
  /** From `start` up to, not with, `end`. */
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  /** There is no such part, or it cannot be read. */
  | { readonly kind: "unsatisfiable" };

/** Longer than any list that is meant; what is longer is not looked at. */
const RANGE_CHARACTERS_MAX = 1_024;

/**
 * Reads a Range header for an object of `size` bytes.
 *
 * @example
 * ```ts
 * import { parseByteRange } from "./byte_range.ts";
 * const range = parseByteRange("bytes=-2", 10);
 * console.assert(range.kind === "part" && range.start === 8 && range.end === 10);
 * ```
 */
export function parseByteRange(header: string | null, size: number): WantedRange {
  if (header === null) return { kind: "whole" };
  const set = /^[\t ]*bytes[\t ]*=(.*)$/is.exec(header)?.[1]?.trim();
  if (set === undefined || set.includes(",")) return { kind: "whole" };
  const parts = set.length > RANGE_CHARACTERS_MAX
    ? null
    : /^([0-9]*)[\t ]*-[\t ]*([0-9]*)$/.exec(set);
  const [, from = "", to = ""] = parts ?? [];
  if (from === "") {
    const wanted = to === "" ? 0 : toOffset(to);
    if (wanted === 0 || size === 0) return { kind: "unsatisfiable" };
    return { kind: "part", start: Math.max(0, size - wanted), end: size };
  }
  const start = toOffset(from);
  const last = to === "" ? Infinity : toOffset(to);
  if (start >= size || last < start) return { kind: "unsatisfiable" };
  return { kind: "part", start, end: Math.min(size, last + 1) };
}

/** A number that is too large to be exact is larger than any object. */
function toOffset(digits: string): number {
  const value = Number(digits);
  return value <= Number.MAX_SAFE_INTEGER ? value : Infinity;
}
