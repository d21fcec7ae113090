/**
 * A capability set as bytes of its own (`capabilities.md` 1): JSON, or the compact form that is 0x01 and
 * postcard. The first byte tells which.
 *
 * Announcements carry the JSON form inside their own and sign it; the compact one is for storage and for
 * peers that ask for it.
 */
import { NetError, PostcardReader, PostcardWriter, utf8 } from "../../base/mod.ts";
import { JsonReader } from "./_json_reader.ts";
import { type CapabilitySet, formatCapabilitySet, orderCapabilitySet } from "./capability_set.ts";
import { CAPABILITY_SET_BYTES_MAX } from "./limits.ts";

const FORM_COMPACT = 0x01;
const FORM_JSON = 0x7b;
const EMPTY_SET: CapabilitySet = { tags: [], metadata: new Map() };
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Why bytes are no set. */
export type CapabilitySetFault = "too_long" | "unknown_form" | "malformed";

/** What {@linkcode decodeCapabilitySet} found. */
export type DecodedCapabilitySet =
  | { readonly ok: true; readonly set: CapabilitySet }
  | { readonly ok: false; readonly fault: CapabilitySetFault };

/**
 * Canonical JSON of a set.
 *
 * @throws NetError `limit` when it is longer than 64 KiB.
 */
export function encodeCapabilitySet(set: CapabilitySet): Uint8Array<ArrayBuffer> {
  return requireShort(utf8(formatCapabilitySet(set)));
}

/**
 * The compact form of a set.
 *
 * @throws NetError `limit` when it is longer than 64 KiB.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "./capability_set.ts";
 * import { decodeCapabilitySet, encodeCapabilitySetCompact } from "./capability_set_codec.ts";
 * const bytes = encodeCapabilitySetCompact(createCapabilitySet(["gpu"]));
 * console.assert(bytes.toHex() === "01010367707500");
 * console.assert(decodeCapabilitySet(bytes).ok);
 * ```
 */
export function encodeCapabilitySetCompact(set: CapabilitySet): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(512).u8(FORM_COMPACT).varint(set.tags.length);
  for (const tag of set.tags) writer.text(tag);
  writer.varint(set.metadata.size);
  for (const [key, value] of set.metadata) writer.text(key).text(value);
  return requireShort(writer.finish());
}

/**
 * Reads a set in either form; never throws. Tags and metadata may be in any order; what follows the
 * compact form is passed over, as the reference does.
 */
export function decodeCapabilitySet(bytes: Uint8Array): DecodedCapabilitySet {
  if (bytes.length > CAPABILITY_SET_BYTES_MAX) return { ok: false, fault: "too_long" };
  const form = bytes[0];
  if (form !== FORM_COMPACT && form !== FORM_JSON) return { ok: false, fault: "unknown_form" };
  const set = form === FORM_JSON ? decodeJson(bytes) : decodeCompact(bytes);
  return set === undefined ? { ok: false, fault: "malformed" } : { ok: true, set };
}

/**
 * Reads the object of a set; a missing member counts as empty, a known one twice is a fault of the text,
 * others are passed over.
 */
export function readCapabilitySet(reader: JsonReader): CapabilitySet {
  let tags: string[] | undefined;
  let metadata: [string, string][] | undefined;
  for (let key = reader.firstKey(); key !== undefined; key = reader.nextKey()) {
    if (key === "tags" && tags === undefined) {
      tags = [];
      for (let isMore = reader.firstItem(); isMore; isMore = reader.nextItem()) {
        const tag = reader.text();
        if (tag === "") reader.fail();
        tags.push(tag);
      }
    } else if (key === "metadata" && metadata === undefined) {
      metadata = [];
      for (let name = reader.firstKey(); name !== undefined; name = reader.nextKey()) {
        metadata.push([name, reader.text()]);
      }
    } else if (key === "tags" || key === "metadata") reader.fail();
    else reader.raw();
  }
  // A failed reader gives empty texts; the set of them is not looked at.
  return reader.hasFailed ? EMPTY_SET : orderCapabilitySet(tags ?? [], metadata ?? []);
}

function decodeJson(bytes: Uint8Array): CapabilitySet | undefined {
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return undefined;
  }
  const reader = new JsonReader(text);
  const set = readCapabilitySet(reader);
  reader.end();
  return reader.hasFailed ? undefined : set;
}

function decodeCompact(bytes: Uint8Array): CapabilitySet | undefined {
  const reader = new PostcardReader(bytes, 1);
  // An empty text takes one byte, an entry of two of them two.
  const tags = Array.from({ length: reader.count(1) }, () => reader.text());
  const metadata = Array.from(
    { length: reader.count(2) },
    (): [string, string] => [reader.text(), reader.text()],
  );
  if (reader.failure !== undefined || tags.includes("")) return undefined;
  return orderCapabilitySet(tags, metadata);
}

function requireShort(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length <= CAPABILITY_SET_BYTES_MAX) return bytes;
  throw new NetError(
    "limit",
    `Cannot encode set: length is ${bytes.length}, must be at most ${CAPABILITY_SET_BYTES_MAX}`,
    { next: "use fewer tags or shorter metadata" },
  );
}
