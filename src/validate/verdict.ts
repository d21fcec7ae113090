/**
 * What one reply line says about one health method, under the standard and the strict rules
 * (`validation.md` 5.3); the reference's own rules are in `reference_rules.ts`.
 *
 * Pure: bytes in, a verdict out.
 */
import type { LinkFailure, LinkFailureOutcome } from "./probe_link.ts";

/** Rule sets, mildest first. */
export const RULE_SETS = ["reference", "standard", "strict"] as const;

/** Which rules a probe is held to. */
export type RuleSet = typeof RULE_SETS[number];

/** The three methods, in the order they are probed. */
export const HEALTH_METHODS = ["health.liveness", "health.readiness", "health.check"] as const;

/** One of the three. */
export type HealthMethod = typeof HEALTH_METHODS[number];

/** Label of a verdict. */
export type Outcome =
  | "ok"
  | LinkFailureOutcome
  | "invalid_json"
  | "http_framing"
  | "bad_envelope"
  | "rpc_error"
  | "id_mismatch"
  | "bad_result"
  | "identity_mismatch"
  | "method_missing";

/** Verdict about one method. */
export interface MethodVerdict {
  readonly outcome: Outcome;
  readonly passed: boolean;
  /** What is wrong; `undefined` when nothing is. */
  readonly error: string | undefined;
  /** JSON-RPC error number of the reply, if it was an error. */
  readonly code: number | undefined;
  /** Members that are missing or of the wrong type. */
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
  /** What the member says of itself; `undefined` when it did not say. */
  readonly healthy: boolean | undefined;
  readonly primal: string | undefined;
  readonly version: string | undefined;
}

/** Longest text of a member that is shown. */
const SHOWN_LENGTH_MAX = 200;

/** Longest name or version of a member that is shown, so that a sentence about it fits. */
const NAME_LENGTH_MAX = 64;

/** A failing verdict. */
export function failedVerdict(
  outcome: Outcome,
  error: string,
  facts: Partial<MethodVerdict> = {},
): MethodVerdict {
  return {
    code: undefined,
    missing: [],
    warnings: [],
    healthy: undefined,
    primal: undefined,
    version: undefined,
    ...facts,
    outcome,
    passed: false,
    error: printable(error),
  };
}

/**
 * Judges the reply to a request.
 *
 * @param line The reply without its newline.
 * @param id Number the request had.
 */
export function judgeReply(
  method: HealthMethod,
  line: Uint8Array<ArrayBuffer>,
  rules: "standard" | "strict",
  id: number = 1,
): MethodVerdict {
  const message = parseMessage(line);
  if (message === undefined) {
    return looksLikeHttp(line)
      ? failedVerdict("http_framing", "HTTP was answered, JSON lines are needed")
      : failedVerdict("invalid_json", "the reply is not valid JSON in UTF-8");
  }
  if (Array.isArray(message)) {
    return failedVerdict("bad_envelope", "a single request was answered with an array");
  }
  const envelope = asRecord(message);
  if (envelope?.error === "handshake_failed") return btspRequired();
  if (envelope === undefined || envelope.jsonrpc !== "2.0") {
    return failedVerdict("bad_envelope", 'member "jsonrpc" is not "2.0"');
  }
  if (Object.hasOwn(envelope, "error")) return judgeError(envelope.error);
  if (!Object.hasOwn(envelope, "result")) {
    return failedVerdict("bad_envelope", 'the reply has neither "result" nor "error"');
  }
  const verdict = judgeResult(method, envelope.result);
  if (!verdict.passed || envelope.id === id) return verdict;
  const text = `reply has ${describeId(envelope)}, asked with ${id}`;
  return rules === "strict"
    ? failedVerdict("id_mismatch", text, verdict)
    : { ...verdict, outcome: "id_mismatch", warnings: [...verdict.warnings, text] };
}

/** Judges a connection without a full line. */
export function judgeFailure({ outcome, message, rest }: LinkFailure): MethodVerdict {
  return rest !== undefined && looksLikeHttp(rest)
    ? failedVerdict("http_framing", "HTTP was answered, JSON lines are needed")
    : failedVerdict(outcome, message);
}

