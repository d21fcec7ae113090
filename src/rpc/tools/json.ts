/**
 * JSON from outside: length and depth are checked before anything is built, members are read by their
 * own name only.
 *
 * Limit: numbers are doubles. Integers beyond 2^53 that a body carries lose their last digits; where a
 * 64-bit number has a meaning of its own (`tool_event.ts`) it is read exactly.
 */
import { NetError } from "../../base/mod.ts";
import { JSON_DEPTH_MAX } from "./limits.ts";

/** Anything that JSON can say. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | JsonObject;

/** A JSON object. */
export type JsonObject = { readonly [name: string]: JsonValue };

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Text of UTF-8 bytes that are not longer than `lengthMax`; `undefined` for others.
 *
 * @param lengthMax Largest number of bytes.
 */
export function decodeText(bytes: Uint8Array, lengthMax: number): string | undefined {
  if (bytes.length > lengthMax) return undefined;
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The value of a JSON text; `undefined` when it is none or too deep. */
export function parseJson(text: string): JsonValue | undefined {
  if (isTooDeep(text)) return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** {@linkcode decodeText} and {@linkcode parseJson} for an object. */
export function decodeJsonObject(bytes: Uint8Array, lengthMax: number): JsonObject | undefined {
  const text = decodeText(bytes, lengthMax);
  const value = text === undefined ? undefined : parseJson(text);
  return isJsonObject(value) ? value : undefined;
}

/** True for an object that is neither null nor a list. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object's own member; never one that all objects have. */
export function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Number of UTF-8 bytes of a text. */
export function utf8Length(text: string): number {
  // Each UTF-16 unit takes one to three bytes; texts that are short either way need no encoding.
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Both halves of a pair together take four.
    length += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return length;
}

/**
 * Bytes of a value as JSON.
 *
 * @param what For the message, such as `tool event`.
 * @throws NetError `limit` when they are more than `lengthMax`, `usage` when it nests too deep or is no
 * JSON at all.
 */
export function encodeJson(
  value: JsonValue,
  what: string,
  lengthMax: number,
): Uint8Array<ArrayBuffer> {
  return encodeJsonText(stringify(value, what), what, lengthMax);
}

/** JSON text of a value, refused as {@linkcode encodeJson} refuses. */
export function stringify(value: JsonValue, what: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new NetError("usage", `Cannot encode ${what}: it is not plain JSON`, { cause });
  }
  if (text === undefined) {
    throw new NetError("usage", `Cannot encode ${what}: it is not plain JSON`);
  }
  if (isTooDeep(text)) {
    throw new NetError(
      "usage",
      `Cannot encode ${what}: it nests deeper than ${JSON_DEPTH_MAX}, must be at most that`,
    );
  }
  return text;
}

/** Bytes of a JSON text, refused as {@linkcode encodeJson} refuses. */
export function encodeJsonText(
  text: string,
  what: string,
  lengthMax: number,
): Uint8Array<ArrayBuffer> {
  const bytes = ENCODER.encode(text);
  if (bytes.length <= lengthMax) return bytes;
  throw new NetError(
    "limit",
    `Cannot encode ${what}: length is ${bytes.length}, must be at most ${lengthMax}`,
    { next: "send less at once" },
  );
}

/** True when brackets outside of strings nest deeper than the bound. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (isString) {
      if (unit === BACKSLASH) i += 1;
      else if (unit === QUOTE) isString = false;
    } else if (unit === QUOTE) isString = true;
    else if (unit === 0x5b || unit === 0x7b) {
      depth += 1;
      if (depth > JSON_DEPTH_MAX) return true;
    } else if (unit === 0x5d || unit === 0x7d) depth -= 1;
  }
  return false;
}
