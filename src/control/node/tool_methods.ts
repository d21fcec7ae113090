/** Methods about the tools of the mesh; all of them privileged. Nothing is asked of other nodes. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError } from "../../base/mod.ts";
import type { Announcement } from "../../core/capability/mod.ts";
import {
  exportTools,
  type ListedTool,
  listTools,
  TOOL_FORMATS,
  toolDescriptorJson,
  type ToolFilter,
  toolKey,
} from "../../rpc/mod.ts";
import { defineMethod, type Method } from "../method.ts";

/** What the methods see of a node. */
export interface ToolView {
  readonly capabilities: {
    /** What every node announced, this one included. */
    values(): Iterable<Announcement>;
  };
}

/** Names given in one call; more than anyone types. */
const GIVEN_MAX = 256;
/** Rows and bytes of one page: far from the line of a reply, and quick to make. */
const PAGE_ROWS_MAX = 500;
const PAGE_BYTES_MAX = 512 * 1024;
/** Versions of one tool that are shown, and nodes named of those that offer one. */
const VERSIONS_MAX = 32;
const PROVIDERS_MAX = 100;
/** Letters of a description in a row. */
const BRIEF_MAX = 200;

const names = v.optional(
  v.pipe(v.array(v.pipe(v.string(), v.maxLength(255))), v.maxLength(GIVEN_MAX)),
  [],
);
const CURSOR = v.optional(v.pipe(v.string(), v.maxLength(512)));

/** The methods about tools. */
export function toolMethods(node: ToolView): readonly Method[] {
  return [
    defineMethod({
      name: "tool.ls",
      access: "privileged",
      summary: "Tools that nodes of the mesh offer, by id and version",
      isReadOnly: true,
      params: v.object({ tools: names, tags: names, cursor: CURSOR }),
      handle: ({ tools, tags, cursor }) => {
        const listed = list(node, { toolIds: tools, tags });
        const page = takePage(listed, (tool) => toolKey(tool.descriptor), cursor, describeRow);
        return { tools: page.rows, next: page.next, total: listed.length };
      },
    }),
    defineMethod({
      name: "tool.show",
      access: "privileged",
      summary: "One tool: its versions, what it takes and who offers it",
      isReadOnly: true,
      params: v.object({ tool: v.pipe(v.string(), v.minLength(1), v.maxLength(255)) }),
      handle: ({ tool }) => {
        const versions = list(node, { toolIds: [tool] });
        if (versions.length === 0) throw unknownTool(tool);
        return {
          tool_id: tool,
          versions: versions.slice(-VERSIONS_MAX).map(describeTool),
          omitted: Math.max(0, versions.length - VERSIONS_MAX),
        };
      },
    }),
    defineMethod({
      name: "tool.export",
      access: "privileged",
      summary: "Tools in the format of a provider of models, the newest version of each",
      isReadOnly: true,
      params: v.object({
        format: v.picklist(TOOL_FORMATS),
        tools: names,
        tags: names,
        cursor: CURSOR,
      }),
      handle: ({ format, tools, tags, cursor }) => {
        const listed = list(node, { toolIds: tools, tags });
        const missing = tools.find((id) => !listed.some((tool) => tool.descriptor.toolId === id));
        if (missing !== undefined && tags.length === 0) throw unknownTool(missing);
        const exported = exportTools(listed, format);
        const page = takePage(exported, ({ toolId }) => toolId, cursor, (tool) => tool.entry);
        return {
          format,
          tools: page.rows,
          incomplete: page.items.filter((tool) => tool.isIncomplete).map(({ toolId }) => toolId),
          next: page.next,
        };
      },
    }),
  ];
}

function list(node: ToolView, filter: ToolFilter): readonly ListedTool[] {
  return listTools(nodesOf(node), filter);
}

function* nodesOf(node: ToolView): Generator<readonly [bigint, Announcement["capabilities"]]> {
  for (const { nodeId, capabilities } of node.capabilities.values()) yield [nodeId, capabilities];
}

/**
 * As many items as one reply carries, at least one if there are any.
 *
 * @param cursor Key of the item before the first one; from the start when left out.
 */
function takePage<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  cursor: string | undefined,
  describe: (item: T) => object,
): {
  readonly items: readonly T[];
  readonly rows: readonly object[];
  readonly next: string | null;
} {
  const start = cursor === undefined ? 0 : items.findIndex((item) => keyOf(item) === cursor) + 1;
  if (cursor !== undefined && start === 0) {
    throw new NetError("conflict", "Cannot list tools: they changed while they were listed", {
      next: "repeat the command",
    });
  }
  const rows: object[] = [];
  let bytes = 0;
  let at = start;
  for (; at < items.length && rows.length < PAGE_ROWS_MAX && bytes < PAGE_BYTES_MAX; at++) {
    const row = describe(items[at] as T);
    rows.push(row);
    bytes += JSON.stringify(row).length;
  }
  const last = items[at - 1];
  return {
    items: items.slice(start, at),
    rows,
    next: at < items.length && last !== undefined ? keyOf(last) : null,
  };
}

/** A tool without what is long. */
function describeRow({ descriptor, omitted }: ListedTool): object {
  return {
    tool_id: descriptor.toolId,
    name: descriptor.name,
    version: descriptor.version,
    description: descriptor.description?.slice(0, BRIEF_MAX).toWellFormed() ?? null,
    streaming: descriptor.isStreaming,
    stateless: descriptor.isStateless,
    tags: descriptor.tags,
    node_count: descriptor.nodeCount,
    omitted,
  };
}

/** A tool whole, and who offers it. */
function describeTool({ descriptor, omitted, providers }: ListedTool): object {
  return {
    ...toolDescriptorJson(descriptor),
    omitted,
    providers: providers.slice(0, PROVIDERS_MAX).map(idToHex),
  };
}

/** The error for a tool that no known node offers. */
export function unknownTool(toolId: string): NetError {
  return new NetError("not_found", `Cannot find tool "${toolId}": no known node offers it`, {
    next: "see net tool ls for the tools there are",
  });
}
