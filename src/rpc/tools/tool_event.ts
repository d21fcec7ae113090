/**
 * What a streaming tool says while it works (`capabilities.md` 15): one JSON object per event.
 *
 * A stream has any number of events and one last, `result` or `error`. Who makes up a missing last one
 * is `tool_call.ts`.
 */
import {
  decodeText,
  encodeJsonText,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  memberOf,
  parseJson,
  stringify,
} from "./json.ts";
import { TOOL_BODY_BYTES_MAX } from "./limits.ts";

const U64_MAX = (1n << 64n) - 1n;

/** One event. */
export type ToolEvent =
  | {
    readonly kind: "start";
    readonly toolId: string;
    readonly callId?: bigint;
    readonly metadata?: JsonValue;
  }
  | { readonly kind: "progress"; readonly percent?: number; readonly message?: string }
  | { readonly kind: "delta" | "result"; readonly data: JsonValue }
  | {
    readonly kind: "error";
    readonly code: string;
    readonly message: string;
    readonly details?: JsonValue;
  };

/** Code of the error that a caller makes up when a stream ends without a last event. */
export const CODE_MISSING_TERMINAL = "missing_terminal";

/** Code of the error that a host sends when the tool fails. */
export const CODE_HANDLER_ERROR = "handler_error";

/** Why bytes are no event. */
export type ToolEventFault = "too_long" | "malformed" | "unknown_kind" | "missing_member";

/** What {@linkcode decodeToolEvent} found. */
export type DecodedToolEvent =
  | { readonly ok: true; readonly event: ToolEvent }
  | { readonly ok: false; readonly fault: ToolEventFault };

/** True for an event after which none follows. */
export function isTerminal(event: ToolEvent): boolean {
  return event.kind === "result" || event.kind === "error";
}

/**
 * Bytes of an event.
 *
 * @throws NetError `limit` when they are more than 4 MiB, `usage` when the data is no plain JSON.
 * @throws RangeError when the call id is no 64-bit number or the percentage is not finite.
 */
export function encodeToolEvent(event: ToolEvent): Uint8Array<ArrayBuffer> {
  const members = membersOf(event).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const text = typeof value === "bigint" ? String(value) : stringify(value, "tool event");
    return [`"${name}":${text}`];
  });
  return encodeJsonText(`{${members.join(",")}}`, "tool event", TOOL_BODY_BYTES_MAX);
}

/** Reads an event; never throws. Unknown members are passed over. */
export function decodeToolEvent(bytes: Uint8Array): DecodedToolEvent {
  if (bytes.length > TOOL_BODY_BYTES_MAX) return { ok: false, fault: "too_long" };
  const text = decodeText(bytes, TOOL_BODY_BYTES_MAX);
  const value = text === undefined ? undefined : parseJson(text);
  if (text === undefined || !isJsonObject(value)) return { ok: false, fault: "malformed" };
  switch (memberOf(value, "type")) {
    case "start":
      return readStart(value, text);
    case "progress":
      return readProgress(value);
    case "delta":
      return readData("delta", value);
    case "result":
      return readData("result", value);
    case "error":
      return readError(value);
    case undefined:
      return { ok: false, fault: "missing_member" };
    default:
      return { ok: false, fault: "unknown_kind" };
  }
}

function membersOf(event: ToolEvent): readonly [string, JsonValue | bigint | undefined][] {
  const type: [string, string] = ["type", event.kind];
  switch (event.kind) {
    case "start": {
      const { toolId, callId, metadata } = event;
      if (callId !== undefined && (callId < 0n || callId > U64_MAX)) {
        throw new RangeError(`Cannot encode tool event: call id is ${callId}, must be below 2^64`);
      }
      return [type, ["tool_id", toolId], ["call_id", callId], ["metadata", metadata]];
    }
    case "progress": {
      const { percent, message } = event;
      if (percent !== undefined && !Number.isFinite(percent)) {
        throw new RangeError(`Cannot encode tool event: percentage is ${percent}, must be finite`);
      }
      return [type, ["pct", percent], ["message", message]];
    }
    case "delta":
    case "result":
      return [type, ["data", event.data]];
    case "error":
      return [
        type,
        ["code", event.code],
        ["message", event.message],
        ["details", event.details],
      ];
  }
}

function readStart(object: JsonObject, text: string): DecodedToolEvent {
  const toolId = memberOf(object, "tool_id");
  if (toolId === undefined) return { ok: false, fault: "missing_member" };
  const written = presentOf(object, "call_id");
  const callId = written === undefined ? undefined : exactCallId(written, text);
  if (typeof toolId !== "string" || (written !== undefined && callId === undefined)) {
    return { ok: false, fault: "malformed" };
  }
  const metadata = presentOf(object, "metadata");
  return {
    ok: true,
    event: {
      kind: "start",
      toolId,
      ...(callId === undefined ? {} : { callId }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

function readProgress(object: JsonObject): DecodedToolEvent {
  const percent = presentOf(object, "pct");
  const message = presentOf(object, "message");
  if (percent !== undefined && !(typeof percent === "number" && Number.isFinite(percent))) {
    return { ok: false, fault: "malformed" };
  }
  if (message !== undefined && typeof message !== "string") {
    return { ok: false, fault: "malformed" };
  }
  return {
    ok: true,
    event: {
      kind: "progress",
      ...(percent === undefined ? {} : { percent }),
      ...(message === undefined ? {} : { message }),
    },
  };
}

function readData(kind: "delta" | "result", object: JsonObject): DecodedToolEvent {
  // Null is data, too.
  const data = memberOf(object, "data");
  return data === undefined
    ? { ok: false, fault: "missing_member" }
    : { ok: true, event: { kind, data } };
}

function readError(object: JsonObject): DecodedToolEvent {
  const code = memberOf(object, "code");
  const message = memberOf(object, "message");
  if (code === undefined || message === undefined) return { ok: false, fault: "missing_member" };
  if (typeof code !== "string" || typeof message !== "string") {
    return { ok: false, fault: "malformed" };
  }
  const details = presentOf(object, "details");
  const rest = details === undefined ? {} : { details };
  return { ok: true, event: { kind: "error", code, message, ...rest } };
}

/** A member that may be left out; null says the same. */
function presentOf(object: JsonObject, name: string): JsonValue | undefined {
  return memberOf(object, name) ?? undefined;
}

/** The call id of the outermost object, with all its digits. */
function exactCallId(value: JsonValue, text: string): bigint | undefined {
  if (typeof value !== "number" || value < 0) return undefined;
  if (Number.isSafeInteger(value)) return BigInt(value);
  const digits = sourceOfMember(text, "call_id");
  if (digits === undefined || !/^[0-9]{1,20}$/.test(digits)) return undefined;
  const id = BigInt(digits);
  return id <= U64_MAX ? id : undefined;
}

/** The text of a number that is a member of the outermost object. */
function sourceOfMember(text: string, name: string): string | undefined {
  const sources = new Map<unknown, string>();
  const reviver = function (this: unknown, key: string, value: unknown, ...rest: unknown[]) {
    // The library's types do not know the third argument of a reviver yet: { source }.
    const context = rest[0] as { readonly source?: string } | undefined;
    if (key === name && context?.source !== undefined) sources.set(this, context.source);
    return value;
  };
  return sources.get(JSON.parse(text, reviver));
}
