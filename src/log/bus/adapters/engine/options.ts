/** Checks that both engines make of their settings. */
import { BusError } from "../../error.ts";
import { PREFIX_LENGTH_MAX, TIMEOUT_MS_MAX } from "./limits.ts";

/**
 * A whole number between bounds, or the default when left out.
 *
 * @throws BusError `config`.
 */
export function wholeNumber(
  name: string,
  value: number | undefined,
  bounds: { readonly min: number; readonly max: number; readonly default: number },
): number {
  if (value === undefined) return bounds.default;
  if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value;
  throw new BusError(
    "config",
    `Cannot use ${name} ${value}: it must be a whole number, ${bounds.min} to ${bounds.max}`,
  );
}

/** A time in milliseconds, at least 1; @throws BusError `config`. */
export function timeout(name: string, value: number | undefined, defaultMs: number): number {
  return wholeNumber(name, value, { min: 1, max: TIMEOUT_MS_MAX, default: defaultMs });
}

/** A prefix of keys or streams that fits the pattern; @throws BusError `config`. */
export function prefixOf(value: string | undefined, pattern: RegExp, rule: string): string {
  if (value === undefined) return "net";
  if (value.length <= PREFIX_LENGTH_MAX && pattern.test(value)) return value;
  throw new BusError(
    "config",
    `Cannot use prefix ${JSON.stringify(value.slice(0, PREFIX_LENGTH_MAX))}: it must be ${rule}, ` +
      `at most ${PREFIX_LENGTH_MAX} characters`,
  );
}
