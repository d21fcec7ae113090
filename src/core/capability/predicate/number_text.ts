/**
 * Numbers in the text of tags and metadata, by the reference's grammar (`capabilities.md` 9,
 * `promises.md` 82): no spaces, no hex, no separators, ASCII digits only.
 */

const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const UNSIGNED = /^\+?[0-9]+$/;
const U64_MAX = (1n << 64n) - 1n;
/** Digits that a double holds exactly, whatever they are. */
const EXACT_DIGITS_MAX = 15;

/**
 * The number a text stands for; NaN, which compares false with everything, when it is none.
 *
 * @example
 * ```ts
 * import { numberOfText } from "./number_text.ts";
 * console.assert(numberOfText(".5e1") === 5 && Number.isNaN(numberOfText("1_000")));
 * ```
 */
export function numberOfText(text: string): number {
  if (DECIMAL.test(text)) return Number(text);
  const sign = INFINITE.exec(text)?.[1];
  if (sign === undefined) return NaN;
  return sign === "-" ? -Infinity : Infinity;
}

/**
 * An unsigned 64-bit integer, one leading `+` allowed; `undefined` when the text is none. Equal integers
 * have the same type: `bigint` only where a double could not hold them.
 */
export function unsignedOfText(text: string): number | bigint | undefined {
  if (!UNSIGNED.test(text)) return undefined;
  if (text.length <= EXACT_DIGITS_MAX) return Number(text);
  const value = BigInt(text.replace("+", ""));
  if (value > U64_MAX) return undefined;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/**
 * A number as the reference prints it for people: the shortest digits that mean it, no exponent, no
 * fraction when whole.
 */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) {
    if (Number.isNaN(value)) return "NaN";
    return value < 0 ? "-inf" : "inf";
  }
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const { digits, point } = digitsOf(Math.abs(value));
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits.padEnd(point, "0");
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/**
 * A number as the reference writes it into JSON: always with fraction or exponent, so that a reader
 * takes it for a floating-point number.
 *
 * @throws RangeError when it is not finite: JSON has no such numbers.
 */
export function formatJsonNumber(value: number): string {
  if (!Number.isFinite(value)) {
    throw new RangeError(`Cannot write number: it is ${value}, must be finite`);
  }
  const { digits, point } = digitsOf(Math.abs(value));
  // Digits are spelled out for 1e-5 <= value < 1e16.
  if (point > -5 && point <= 16) {
    const plain = formatNumber(value);
    return plain.includes(".") ? plain : `${plain}.0`;
  }
  const sign = value < 0 ? "-" : "";
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
  const exponent = point > 0 ? `+${point - 1}` : point - 1;
  return `${sign}${digits.slice(0, 1)}${fraction}e${exponent}`;
}

/** The value as 0.DIGITS times ten to the power of `point`. */
function digitsOf(value: number): { readonly digits: string; readonly point: number } {
  if (value === 0) return { digits: "0", point: 1 };
  const [mantissa = "", exponent = "0"] = value.toExponential().split("e");
  return { digits: mantissa.replace(".", ""), point: Number(exponent) + 1 };
}
