/**
 * Plain values as bytes: JSON, with tags for what JSON does not have. A fold's state is written this way unless its
 * definition has a codec of its own.
 *
 * A tag is an object of one field: `$map`, `$set` (lists), `$bigint` (decimal), `$bytes` (base64), `$date`
 * (milliseconds), `$number` (`NaN`, `Infinity`, `-Infinity`, `-0`), `$undefined`. A field name of the value's own that
 * begins with `$` gets another `$` in front.
 */
import { FoldDecodeError } from "../cortex/mod.ts";

/** Values inside of each other, at most. */
const DEPTH_MAX = 128;
const DECODER = new TextDecoder("utf-8", { fatal: true });
const ENCODER = new TextEncoder();
const ODD_NUMBERS = ["NaN", "Infinity", "-Infinity", "-0"];

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/**
 * Writes a value made of plain objects, arrays, maps, sets, texts, numbers, bigints, bytes and dates.
 *
 * @throws TypeError for anything else: functions, objects of a class, what contains itself.
 *
 * @example
 * ```ts
 * import { decodePlainValue, encodePlainValue } from "./plain_value.ts";
 * const bytes = encodePlainValue(new Map([[7n, { tags: new Set(["a"]) }]]));
 * const value = decodePlainValue(bytes) as Map<bigint, { tags: Set<string> }>;
 * console.assert(value.get(7n)?.tags.has("a"));
 * ```
 */
export function encodePlainValue(value: unknown): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(JSON.stringify(toJson(value, 0)));
}

/**
 * Reads what {@linkcode encodePlainValue} wrote.
 *
 * @throws FoldDecodeError
 */
export function decodePlainValue(bytes: Uint8Array): unknown {
  let json: Json;
  try {
    json = JSON.parse(DECODER.decode(bytes));
  } catch (cause) {
    throw new FoldDecodeError("Cannot read value: it is no JSON", cause);
  }
  return fromJson(json, 0);
}

function toJson(value: unknown, depth: number): Json {
  if (depth > DEPTH_MAX) {
    throw new TypeError(`Cannot write value: more than ${DEPTH_MAX} are inside of each other`);
  }
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return isOdd(value) ? { $number: oddName(value) } : value;
  if (typeof value === "bigint") return { $bigint: value.toString() };
  if (value === undefined) return { $undefined: true };
  if (typeof value !== "object") {
    throw new TypeError(`Cannot write value: it has a ${typeof value}`);
  }
  return objectToJson(value, depth + 1);
}

function objectToJson(value: object, depth: number): Json {
  const list = (items: Iterable<unknown>) => Array.from(items, (item) => toJson(item, depth));
  if (Array.isArray(value)) return list(value);
  if (value instanceof Map) return { $map: Array.from(value, list) };
  if (value instanceof Set) return { $set: list(value) };
  if (value instanceof Uint8Array) return { $bytes: value.toBase64() };
  if (value instanceof Date) return { $date: toJson(value.getTime(), depth) };
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const name = value.constructor.name;
    throw new TypeError(
      `Cannot write value: it has a ${name}, give the fold a codec for its state`,
    );
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name.startsWith("$") ? `$${name}` : name,
      toJson(part, depth),
    ]),
  );
}

function fromJson(json: Json, depth: number): unknown {
  if (depth > DEPTH_MAX) throw new FoldDecodeError("Cannot read value: it is too deep");
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map((item) => fromJson(item, depth + 1));
  const fields = Object.entries(json);
  const [tag, content] = fields[0] ?? ["", null];
  if (fields.length === 1 && tag.startsWith("$") && !tag.startsWith("$$")) {
    return fromTag(tag, content, depth + 1);
  }
  return Object.fromEntries(fields.map(([name, part]) => {
    if (name.startsWith("$") && !name.startsWith("$$")) throw wrongTag(name);
    return [name.startsWith("$$") ? name.slice(1) : name, fromJson(part, depth + 1)];
  }));
}

function fromTag(tag: string, content: Json, depth: number): unknown {
  const list = (items: Json): unknown[] => {
    if (!Array.isArray(items)) throw wrongTag(tag);
    return items.map((item) => fromJson(item, depth));
  };
  if (tag === "$map" && Array.isArray(content)) {
    return new Map(content.map((entry) => {
      const pair = list(entry);
      if (pair.length !== 2) throw wrongTag(tag);
      return pair as [unknown, unknown];
    }));
  }
  if (tag === "$set") return new Set(list(content));
  if (tag === "$undefined") return undefined;
  if (tag === "$date") return new Date(Number(fromJson(content, depth)));
  if (typeof content !== "string") throw wrongTag(tag);
  if (tag === "$bigint" && /^-?[0-9]{1,4096}$/.test(content)) return BigInt(content);
  if (tag === "$number" && ODD_NUMBERS.includes(content)) return Number(content);
  if (tag === "$bytes") return fromBase64(content);
  throw wrongTag(tag);
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw wrongTag("$bytes");
  }
}

function wrongTag(tag: string): FoldDecodeError {
  return new FoldDecodeError(
    `Cannot read value: "${tag.slice(0, 20)}" is no tag, or not with this`,
  );
}

/** JSON has no text for it, or loses its sign. */
function isOdd(value: number): boolean {
  return !Number.isFinite(value) || Object.is(value, -0);
}

function oddName(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}
