/**
 * `tool.metadata.fetch`: the whole descriptor of a tool, asked of a node that offers it
 * (`capabilities.md` 15), for texts that its announcement had no room for.
 */
import { RpcStatusError } from "../error.ts";
import { Status } from "../wire/mod.ts";
import {
  readToolDescriptor,
  type ToolDescriptor,
  type ToolDescriptorFault,
  toolDescriptorJson,
} from "./descriptor.ts";
import { decodeJsonObject, encodeJson, isJsonObject, type JsonObject, memberOf } from "./json.ts";
import { TOOL_DESCRIPTOR_BYTES_MAX, TOOL_ID_BYTES_MAX } from "./limits.ts";

/** A question is one short name; escapes can make each of its bytes six. */
const REQUEST_BYTES_MAX = 64 + 6 * TOOL_ID_BYTES_MAX;
/** A reply is a descriptor and a few words. */
const REPLY_BYTES_MAX = TOOL_DESCRIPTOR_BYTES_MAX + 4_096;

/** What a node says to the question for a tool. */
export type MetadataAnswer =
  | { readonly kind: "found"; readonly descriptor: ToolDescriptor }
  | { readonly kind: "not_found"; readonly toolId: string };

/** What {@linkcode decodeMetadataAnswer} found. */
export type DecodedMetadataAnswer =
  | { readonly ok: true; readonly answer: MetadataAnswer }
  | { readonly ok: false; readonly fault: ToolDescriptorFault };

/** Body of the question. */
export function encodeMetadataRequest(toolId: string): Uint8Array<ArrayBuffer> {
  return encodeJson({ name: toolId }, "metadata request", REQUEST_BYTES_MAX);
}

/** Id asked for; `undefined` when the body is no such question. */
export function decodeMetadataRequest(body: Uint8Array): string | undefined {
  const object = decodeJsonObject(body, REQUEST_BYTES_MAX);
  const toolId = object === undefined ? undefined : memberOf(object, "name");
  return typeof toolId === "string" ? toolId : undefined;
}

/** Body of the answer. */
export function encodeMetadataAnswer(answer: MetadataAnswer): Uint8Array<ArrayBuffer> {
  const value: JsonObject = answer.kind === "found"
    ? { type: "found", descriptor: toolDescriptorJson(answer.descriptor) }
    : { type: "not_found", name: answer.toolId };
  return encodeJson(value, "metadata answer", REPLY_BYTES_MAX);
}

/** Reads an answer; never throws. */
export function decodeMetadataAnswer(body: Uint8Array): DecodedMetadataAnswer {
  if (body.length > REPLY_BYTES_MAX) return { ok: false, fault: "too_long" };
  const object = decodeJsonObject(body, REPLY_BYTES_MAX);
  if (object === undefined) return { ok: false, fault: "malformed" };
  switch (memberOf(object, "type")) {
    case "found": {
      const descriptor = memberOf(object, "descriptor");
      if (!isJsonObject(descriptor)) return { ok: false, fault: "missing_member" };
      const decoded = readToolDescriptor(descriptor);
      if (!decoded.ok) return decoded;
      return { ok: true, answer: { kind: "found", descriptor: decoded.descriptor } };
    }
    case "not_found": {
      const toolId = memberOf(object, "name");
      return typeof toolId === "string"
        ? { ok: true, answer: { kind: "not_found", toolId } }
        : { ok: false, fault: "missing_member" };
    }
    default:
      return { ok: false, fault: "malformed" };
  }
}

/**
 * The service itself: what a host with these tools answers to a body.
 *
 * @throws RpcStatusError `badRequest` when the body is no question.
 */
export function answerMetadataFetch(
  body: Uint8Array,
  tools: ReadonlyMap<string, ToolDescriptor>,
): Uint8Array<ArrayBuffer> {
  const toolId = decodeMetadataRequest(body);
  if (toolId === undefined) {
    throw new RpcStatusError(
      Status.badRequest,
      'typed handler: bad request body: must be {"name": tool id}',
    );
  }
  const descriptor = tools.get(toolId);
  return encodeMetadataAnswer(
    // This host alone offers it, as far as its answer goes.
    descriptor === undefined
      ? { kind: "not_found", toolId }
      : { kind: "found", descriptor: { ...descriptor, nodeCount: 1 } },
  );
}
