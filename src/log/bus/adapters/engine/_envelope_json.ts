/** Reads an envelope that is JSON, whatever its spaces and order, and gives the text of `r` as it stands in it. */
import type { Envelope } from "./envelope.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const U64 = /^\d{1,20}$/;
const U16 = /^\d{1,5}$/;
const U64_MAX = 2n ** 64n - 1n;
const U16_MAX = 0xffff;

/** `undefined` when it is not JSON, has no `r` or one of its fields twice, or `t` or `s` is out of range. */
export function readEnvelopeJson(bytes: Uint8Array): Envelope | undefined {
  let text: string;
  try {
    text = DECODER.decode(bytes);
    // Checks the grammar, so that the walk below only has to find where values end.
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const fields = topFields(text);
  const raw = fields?.get("r");
  if (raw === undefined) return undefined;
  const time = fields?.get("t") ?? "0";
  const shard = fields?.get("s") ?? "0";
  if (!U64.test(time) || BigInt(time) > U64_MAX) return undefined;
  if (!U16.test(shard) || Number(shard) > U16_MAX) return undefined;
  return {
    raw: new TextEncoder().encode(raw),
    insertionTs: BigInt(time),
    shard: Number(shard),
  };
}

/** The texts of `r`, `t` and `s` of a JSON object. */
function topFields(text: string): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  let at = skipSpace(text, 0);
  if (text[at] !== "{") return undefined;
  at = skipSpace(text, at + 1);
  while (text[at] !== "}") {
    const nameEnd = skipValue(text, at);
    const name: unknown = JSON.parse(text.slice(at, nameEnd));
    at = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const valueEnd = skipValue(text, at);
    if (name === "r" || name === "t" || name === "s") {
      if (fields.has(name)) return undefined;
      fields.set(name, text.slice(at, valueEnd));
    }
    at = skipSpace(text, valueEnd);
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return fields;
}

function skipSpace(text: string, at: number): number {
  while (" \t\n\r".includes(text[at] ?? "x")) at++;
  return at;
}

/** Where the value that begins at `at` ends; the text is known to be JSON. */
function skipValue(text: string, at: number): number {
  let depth = 0;
  for (; at < text.length; at++) {
    const each = text[at];
    if (each === '"') at = skipString(text, at) - 1;
    else if (each === "{" || each === "[") depth++;
    else if (each === "}" || each === "]") {
      // The end of what is around a number or a word.
      if (depth === 0) return at;
      depth--;
    } else if (depth === 0 && (each === "," || each === ":" || skipSpace(text, at) > at)) return at;
    if (depth === 0 && (each === '"' || each === "}" || each === "]")) return at + 1;
  }
  return at;
}

function skipString(text: string, at: number): number {
  for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
  return at + 1;
}
