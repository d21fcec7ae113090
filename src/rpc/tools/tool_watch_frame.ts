/**
 * Frames of `tool.watch`, by which a node tells another of changes of its tools (`capabilities.md` 15).
 *
 * `resync` says that changes were lost: whoever reads forgets all it knows, and what there is follows as
 * `added`.
 */
import { readToolDescriptor, type ToolDescriptorFault, toolDescriptorJson } from "./descriptor.ts";
import { decodeJsonObject, encodeJson, isJsonObject, type JsonValue, memberOf } from "./json.ts";
import { TOOL_DESCRIPTOR_BYTES_MAX } from "./limits.ts";
import type { ToolChange } from "./watch_tools.ts";

/** Service that streams these frames. */
export const TOOL_WATCH_SERVICE = "tool.watch";

/** A frame is a descriptor and a few words. */
const FRAME_BYTES_MAX = TOOL_DESCRIPTOR_BYTES_MAX + 4_096;
const U32_MAX = 0xffff_ffff;

/** One frame. */
export type ToolWatchFrame = ToolChange | { readonly kind: "resync" };

/** What {@linkcode decodeToolWatchFrame} found. */
export type DecodedToolWatchFrame =
  | { readonly ok: true; readonly frame: ToolWatchFrame }
  | { readonly ok: false; readonly fault: ToolDescriptorFault };

/** Bytes of a frame. */
export function encodeToolWatchFrame(frame: ToolWatchFrame): Uint8Array<ArrayBuffer> {
  return encodeJson(frameJson(frame), "tool watch frame", FRAME_BYTES_MAX);
}

/** Reads a frame; never throws. */
export function decodeToolWatchFrame(bytes: Uint8Array): DecodedToolWatchFrame {
  if (bytes.length > FRAME_BYTES_MAX) return { ok: false, fault: "too_long" };
  const object = decodeJsonObject(bytes, FRAME_BYTES_MAX);
  if (object === undefined) return { ok: false, fault: "malformed" };
  const kind = memberOf(object, "type");
  if (kind === "resync") return { ok: true, frame: { kind } };
  if (kind !== "added" && kind !== "removed" && kind !== "node_count_changed") {
    return { ok: false, fault: "malformed" };
  }
  const inner = memberOf(object, "descriptor");
  if (!isJsonObject(inner)) return { ok: false, fault: "missing_member" };
  const decoded = readToolDescriptor(inner);
  if (!decoded.ok) return decoded;
  const { descriptor } = decoded;
  if (kind !== "node_count_changed") return { ok: true, frame: { kind, descriptor } };
  const previousNodeCount = memberOf(object, "prev_node_count");
  if (previousNodeCount === undefined) return { ok: false, fault: "missing_member" };
  return isCount(previousNodeCount)
    ? { ok: true, frame: { kind, descriptor, previousNodeCount } }
    : { ok: false, fault: "out_of_bounds" };
}

function frameJson(frame: ToolWatchFrame): JsonValue {
  if (frame.kind === "resync") return { type: frame.kind };
  const descriptor = toolDescriptorJson(frame.descriptor);
  return frame.kind === "node_count_changed"
    ? { type: frame.kind, descriptor, prev_node_count: frame.previousNodeCount }
    : { type: frame.kind, descriptor };
}

function isCount(value: JsonValue): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= U32_MAX;
}
