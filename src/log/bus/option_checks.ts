/** What an option of a bus has to be, and the error when it is not. */
import { BusError } from "./error.ts";

/** @throws BusError `config` when an object has other members than these. */
export function refuseUnknown(what: string, value: object, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    throw new BusError("config", `Cannot configure event bus: unknown ${what} "${key}"`, {
      next: `use one of ${known.join(", ")}`,
    });
  }
}

/** @throws BusError `config` unless `value` is a whole number of `min`..`max`. */
export function requireWhole(name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw refused(name, value, `a whole number of ${min}..${max}`);
}

/** @throws BusError `config` unless `value` is a finite number above 0. */
export function requireAbove0(name: string, value: number): void {
  if (!(Number.isFinite(value) && value > 0)) throw refused(name, value, "a number above 0");
}

/** The error of a value that an option cannot have. */
export function refused(name: string, value: unknown, required: string): BusError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : String(value);
  return new BusError(
    "config",
    `Cannot configure event bus: ${name} is ${shown}, must be ${required}`,
    { next: `set ${name} to ${required}` },
  );
}
