/**
 * The tools of a mesh, out of what its nodes announced (`capabilities.md` 15).
 *
 * Nothing is asked of other nodes: a text that was too large for an announcement is missing, and named.
 */
import { type CapabilitySet, compareUtf8 } from "../../core/capability/mod.ts";
import type { ToolDescriptor } from "./descriptor.ts";
import { type AnnouncedTool, readAnnouncedTools, type ToolText } from "./tool_facts.ts";

/** One version of a tool, with everybody who offers it. */
export interface ListedTool {
  /** As the provider with the lowest id tells it, of those that announced every text if there are any. */
  readonly descriptor: ToolDescriptor;
  /** Texts that `tool.metadata.fetch` has and no announcement. */
  readonly omitted: readonly ToolText[];
  /** Nodes that offer it, ascending; never empty. */
  readonly providers: readonly bigint[];
}

/** Which tools to list; an empty filter means all. */
export interface ToolFilter {
  /** Any of these ids. */
  readonly toolIds?: readonly string[];
  /** Any of these among the tool's own tags. */
  readonly tags?: readonly string[];
}

/** A node and what it announced. */
export type NodeCapabilities = readonly [nodeId: bigint, set: CapabilitySet];

interface Group {
  tool: AnnouncedTool;
  teller: bigint;
  readonly providers: Set<bigint>;
}

/**
 * Tools by id and version.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../../core/capability/mod.ts";
 * import { listTools } from "./list_tools.ts";
 * const set = createCapabilitySet(["ai-tool:ping", "nrpc:ping"]);
 * const tools = listTools([[1n, set], [2n, set]]);
 * console.assert(tools.length === 1 && tools[0]?.descriptor.nodeCount === 2);
 * ```
 */
export function listTools(
  nodes: Iterable<NodeCapabilities>,
  filter: ToolFilter = {},
): readonly ListedTool[] {
  const groups = new Map<string, Group>();
  for (const [nodeId, set] of nodes) {
    for (const tool of readAnnouncedTools(set).tools) {
      if (matchesTool(tool.descriptor, filter)) addTo(groups, nodeId, tool);
    }
  }
  return [...groups.values()].map(toListed).sort(compareTools);
}

/** True when the tool is one that the filter asks for. */
export function matchesTool(tool: ToolDescriptor, { toolIds, tags }: ToolFilter): boolean {
  return (toolIds === undefined || toolIds.length === 0 || toolIds.includes(tool.toolId)) &&
    (tags === undefined || tags.length === 0 || tags.some((tag) => tool.tags.includes(tag)));
}

/** A text that is the same for one version of one tool and different for any other. */
export function toolKey({ toolId, version }: ToolDescriptor): string {
  // No id has a blank.
  return `${toolId} ${version}`;
}

/** Orders by id, then by version as text. */
export function compareTools(left: ListedTool, right: ListedTool): number {
  return compareUtf8(left.descriptor.toolId, right.descriptor.toolId) ||
    compareUtf8(left.descriptor.version, right.descriptor.version);
}

function addTo(groups: Map<string, Group>, nodeId: bigint, tool: AnnouncedTool): void {
  const key = toolKey(tool.descriptor);
  const group = groups.get(key);
  if (group === undefined) {
    groups.set(key, { tool, teller: nodeId, providers: new Set([nodeId]) });
    return;
  }
  group.providers.add(nodeId);
  const isWhole = tool.omitted.length === 0;
  const wasWhole = group.tool.omitted.length === 0;
  if (isWhole === wasWhole ? nodeId < group.teller : isWhole) {
    group.tool = tool;
    group.teller = nodeId;
  }
}

function toListed({ tool, providers }: Group): ListedTool {
  return {
    descriptor: { ...tool.descriptor, nodeCount: providers.size },
    omitted: tool.omitted,
    providers: [...providers].sort((left, right) => left < right ? -1 : left > right ? 1 : 0),
  };
}
