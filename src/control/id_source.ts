/**
 * The text of a request's id as the client wrote it (`validation.md` 2): a double cannot hold every number
 * of JSON, so a number is echoed by its source.
 *
 * One pass over text that was parsed already, so that it is known to be JSON; it does not grow with what the
 * rest of the message holds, as a second parse with a reviver would.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Sources of the numeric ids of a message: one for an object, one for each member of a batch. */
export type IdSources = readonly (string | undefined)[];

/**
 * Finds the number behind the last `"id"` of an object, or of each object of an array; `undefined` where
 * there is none or its value is no number.
 *
 * @param text Valid JSON whose value is an object or an array.
 */
export function readIdSources(text: string): IdSources {
  const sources: (string | undefined)[] = [undefined];
  let at = skipSpace(text, 0);
  const isBatch = text.charCodeAt(at) === OPEN_BRACKET;
  const memberDepth = isBatch ? 2 : 1;
  let member = 0;
  let depth = 0;
  /** False for a batch's member that is an array: its strings are no keys. */
  let isObject = false;
  /** True where a string would be a key of a member. */
  let isKeyNext = false;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      if (isKeyNext && isId(text.slice(at, end))) {
        // The colon stands between.
        sources[member] = numberAt(text, skipSpace(text, skipSpace(text, end) + 1));
      }
      isKeyNext = false;
      at = end;
      continue;
    }
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth++;
      if (depth === memberDepth) isObject = code === OPEN_BRACE;
      isKeyNext = depth === memberDepth && isObject;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth--;
      isKeyNext = false;
    } else if (code === COMMA) {
      if (isBatch && depth === 1) sources[++member] = undefined;
      isKeyNext = depth === memberDepth && isObject;
    }
    at++;
  }
  return sources;
}

/** Keys may be written with escapes; longer ones than six of them cannot be `id`. */
function isId(quoted: string): boolean {
  if (quoted === '"id"') return true;
  return quoted.length <= 14 && quoted.includes("\\") && JSON.parse(quoted) === "id";
}

function numberAt(text: string, at: number): string | undefined {
  let end = at;
  while (end < text.length && isNumberPart(text.charCodeAt(end))) end++;
  return end === at ? undefined : text.slice(at, end);
}

/** Digits, signs, the point and the exponent's letter. */
function isNumberPart(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e ||
    code === 0x45 || code === 0x65;
}

/** Place behind the closing quote of the string that opens at `at`. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
  return text.length;
}

function skipSpace(text: string, at: number): number {
  let i = at;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return i;
}
