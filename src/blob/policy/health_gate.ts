/**
 * Whether the node's store is fit to take bytes of others (`dataforts.md` 19): sick when almost full, well
 * again when there is room, and between the two marks as it was.
 */

/** Marks of the gate, shares of the capacity. */
export interface HealthMarks {
  readonly unhealthyRatio: number;
  readonly healthyRatio: number;
}

/** The marks that are specified. */
export const HEALTH_MARKS: HealthMarks = { unhealthyRatio: 0.95, healthyRatio: 0.85 };

/** Said of a node whose store is not fit. */
export const TAG_STORAGE_UNHEALTHY = "dataforts:blob-storage-unhealthy";

/** What to do with the tag. */
export type HealthAction = "emit" | "clear" | "unchanged";

/**
 * The state after a look at the disk, and what to do about the tag.
 *
 * @param disk Bytes; a capacity of 0 says nothing.
 *
 * @example
 * ```ts
 * import { stepHealthGate } from "./health_gate.ts";
 * const { isUnhealthy, action } = stepHealthGate(false, { used: 96, capacity: 100 });
 * console.assert(isUnhealthy && action === "emit");
 * ```
 */
export function stepHealthGate(
  isUnhealthy: boolean,
  disk: { readonly used: number; readonly capacity: number },
  marks: HealthMarks = HEALTH_MARKS,
): { readonly isUnhealthy: boolean; readonly action: HealthAction } {
  const next = stepHysteresis(
    isUnhealthy,
    diskRatio(disk),
    { high: marks.unhealthyRatio, low: disk.capacity > 0 ? marks.healthyRatio : -1 },
  );
  return {
    isUnhealthy: next,
    action: next === isUnhealthy ? "unchanged" : next ? "emit" : "clear",
  };
}

/** On at and above `high`, off at and below `low`, else as it was. */
export function stepHysteresis(
  isOn: boolean,
  value: number,
  marks: { readonly high: number; readonly low: number },
): boolean {
  if (value >= marks.high) return true;
  return value <= marks.low ? false : isOn;
}

/** Share of the capacity that is used; 0 when there is no capacity. */
export function diskRatio(disk: { readonly used: number; readonly capacity: number }): number {
  return disk.capacity > 0 ? disk.used / disk.capacity : 0;
}
