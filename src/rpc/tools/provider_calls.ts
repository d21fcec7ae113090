/**
 * Calls as the models of the four providers ask for them, brought to one form (`capabilities.md` 15).
 *
 * Takes one call: an entry of OpenAI's `tool_calls`, an Anthropic `tool_use` block, a Gemini
 * `functionCall`, the parameters of an MCP `tools/call`.
 */
import type { ToolFormat } from "./formats.ts";
import { decodeJsonObject, isJsonObject, type JsonObject, memberOf, parseJson } from "./json.ts";
import { TOOL_BODY_BYTES_MAX } from "./limits.ts";

/** A call of a tool. */
export interface ToolCall {
  readonly toolId: string;
  /** JSON text of the arguments; a model's own spelling where it gives text. */
  readonly argumentsJson: string;
  /** By which the provider wants the answer back; `undefined` when it names none. */
  readonly providerCallId: string | undefined;
}

/** Why something is no call. */
export type ToolCallFault = "too_long" | "malformed" | "wrong_shape" | "malformed_arguments";

/** What {@linkcode lowerToolCall} found. */
export type LoweredToolCall =
  | { readonly ok: true; readonly call: ToolCall }
  | { readonly ok: false; readonly fault: ToolCallFault };

const WRONG_SHAPE: LoweredToolCall = { ok: false, fault: "wrong_shape" };

/** Reads a model's call out of JSON; never throws. */
export function decodeToolCall(format: ToolFormat, bytes: Uint8Array): LoweredToolCall {
  if (bytes.length > TOOL_BODY_BYTES_MAX) return { ok: false, fault: "too_long" };
  const object = decodeJsonObject(bytes, TOOL_BODY_BYTES_MAX);
  return object === undefined ? { ok: false, fault: "malformed" } : lowerToolCall(format, object);
}

/**
 * {@linkcode decodeToolCall} for a value that is JSON already.
 *
 * @example
 * ```ts
 * import { lowerToolCall } from "./provider_calls.ts";
 * const lowered = lowerToolCall("gemini", { name: "ping", args: {} });
 * console.assert(lowered.ok && lowered.call.argumentsJson === "{}");
 * ```
 */
export function lowerToolCall(format: ToolFormat, reply: JsonObject): LoweredToolCall {
  switch (format) {
    case "openai":
      return lowerOpenai(reply);
    case "anthropic":
      if ((memberOf(reply, "type") ?? "tool_use") !== "tool_use") return WRONG_SHAPE;
      return lowerObject(reply, "input");
    case "gemini":
      return lowerObject(reply, "args");
    case "mcp":
      // A call without arguments may leave them out (Model Context Protocol, tools/call).
      return lowerObject(
        memberOf(reply, "arguments") === undefined ? { ...reply, arguments: {} } : reply,
        "arguments",
      );
  }
}

/** OpenAI's arguments are JSON inside of a text. */
function lowerOpenai(reply: JsonObject): LoweredToolCall {
  const called = memberOf(reply, "function");
  if ((memberOf(reply, "type") ?? "function") !== "function" || !isJsonObject(called)) {
    return WRONG_SHAPE;
  }
  const argumentsJson = memberOf(called, "arguments");
  if (typeof argumentsJson !== "string") return WRONG_SHAPE;
  if (parseJson(argumentsJson) === undefined) return { ok: false, fault: "malformed_arguments" };
  return toCall(called, reply, argumentsJson);
}

function lowerObject(reply: JsonObject, member: string): LoweredToolCall {
  const input = memberOf(reply, member);
  return isJsonObject(input) ? toCall(reply, reply, JSON.stringify(input)) : WRONG_SHAPE;
}

function toCall(named: JsonObject, reply: JsonObject, argumentsJson: string): LoweredToolCall {
  const toolId = memberOf(named, "name");
  const id = memberOf(reply, "id") ?? undefined;
  if (typeof toolId !== "string" || toolId === "") return WRONG_SHAPE;
  if (id !== undefined && typeof id !== "string") return WRONG_SHAPE;
  return { ok: true, call: { toolId, argumentsJson, providerCallId: id } };
}
