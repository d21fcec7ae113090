/** Reads vector files without trusting their shape; each function throws when it differs. */

/** The value as an object. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot read vector: ${JSON.stringify(value)} is not an object`);
  }
  return Object.fromEntries(Object.entries(value));
}

/** The value as an array; empty when the file does not have it. */
export function arrayOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new TypeError("Cannot read vector: not an array");
  return value;
}

/** The value as text. */
export function textOf(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("Cannot read vector: not a text");
  return value;
}

/** The value as bytes written in hex. */
export function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(textOf(value));
}
