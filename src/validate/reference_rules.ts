/**
 * The rules of the reference validator, benchScale's `validate ipc`, bit for bit (`validation.md`
 * 5.1).
 *
 * It reads one line, or what is there when the connection closes, and passes a method when that is a
 * JSON object with `jsonrpc` "2.0", a `result` of any kind and no `error` of any kind. Its JSON parser is
 * narrower than JavaScript's in three points, which are kept here.
 */
import type { LinkFailure } from "./probe_link.ts";
import {
  asRecord,
  failedVerdict,
  type HealthMethod,
  judgeReply,
  type MethodVerdict,
  passedVerdict,
} from "./verdict.ts";

/** Its parser gives up at this depth of arrays and objects. */
const DEPTH_MAX = 127;

/**
 * Judges a reply line.
 *
 * @param line The reply without its line end.
 */
export function judgeByReference(
  method: HealthMethod,
  line: Uint8Array<ArrayBuffer>,
): MethodVerdict {
  const text = decode(line);
  if (text === undefined) {
    return failedVerdict("invalid_json", "read error: the reply is not valid UTF-8");
  }
  const value = parseAsReference(text);
  if (value === undefined) {
    return failedVerdict("invalid_json", "invalid JSON: the reply does not parse");
  }
  const envelope = asRecord(value);
  const isValid = envelope?.jsonrpc === "2.0" && Object.hasOwn(envelope, "result") &&
    !Object.hasOwn(envelope, "error");
  if (isValid) return passedVerdict(asRecord(envelope.result) ?? {});
  // The label and the number say more than the reference does; its own words stay.
  const { outcome, code } = judgeReply(method, line, "standard");
  return failedVerdict(outcome, "response missing valid result field", { code });
}

/** Judges a connection without a full line, in the reference's own words. */
export function judgeFailureByReference(
  method: HealthMethod,
  failure: LinkFailure,
): MethodVerdict {
  const { outcome, message, rest } = failure;
  switch (outcome) {
    case "connect_timeout":
      return failedVerdict(outcome, "connect timeout");
    case "response_timeout":
      return failedVerdict(outcome, "response timeout");
    case "closed":
      return rest !== undefined
        ? judgeByReference(method, rest)
        : failedVerdict(outcome, "connection closed without response");
    case "connect_failed":
      return failedVerdict(outcome, `connect failed: ${message}`);
    default:
      return failedVerdict(outcome, message);
  }
}

/**
 * Parses JSON as serde_json does: nesting is bounded, numbers must be finite and half of a surrogate
 * pair is refused.
 *
 * @returns `undefined` when it is refused.
 *
 * @example
 * ```ts
 * import { parseAsReference } from "./reference_rules.ts";
 * console.assert(parseAsReference('{"n":1e999}') === undefined);
 * console.assert(parseAsReference("[1]") !== undefined);
 * ```
 */
export function parseAsReference(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isNarrowJson(text) ? value : undefined;
}

/** Looks through a valid JSON text without recursion, because it may be deep and long. */
function isNarrowJson(text: string): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const sign = text.charAt(index);
    if (sign === "[" || sign === "{") depth += 1;
    else if (sign === "]" || sign === "}") depth -= 1;
    else if (sign === '"') {
      const end = endOfString(text, index);
      if (!isWholeString(text.slice(index, end + 1))) return false;
      index = end;
    } else if (isDigit(sign)) {
      const start = index;
      while (/[0-9.eE+-]/.test(text.charAt(index + 1))) index += 1;
      if (!Number.isFinite(Number(text.slice(start, index + 1)))) return false;
    }
    if (depth > DEPTH_MAX) return false;
  }
  return true;
}

/** Index of the quote that ends the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (text.charAt(index) !== '"') index += text.charAt(index) === "\\" ? 2 : 1;
  return index;
}

function isWholeString(quoted: string): boolean {
  return !quoted.includes("\\u") || String(JSON.parse(quoted)).isWellFormed();
}

function isDigit(sign: string): boolean {
  return sign >= "0" && sign <= "9";
}

function decode(line: Uint8Array<ArrayBuffer>): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    return undefined;
  }
}
