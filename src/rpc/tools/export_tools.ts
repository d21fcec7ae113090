/**
 * Listed tools as a provider's list: one entry per id, because a model knows tools by name only
 * (`capabilities.md` 15).
 */
import { compareSemver, compareUtf8, parseSemver } from "../../core/capability/mod.ts";
import { formatTool, type ToolFormat } from "./formats.ts";
import type { JsonObject } from "./json.ts";
import type { ListedTool } from "./list_tools.ts";

/** A tool in a provider's format. */
export interface ExportedTool {
  readonly toolId: string;
  readonly version: string;
  /** The arguments are not told, because no announcement had room for their schema. */
  readonly isIncomplete: boolean;
  readonly entry: JsonObject;
}

/**
 * The newest version of each tool, in the order of the ids.
 *
 * @param tools As `listTools` gives them.
 */
export function exportTools(
  tools: Iterable<ListedTool>,
  format: ToolFormat,
): readonly ExportedTool[] {
  const newest = new Map<string, ListedTool>();
  for (const tool of tools) {
    const { toolId, version } = tool.descriptor;
    const known = newest.get(toolId);
    if (known === undefined || compareVersions(known.descriptor.version, version) < 0) {
      newest.set(toolId, tool);
    }
  }
  return [...newest.values()].map(({ descriptor, omitted }) => ({
    toolId: descriptor.toolId,
    version: descriptor.version,
    isIncomplete: omitted.includes("input_schema"),
    entry: formatTool(descriptor, format),
  }));
}

/** Orders versions by their numbers; those without numbers are the oldest, and compare as texts. */
export function compareVersions(left: string, right: string): number {
  const [older, newer] = [parseSemver(left), parseSemver(right)];
  if (older !== undefined && newer !== undefined) {
    return compareSemver(older, newer) || compareUtf8(left, right);
  }
  if (older === undefined && newer === undefined) return compareUtf8(left, right);
  return older === undefined ? -1 : 1;
}
