/**
 * Reads vector files without trusting their shape: exact numbers, typed access to fields.
 *
 * Every accessor throws a TypeError that names the field when the file holds something else.
 */

/** A JSON object of a vector file. */
export type VectorObject = Readonly<Record<string, unknown>>;

/** Parses JSON; integers that a double cannot hold exactly become `bigint`. */
export function parseVectors(text: string): unknown {
  // The library's types do not know the third argument of a reviver yet: { source }.
  return JSON.parse(text, (_key: string, value: unknown, ...rest: readonly unknown[]) => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = sourceOf(rest[0]);
    return source !== undefined && /^-?[0-9]+$/.test(source) ? BigInt(source) : value;
  });
}

/** The value as an object. */
export function objectOf(value: unknown, name: string): VectorObject {
  if (!isObject(value)) throw new TypeError(`Cannot read vector: ${name} is not an object`);
  return value;
}

/** The array in a field. */
export function listOf(vector: VectorObject, field: string): readonly unknown[] {
  const value = vector[field];
  if (!Array.isArray(value)) throw new TypeError(`Cannot read vector: ${field} is not a list`);
  return value;
}

/** The object in a field. */
export function recordOf(vector: VectorObject, field: string): VectorObject {
  return objectOf(vector[field], field);
}

/** The text in a field. */
export function textOf(vector: VectorObject, field: string): string {
  const value = vector[field];
  if (typeof value !== "string") throw new TypeError(`Cannot read vector: ${field} is not a text`);
  return value;
}

/** The truth value in a field. */
export function booleanOf(vector: VectorObject, field: string): boolean {
  const value = vector[field];
  if (typeof value !== "boolean") {
    throw new TypeError(`Cannot read vector: ${field} is neither true nor false`);
  }
  return value;
}

/** The bytes written as hex in a field. */
export function bytesOf(vector: VectorObject, field: string): Uint8Array<ArrayBuffer> {
  return hexBytes(vector[field], field);
}

/** The bytes of a hex text. */
export function hexBytes(value: unknown, name: string): Uint8Array<ArrayBuffer> {
  if (typeof value !== "string" || !/^([0-9a-f]{2})*$/.test(value)) {
    throw new TypeError(`Cannot read vector: ${name} is not hex`);
  }
  return Uint8Array.fromHex(value);
}

/** The integer in a field, written as a number or as decimal text. */
export function integerOf(vector: VectorObject, field: string): bigint {
  return integer(vector[field], field);
}

/** An integer written as a number or as decimal text. */
export function integer(value: unknown, name: string): bigint {
  const isInteger = typeof value === "bigint" || Number.isInteger(value) ||
    (typeof value === "string" && /^-?[0-9]+$/.test(value));
  if (!isInteger) throw new TypeError(`Cannot read vector: ${name} is not an integer`);
  return BigInt(String(value));
}

/** The integer in a field as a number; throws when it is not exact. */
export function numberOf(vector: VectorObject, field: string): number {
  const value = Number(integerOf(vector, field));
  if (!Number.isSafeInteger(value)) {
    throw new TypeError(`Cannot read vector: ${field} is beyond 2^53`);
  }
  return value;
}

/** True when the field is there and not null. */
export function has(vector: VectorObject, field: string): boolean {
  return vector[field] !== undefined && vector[field] !== null;
}

/** The integer in a field, or `fallback` when it is not there. */
export function integerOr(vector: VectorObject, field: string, fallback: bigint): bigint {
  return has(vector, field) ? integerOf(vector, field) : fallback;
}

/** What lies at a path of field names joined by dots. */
export function valueAt(document: unknown, path: string): unknown {
  let value = document;
  for (const name of path.split(".")) {
    if (!isObject(value)) return undefined;
    value = value[name];
  }
  return value;
}

function isObject(value: unknown): value is VectorObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text of a number as the file has it. */
function sourceOf(context: unknown): string | undefined {
  return isObject(context) && typeof context.source === "string" ? context.source : undefined;
}
