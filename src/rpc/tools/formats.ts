/**
 * Tools as the four providers of models want to be told of them, and what their models ask back
 * (`capabilities.md` 15).
 *
 * Only shapes are translated. Whether arguments fit a tool's schema, and which characters a provider
 * allows in a name, is not checked.
 */
import { isJsonObject, type JsonObject, parseJson } from "./json.ts";
import type { ToolDescriptor } from "./descriptor.ts";

/** Providers whose format is known. */
export const TOOL_FORMATS = ["openai", "anthropic", "gemini", "mcp"] as const;

/** A provider's format. */
export type ToolFormat = (typeof TOOL_FORMATS)[number];

/** Schema of a tool that takes no arguments, or does not say which. */
const NO_ARGUMENTS: JsonObject = { type: "object", properties: {} };

/**
 * The tool in a provider's format.
 *
 * @example
 * ```ts
 * import { createToolDescriptor } from "./descriptor.ts";
 * import { formatTool } from "./formats.ts";
 * const tool = formatTool(createToolDescriptor({ toolId: "ping" }), "mcp");
 * console.assert(tool.name === "ping" && tool.description === "");
 * ```
 */
export function formatTool(descriptor: ToolDescriptor, format: ToolFormat): JsonObject {
  const name = descriptor.toolId;
  const description = descriptor.description ?? "";
  const schema = descriptor.inputSchema === undefined
    ? undefined
    : parseJson(descriptor.inputSchema);
  const parameters = isJsonObject(schema) ? schema : NO_ARGUMENTS;
  switch (format) {
    case "openai": {
      const strict = isJsonObject(schema);
      return { type: "function", function: { name, description, parameters, strict } };
    }
    case "anthropic":
      return { name, description, input_schema: parameters };
    case "gemini":
      return { name, description, parameters };
    case "mcp":
      return { name, description, inputSchema: parameters };
  }
}
