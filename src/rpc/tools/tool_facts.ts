/**
 * Tools in an announcement: the tags and metadata a host writes, and what a reader makes of another
 * node's (`capabilities.md` 3, 15).
 *
 * Texts too large for an announcement are left out and named in `tool::<id>::omitted`, which is ours:
 * readers that know it can fetch the whole descriptor, others see a tool without that text.
 */
import { type CapabilitySet, compareUtf8 } from "../../core/capability/mod.ts";
import { isSchemaText, isToolId, TOOL_VERSION_DEFAULT, type ToolDescriptor } from "./descriptor.ts";
import { utf8Length } from "./json.ts";
import { ANNOUNCED_TEXT_BYTES_MAX, ANNOUNCED_TEXTS_BYTES_MAX, TOOL_ENTRIES_MAX } from "./limits.ts";
import { readToolRows, type ToolRow, toolRowTags } from "./_tool_rows.ts";

/** Tag of a node that serves a call by this name. */
export const TAG_SERVICE_PREFIX = "nrpc:";

/** Tag of a node that offers the service as a tool. */
export const TAG_TOOL_PREFIX = "ai-tool:";

/** Service that answers with whole descriptors; every host of tools has it. */
export const TOOL_METADATA_SERVICE = "tool.metadata.fetch";

/** Texts that may be too large for an announcement, those a caller misses most first. */
const TEXTS = ["description", "input_schema", "pricing_terms", "output_schema"] as const;

/** A text that an announcement may leave out. */
export type ToolText = (typeof TEXTS)[number];

/** What a host adds to its announcement. */
export interface ToolFacts {
  readonly tags: readonly string[];
  readonly metadata: readonly (readonly [string, string])[];
}

/** Options of {@linkcode toolFacts}. */
export interface ToolFactsOptions {
  /** Number of the first tool's row; 0 when left out, more beside rows written by hand. */
  readonly firstIndex?: number;
  /** Bytes for all texts together; 4096 when left out, less beside other metadata. */
  readonly textBytesMax?: number;
}

/** A tool as one node announces it. */
export interface AnnouncedTool {
  readonly descriptor: ToolDescriptor;
  /** Texts it has but did not announce. */
  readonly omitted: readonly ToolText[];
}

/** Tools of one set, and how many tool tags stand for nothing. */
export interface AnnouncedTools {
  readonly tools: readonly AnnouncedTool[];
  /** `ai-tool:` tags without the service, or whose id can name none. */
  readonly phantoms: number;
}

const NO_TOOLS: AnnouncedTools = { tools: [], phantoms: 0 };

/**
 * Tags and metadata that announce tools. The same for the same tools in any order.
 *
 * @param tools One per id.
 *
 * @example
 * ```ts
 * import { createToolDescriptor } from "./descriptor.ts";
 * import { toolFacts } from "./tool_facts.ts";
 * const facts = toolFacts([createToolDescriptor({ toolId: "ping" })]);
 * console.assert(facts.tags.includes("ai-tool:ping") && facts.tags.includes("nrpc:ping"));
 * ```
 */
export function toolFacts(
  tools: Iterable<ToolDescriptor>,
  options: ToolFactsOptions = {},
): ToolFacts {
  const sorted = [...tools].sort((left, right) => compareUtf8(left.toolId, right.toolId));
  if (sorted.length === 0) return { tags: [], metadata: [] };
  const firstIndex = options.firstIndex ?? 0;
  const tags = [TAG_SERVICE_PREFIX + TOOL_METADATA_SERVICE];
  sorted.forEach((tool, i) => {
    tags.push(TAG_SERVICE_PREFIX + tool.toolId, TAG_TOOL_PREFIX + tool.toolId);
    tags.push(...toolRowTags(firstIndex + i, tool));
  });
  const metadata = sorted.flatMap(markEntries);
  metadata.push(...textEntries(sorted, options.textBytesMax ?? ANNOUNCED_TEXTS_BYTES_MAX));
  return { tags, metadata };
}

/**
 * Tools that a node announced, by id and version. A tool tag counts only beside the tag of the service
 * it stands for.
 */
