/** The structured tags of tools, `software.tool.<row>.<field>=<value>` (`capabilities.md` 3). */
import type { ToolDescriptor } from "./descriptor.ts";
import { TOOL_ENTRIES_MAX, TOOL_NAME_BYTES_MAX, TOOL_VERSION_BYTES_MAX } from "./limits.ts";

const PREFIX = "software.tool.";
const U32_MAX = 0xffff_ffff;

/** What a row says; fields that are missing or make no sense are left out. */
export interface ToolRow {
  toolId?: string;
  name?: string;
  version?: string;
  requires?: readonly string[];
  estimatedTimeMs?: number;
  isStateless?: boolean;
}

/** Tags of one row; empty values and zeros are not written. */
export function toolRowTags(index: number, tool: ToolDescriptor): string[] {
  const prefix = `${PREFIX}${index}.`;
  const tags = [
    `${prefix}stateless=${tool.isStateless}`,
    `${prefix}tool_id=${tool.toolId}`,
    `${prefix}version=${tool.version}`,
  ];
  if (tool.name !== "") tags.push(`${prefix}name=${tool.name}`);
  if (tool.requires.length > 0) tags.push(`${prefix}requires=${tool.requires.join(",")}`);
  if (tool.estimatedTimeMs > 0) tags.push(`${prefix}estimated_time_ms=${tool.estimatedTimeMs}`);
  return tags;
}

/**
 * Rows by tool id, in the order of their numbers.
 *
 * @param tags Ascending.
 * @param lowerBound Place of the first tag that is not before a text.
 */
export function readToolRows(
  tags: readonly string[],
  lowerBound: (tags: readonly string[], tag: string) => number,
): ReadonlyMap<string, readonly ToolRow[]> {
  const rows = new Map<number, ToolRow>();
  for (let at = lowerBound(tags, PREFIX); at < tags.length; at++) {
    const tag = tags[at] ?? "";
    if (!tag.startsWith(PREFIX)) break;
    const match = /^(0|[1-9][0-9]{0,9})\.([a-z_]+)[=:]([\s\S]*)$/.exec(tag.slice(PREFIX.length));
    const index = Number(match?.[1] ?? NaN);
    if (match === null || index > U32_MAX) continue;
    const row = rows.get(index) ?? {};
    rows.set(index, row);
    readField(row, match[2] ?? "", match[3] ?? "");
  }
  const byId = new Map<string, ToolRow[]>();
  for (const [, row] of [...rows].sort(([left], [right]) => left - right)) {
    if (row.toolId === undefined) continue;
    const known = byId.get(row.toolId);
    if (known === undefined) byId.set(row.toolId, [row]);
    else known.push(row);
  }
  return byId;
}

function readField(row: ToolRow, field: string, value: string): void {
  switch (field) {
    case "tool_id":
      row.toolId = value;
      break;
    case "name":
      if (value !== "" && value.length <= TOOL_NAME_BYTES_MAX) row.name = value;
      break;
    case "version":
      if (value !== "" && value.length <= TOOL_VERSION_BYTES_MAX) row.version = value;
      break;
    case "requires":
      row.requires = value.split(",", TOOL_ENTRIES_MAX).filter((entry) => entry !== "");
      break;
    case "estimated_time_ms":
      if (/^[0-9]{1,10}$/.test(value) && Number(value) <= U32_MAX) {
        row.estimatedTimeMs = Number(value);
      }
      break;
    case "stateless":
      if (value === "true" || value === "false") row.isStateless = value === "true";
      break;
  }
}
