/**
 * What a trace carries along for whoever is called (`capabilities.md` 18): texts by name, in one header
 * as the W3C's Baggage writes it.
 *
 * Everybody on the way can read and change it: no secrets, and nothing that a decision hangs on.
 */
import { BAGGAGE_BYTES_MAX, BAGGAGE_ENTRIES_MAX } from "./limits.ts";

/** Name of the header. */
export const HEADER_BAGGAGE = "baggage";

/** Texts by name. */
export type Baggage = ReadonlyMap<string, string>;

/** Characters of a name, those of a token in HTTP. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Characters of a value that need no escape. */
const PLAIN_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/**
 * Value of the header; `undefined` when there is nothing to send.
 *
 * @throws RangeError when a name has other characters than a token, or the whole is too long.
 *
 * @example
 * ```ts
 * import { decodeBaggage, encodeBaggage } from "./baggage.ts";
 * const header = encodeBaggage(new Map([["tenant", "blue & green"]])) ?? "";
 * console.assert(header === "tenant=blue%20%26%20green");
 * console.assert(decodeBaggage(header)?.get("tenant") === "blue & green");
 * ```
 */
export function encodeBaggage(baggage: Baggage): string | undefined {
  if (baggage.size === 0) return undefined;
  if (baggage.size > BAGGAGE_ENTRIES_MAX) {
    throw new RangeError(
      `Cannot send baggage: it has ${baggage.size} entries, must have at most ${BAGGAGE_ENTRIES_MAX}`,
    );
  }
  const entries = [...baggage].map(([name, value]) => {
    if (!NAME.test(name)) {
      throw new RangeError(`Cannot send baggage: name ${JSON.stringify(name)} must be a token`);
    }
    if (!value.isWellFormed()) throw new RangeError("Cannot send baggage: a value is not Unicode");
    return `${name}=${encodeURIComponent(value)}`;
  });
  const header = entries.join(",");
  if (header.length <= BAGGAGE_BYTES_MAX) return header;
  throw new RangeError(
    `Cannot send baggage: length is ${header.length}, must be at most ${BAGGAGE_BYTES_MAX}`,
  );
}

/**
 * Reads a header; `undefined` when it breaks the rules, and is to be left out as a whole. Of entries with
 * the same name the last counts; properties behind a semicolon are passed over.
 */
export function decodeBaggage(header: string): Baggage | undefined {
  if (header.length > BAGGAGE_BYTES_MAX) return undefined;
  const baggage = new Map<string, string>();
  for (const part of header.split(",")) {
    const [entry = ""] = part.split(";", 1);
    const at = entry.indexOf("=");
    const name = entry.slice(0, Math.max(at, 0)).trim();
    const text = entry.slice(at + 1).trim();
    if (!NAME.test(name) || !PLAIN_VALUE.test(text)) return undefined;
    const value = unescape(text);
    if (value === undefined) return undefined;
    baggage.set(name, value);
    if (baggage.size > BAGGAGE_ENTRIES_MAX) return undefined;
  }
  return baggage;
}

function unescape(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