export function readTools(set: CapabilitySet): AnnouncedTools {
  const { tags } = set;
  let at = lowerBound(tags, TAG_TOOL_PREFIX);
  if (!tags[at]?.startsWith(TAG_TOOL_PREFIX)) return NO_TOOLS;
  const rows = readToolRows(tags, lowerBound);
  const tools: AnnouncedTool[] = [];
  let phantoms = 0;
  for (; tags[at]?.startsWith(TAG_TOOL_PREFIX); at++) {
    const toolId = tags[at]?.slice(TAG_TOOL_PREFIX.length) ?? "";
    const service = TAG_SERVICE_PREFIX + toolId;
    if (!isToolId(toolId) || tags[lowerBound(tags, service)] !== service) {
      phantoms += 1;
      continue;
    }
    const versions = new Set<string>();
    for (const row of rows.get(toolId) ?? [{}]) {
      const tool = toTool(toolId, row, set.metadata);
      if (versions.has(tool.descriptor.version)) continue;
      versions.add(tool.descriptor.version);
      tools.push(tool);
    }
  }
  return { tools, phantoms };
}

/**
 * Tags that only serving a tool may write: tool tags of a set written by hand whose service it does not
 * announce itself.
 */
export function findPhantomToolTags(tags: Iterable<string>): readonly string[] {
  const known = new Set(tags);
  return [...known].filter((tag) =>
    tag.startsWith(TAG_TOOL_PREFIX) &&
    !known.has(TAG_SERVICE_PREFIX + tag.slice(TAG_TOOL_PREFIX.length))
  );
}

function key(toolId: string, field: string): string {
  return `tool::${toolId}::${field}`;
}

/** Entries that are always announced. */
function markEntries({ toolId, isStreaming, tags }: ToolDescriptor): [string, string][] {
  const entries: [string, string][] = [];
  if (isStreaming) entries.push([key(toolId, "streaming"), "1"]);
  if (tags.length > 0) entries.push([key(toolId, "tags"), tags.join(",")]);
  return entries;
}

/** The texts there is room for, and what was left out. */
function textEntries(tools: readonly ToolDescriptor[], bytesMax: number): [string, string][] {
  const entries: [string, string][] = [];
  const omitted = new Map<string, ToolText[]>();
  let bytes = 0;
  for (const text of TEXTS) {
    for (const tool of tools) {
      const value = textOf(tool, text);
      if (value === undefined || value === "") continue;
      const name = key(tool.toolId, text);
      const length = utf8Length(value);
      if (length <= ANNOUNCED_TEXT_BYTES_MAX && bytes + name.length + length <= bytesMax) {
        bytes += name.length + length;
        entries.push([name, value]);
      } else {
        omitted.set(tool.toolId, [...omitted.get(tool.toolId) ?? [], text]);
      }
    }
  }
  for (const [toolId, texts] of omitted) entries.push([key(toolId, "omitted"), texts.join(",")]);
  return entries;
}

function textOf(tool: ToolDescriptor, text: ToolText): string | undefined {
  switch (text) {
    case "description":
      return tool.description;
    case "input_schema":
      return tool.inputSchema;
    case "output_schema":
      return tool.outputSchema;
    case "pricing_terms":
      return tool.pricingTerms;
  }
}

function toTool(
  toolId: string,
  row: ToolRow,
  metadata: ReadonlyMap<string, string>,
): AnnouncedTool {
  const read = (field: string) => metadata.get(key(toolId, field));
  const schema = (field: ToolText) => {
    const text = read(field);
    return text === undefined || !isSchemaText(text) ? undefined : text;
  };
  const descriptor: ToolDescriptor = {
    toolId,
    name: row.name ?? toolId,
    version: row.version ?? TOOL_VERSION_DEFAULT,
    description: read("description"),
    inputSchema: schema("input_schema"),
    outputSchema: schema("output_schema"),
    requires: row.requires ?? [],
    estimatedTimeMs: row.estimatedTimeMs ?? 0,
    isStateless: row.isStateless ?? true,
    isStreaming: read("streaming") === "1",
    tags: splitList(read("tags")),
    pricingTerms: read("pricing_terms"),
    nodeCount: 1,
  };
  const names = splitList(read("omitted"));
  return { descriptor, omitted: TEXTS.filter((text) => names.includes(text)) };
}

function splitList(text: string | undefined): readonly string[] {
  if (text === undefined || text === "") return [];
  return text.split(",", TOOL_ENTRIES_MAX).filter((entry) => entry !== "");
}

/** Place of the first tag that is not before `tag`, which is plain ASCII. */
function lowerBound(tags: readonly string[], tag: string): number {
  let low = 0;
  let high = tags.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    // UTF-16 and UTF-8 order agree as long as one side is ASCII.
    if ((tags[middle] ?? "") < tag) low = middle + 1;
    else high = middle;
  }
  return low;
}
