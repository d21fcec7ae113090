/** Tools: services that say what they do, in a form that models understand (`capabilities.md` 15). */
export * from "./descriptor.ts";
export * from "./export_tools.ts";
export * from "./formats.ts";
export { isJsonObject, type JsonObject, type JsonValue, parseJson } from "./json.ts";
export {
  ANNOUNCED_TEXT_BYTES_MAX,
  ANNOUNCED_TEXTS_BYTES_MAX,
  HOSTED_TOOLS_MAX,
  TOOL_BODY_BYTES_MAX,
  TOOL_DESCRIPTOR_BYTES_MAX,
  WATCH_BUFFER_MAX,
} from "./limits.ts";
export * from "./list_tools.ts";
export * from "./metadata_fetch.ts";
export * from "./provider_calls.ts";
export * from "./tool_call.ts";
export * from "./tool_event.ts";
export * from "./tool_facts.ts";
export * from "./tool_host.ts";
export * from "./tool_watch_frame.ts";
export * from "./tool_watch_service.ts";
export * from "./watch_tools.ts";
