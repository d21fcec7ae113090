/**
 * Bodies of typed calls: JSON, checked by a schema where it arrives (`nrpc.md` 13). What JSON cannot carry exactly is
 * an error on both sides, never another value. Messages name places and types, never values.
 */
import * as v from "../../schema/mod.ts";
import { RpcError } from "../error.ts";
import type { BodySchema } from "./method.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
/** Without so many digits in a row no integer is beyond what a number holds exactly. */
const MANY_DIGITS = /[0-9]{16}/;
const INTEGER = /^-?[0-9]+$/;
/** From here on numbers are written with an exponent. */
const EXPONENT_FROM = 1e21;
/** Problems named in one message. */
const PROBLEMS_MAX = 3;

/** A body as read, or why it cannot be. */
export type JsonRead<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/**
 * Writes a value as JSON.
 *
 * @param what Names it in errors.
 * @throws RpcError `codec_encode` when it has a part that JSON does not have: a bigint, a number that is not finite,
 * an integer that a receiver may not hold exactly; or when it is nothing at all.
 */
export function encodeJsonBody(value: unknown, what: string): Uint8Array<ArrayBuffer> {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
    // Only these hide what a plain look at the text does not show: numbers that became null, and long integers.
    if (text !== undefined && (text.includes("null") || MANY_DIGITS.test(text))) {
      JSON.stringify(value, refuseInexact);
    }
  } catch (cause) {
    throw encodeError(what, inexactPartOf(value) ?? textOf(cause), cause);
  }
  if (text === undefined) {
    throw encodeError(what, `it is ${typeof value}, which JSON does not have`);
  }
  return encoder.encode(text);
}

/** Reads a body and checks it. */
export function readJsonBody<Schema extends BodySchema>(
  schema: Schema,
  body: Uint8Array,
): JsonRead<v.InferOutput<Schema>> {
  let json: unknown;
  try {
    const text = decoder.decode(body);
    json = MANY_DIGITS.test(text) ? JSON.parse(text, refuseRounded) : JSON.parse(text);
  } catch (error) {
    return { ok: false, reason: error instanceof InexactError ? error.message : "it is no JSON" };
  }
  const result = v.safeParse(schema, json);
  if (result.success) return { ok: true, value: result.output };
  return { ok: false, reason: describeIssues(result.issues) };
}

/** A part that JSON cannot carry as it is. */
class InexactError extends Error {}

function refuseInexact(key: string, value: unknown): unknown {
  if (typeof value === "bigint") {
    throw new InexactError(`"${key}" is a bigint, which JSON does not have: send it as a text`);
  }
  if (typeof value !== "number") return value;
  if (!Number.isFinite(value)) {
    throw new InexactError(`"${key}" is ${value}, which JSON does not have`);
  }
  const isWrittenInDigits = Number.isInteger(value) && Math.abs(value) < EXPONENT_FROM;
  if (isWrittenInDigits && !Number.isSafeInteger(value)) {
    throw new InexactError(
      `"${key}" is an integer beyond 2^53 - 1, which is not exact: send it as a text`,
    );
  }
  return value;
}

/** The engine's own error names neither the part nor what to do. */
function inexactPartOf(value: unknown): string | undefined {
  try {
    JSON.stringify(value, refuseInexact);
    return undefined;
  } catch (error) {
    return error instanceof InexactError ? error.message : undefined;
  }
}

function refuseRounded(key: string, value: unknown, context?: { readonly source?: string }) {
  if (
    typeof value === "number" && !Number.isSafeInteger(value) && INTEGER.test(context?.source ?? "")
  ) {
    throw new InexactError(`"${key}" is an integer beyond 2^53 - 1, which a number does not hold`);
  }
  return value;
}

function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  const told = issues.slice(0, PROBLEMS_MAX).map((issue) => {
    const path = v.getDotPath(issue);
    const place = path === null ? "it" : `"${path}"`;
    if (issue.input === undefined) return `${place} is missing`;
    return `${place} must be ${issue.expected ?? "another one"}, is ${typeName(issue.input)}`;
  });
  const more = issues.length - told.length;
  return told.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function encodeError(what: string, why: string, cause?: unknown): RpcError {
  return new RpcError("codec_encode", `Cannot send ${what}: ${why}`, { cause });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
