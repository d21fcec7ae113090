/** Whether two query results are equal, parts included; the same objects are, whatever is in them. */

/** Parts of objects inside of each other that are looked at; deeper ones count as different. */
const DEPTH_MAX = 64;

/**
 * Compares plain values deeply: arrays, plain objects, maps, sets, bytes, dates. Others are equal when
 * they are the same object.
 *
 * @example
 * ```ts
 * import { isSameValue } from "./same_value.ts";
 * console.assert(isSameValue([{ id: 1n }], [{ id: 1n }]));
 * console.assert(!isSameValue(new Map([["a", 1]]), new Map([["a", 2]])));
 * ```
 */
export function isSameValue(a: unknown, b: unknown, depth = 0): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (depth >= DEPTH_MAX) return false;
  if (Array.isArray(a)) return Array.isArray(b) && sameList(a, b, depth);
  const prototype = Object.getPrototypeOf(a);
  if (prototype !== Object.getPrototypeOf(b)) return false;
  if (prototype === Object.prototype || prototype === null) return sameFields(a, b, depth);
  if (a instanceof Map) return b instanceof Map && sameMap(a, b, depth);
  if (a instanceof Set) return b instanceof Set && a.size === b.size && a.isSubsetOf(b);
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (ArrayBuffer.isView(a)) return ArrayBuffer.isView(b) && sameBytes(a, b);
  return false;
}

function sameList(a: readonly unknown[], b: readonly unknown[], depth: number): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    // Rows never change: most of two lists are the same objects.
    if (a[i] !== b[i] && !isSameValue(a[i], b[i], depth + 1)) return false;
  }
  return true;
}

function sameFields(a: object, b: object, depth: number): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  const [first, second] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  return names.every((name) =>
    Object.hasOwn(second, name) && isSameValue(first[name], second[name], depth + 1)
  );
}

function sameMap(a: Map<unknown, unknown>, b: Map<unknown, unknown>, depth: number): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    if (!b.has(key) || !isSameValue(value, b.get(key), depth + 1)) return false;
  }
  return true;
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  if (a.byteLength !== b.byteLength) return false;
  const first = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  const second = new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
  for (let i = 0; i < first.length; i++) if (first[i] !== second[i]) return false;
  return true;
}
