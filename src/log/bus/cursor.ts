/**
 * Where a poll goes on: the id of the last event seen of each shard, as standard base64 of a JSON object
 * (`storage.md` 2.4). The text is the caller's to keep, so it comes back as hostile as anything.
 */
import { utf8 } from "../../base/mod.ts";
import { BusError } from "./error.ts";
import { isObject, readJson } from "./json.ts";
import { CURSOR_TEXT_MAX, EVENT_ID_MAX, SHARDS_MAX } from "./limits.ts";

/** Shard to the id behind which it goes on. */
export type CursorMap = ReadonlyMap<number, string>;

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const DECIMAL = /^[0-9]+$/;

/** Text of a cursor, shards in ascending order. */
export function encodeCursor(cursor: CursorMap): string {
  const members = [...cursor].sort(([a], [b]) => a - b)
    .map(([shard, id]) => `"${shard}":${JSON.stringify(id)}`);
  return utf8(`{${members.join()}}`).toBase64();
}

/**
 * Reads a cursor.
 *
 * @throws BusError `cursor` that says what is wrong with it.
 *
 * @example
 * ```ts
 * import { decodeCursor } from "./cursor.ts";
 * console.assert(decodeCursor("eyIwIjoiMDozIn0=").get(0) === "0:3");
 * ```
 */
export function decodeCursor(text: string): Map<number, string> {
  if (text.length > CURSOR_TEXT_MAX) {
    throw refused(`length is ${text.length}, must be at most ${CURSOR_TEXT_MAX}`);
  }
  const value = readJson(bytesOf(text));
  if (value === undefined || !isObject(value)) {
    throw refused("it holds no JSON object, must hold one of shard to event id");
  }
  const cursor = new Map<number, string>();
  for (const [key, id] of Object.entries(value)) {
    if (typeof id !== "string") throw refused(`shard ${quote(key)} has no text for its event id`);
    if (id.length > EVENT_ID_MAX) {
      throw refused(`event id has ${id.length} characters, must have at most ${EVENT_ID_MAX}`);
    }
    cursor.set(shardOf(key), id);
  }
  return cursor;
}

/** A cursor that goes on behind an event of a shard, otherwise like `cursor`. @throws BusError `cursor`. */
export function skipEvent(cursor: string | undefined, shard: number, id: string): string {
  const map = cursor === undefined ? new Map<number, string>() : decodeCursor(cursor);
  return encodeCursor(map.set(shard, id));
}

function bytesOf(text: string): Uint8Array {
  // The engine's own decoder would pass over spaces.
  if (!BASE64.test(text)) throw refused("it has characters that are not base64");
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch (cause) {
    throw refused("it is no base64 with padding", cause);
  }
}

function shardOf(key: string): number {
  const shard = DECIMAL.test(key) && key.length <= 5 ? Number(key) : SHARDS_MAX + 1;
  if (shard > SHARDS_MAX) throw refused(`shard key ${quote(key)} is not a number of 0..65535`);
  if (String(shard) !== key) {
    throw refused(`shard key ${quote(key)} is not canonical, must be "${shard}"`);
  }
  return shard;
}

function refused(why: string, cause?: unknown): BusError {
  return new BusError("cursor", `Cannot read cursor: ${why}`, {
    cause,
    next: "hand in the nextId of the last poll as it was, or none to start from the oldest event",
  });
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 24));
}