/** True for the start of an HTTP response. */
export function looksLikeHttp(bytes: Uint8Array): boolean {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return /^(HTTP\/\d|<!doctype|<html)/i.test(start);
}

/** The JSON value of a line, `undefined` when it is none; a JSON null comes as null. */
export function parseMessage(line: Uint8Array<ArrayBuffer>): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line));
  } catch {
    return undefined;
  }
}

/** The value as an object with named members, `undefined` when it is none. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? { ...value } : undefined;
}

/** Text of a stranger made safe for a terminal: no control characters, not endless. */
export function printable(text: string): string {
  return cleaned(text, SHOWN_LENGTH_MAX);
}

/** A name or version as it is shown and compared. */
export function shownName(text: string): string {
  return cleaned(text, NAME_LENGTH_MAX);
}

function cleaned(text: string, lengthMax: number): string {
  const short = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  return short.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
}

/** The id of an envelope; one that is no id is not shown, it may be endless. */
function describeId(envelope: Readonly<Record<string, unknown>>): string {
  const { id } = envelope;
  if (typeof id === "string" || typeof id === "number") {
    return `id ${printable(JSON.stringify(id))}`;
  }
  if (id === undefined || id === null) return id === null ? "id null" : "no id";
  return "an id that is neither text nor number";
}

function btspRequired(code?: number): MethodVerdict {
  return failedVerdict("btsp_required", "the member wants a BTSP handshake first", {
    code,
    warnings: ["give --family-seed-file to speak BTSP, or ask on a socket without it"],
  });
}

function judgeError(error: unknown): MethodVerdict {
  const { code, message } = asRecord(error) ?? {};
  if (typeof code !== "number" || !Number.isSafeInteger(code)) {
    return failedVerdict("bad_envelope", 'member "error" is there but is no error object');
  }
  const text = typeof message === "string" ? message : "";
  if (code === -32601) {
    return failedVerdict("method_missing", `the method is not there (${code})`, { code });
  }
  if (code === -32600 && /btsp/i.test(text)) return btspRequired(code);
  return failedVerdict("rpc_error", `error ${code}: ${text}`, { code });
}

function judgeResult(method: HealthMethod, value: unknown): MethodVerdict {
  const result = asRecord(value);
  if (result === undefined) {
    return failedVerdict("bad_result", "result is not an object", { missing: ["result"] });
  }
  return method === "health.liveness" ? judgeLiveness(result) : judgeState(result);
}

function judgeLiveness(result: Readonly<Record<string, unknown>>): MethodVerdict {
  const { status, alive } = result;
  if (alive === true || status === "healthy") return passedVerdict(result);
  if (status === "alive" || status === "ok") {
    return {
      ...passedVerdict(result),
      warnings: [`status is "${status}", the standard says "healthy"`],
    };
  }
  if (typeof status === "string") {
    return failedVerdict("bad_result", `status is "${status}", must be "healthy"`, {
      missing: ["status"],
    });
  }
  return failedVerdict("bad_result", 'result lacks "status"', { missing: ["status"] });
}

function judgeState(result: Readonly<Record<string, unknown>>): MethodVerdict {
  const missing = ["status", "version", "primal"].filter((key) =>
    typeof result[key] !== "string" || result[key] === ""
  );
  if (missing.length === 0) return passedVerdict(result);
  const names = missing.map((key) => `"${key}"`).join(", ");
  return failedVerdict("bad_result", `result lacks ${names} as text`, { missing });
}

/** A passing verdict with what the member says of itself. */
export function passedVerdict(result: Readonly<Record<string, unknown>>): MethodVerdict {
  const { primal, version } = result;
  return {
    outcome: "ok",
    passed: true,
    error: undefined,
    code: undefined,
    missing: [],
    warnings: [],
    healthy: isHealthy(result),
    primal: typeof primal === "string" ? shownName(primal) : undefined,
    version: typeof version === "string" ? shownName(version) : undefined,
  };
}

function isHealthy(result: Readonly<Record<string, unknown>>): boolean {
  if (result.healthy === false || result.ready === false || result.alive === false) return false;
  const { status } = result;
  if (typeof status !== "string") return result.alive === true || result.healthy === true;
  return ["healthy", "alive", "ok", "ready"].includes(status);
}
