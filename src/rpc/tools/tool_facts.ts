/**
 * Tools in an announcement: the tags and metadata a host writes, and what a reader makes of another
 * node's (`capabilities.md` 3, 15).
 *
 * Texts too large for an announcement are left out and named in `tool::<id>::omitted`, which is ours:
 * readers that know it can fetch the whole descriptor, others see a tool without that text.
 */
import {
  type CapabilitySet,
  compareUtf8,
  decodeTools,
  TOOL_METADATA_PREFIX,
  TOOL_TAG_PREFIX,
  TOOL_VERSION_DEFAULT,
  toolMetadataKey,
  toolTags,
  type ToolView,
} from "../../core/capability/mod.ts";
import { isSchemaText, isToolId, type ToolDescriptor } from "./descriptor.ts";
import { utf8Length } from "./json.ts";
import {
  ANNOUNCED_TEXT_BYTES_MAX,
  ANNOUNCED_TEXTS_BYTES_MAX,
  TOOL_ENTRIES_MAX,
  TOOL_NAME_BYTES_MAX,
  TOOL_VERSION_BYTES_MAX,
} from "./limits.ts";

/** Tag of a node that serves a call by this name. */
export const SERVICE_TAG_PREFIX = "nrpc:";

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

const U32_MAX = 0xffff_ffff;
const NO_TOOLS: AnnouncedTools = { tools: [], phantoms: 0 };

/** What was read of a set, for as long as the set is there: lists are made again on every change. */
const READ = new WeakMap<CapabilitySet, AnnouncedTools>();

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
  const tags = [SERVICE_TAG_PREFIX + TOOL_METADATA_SERVICE];
  for (const { toolId } of sorted) tags.push(SERVICE_TAG_PREFIX + toolId, TOOL_TAG_PREFIX + toolId);
  tags.push(...toolTags(sorted.map(toView), options.firstIndex));
  const metadata = sorted.flatMap(markEntries);
  metadata.push(...textEntries(sorted, options.textBytesMax ?? ANNOUNCED_TEXTS_BYTES_MAX));
  return { tags, metadata };
}

/**
 * Tools that a node announced, by id and version; read once per set. A tool tag counts only beside the tag of the service
 * it stands for.
 */
export function readAnnouncedTools(set: CapabilitySet): AnnouncedTools {
  const known = READ.get(set);
  if (known !== undefined) return known;
  const tools = decodeAnnouncedTools(set);
  if (tools !== NO_TOOLS) READ.set(set, tools);
  return tools;
}

function decodeAnnouncedTools(set: CapabilitySet): AnnouncedTools {
  const { tags } = set;
  let at = lowerBound(tags, TOOL_TAG_PREFIX);
  if (!tags[at]?.startsWith(TOOL_TAG_PREFIX)) return NO_TOOLS;
  const rows = decodeTools(set);
  const tools: AnnouncedTool[] = [];
  let phantoms = 0;
  for (; tags[at]?.startsWith(TOOL_TAG_PREFIX); at++) {
    const toolId = tags[at]?.slice(TOOL_TAG_PREFIX.length) ?? "";
    const service = SERVICE_TAG_PREFIX + toolId;
    if (!isToolId(toolId) || tags[lowerBound(tags, service)] !== service) {
      phantoms += 1;
      continue;
    }
    const views = rows.filter((row) => row.toolId === toolId);
    const versions = new Set<string>();
    for (const view of views.length === 0 ? [undefined] : views) {
      const tool = toTool(toolId, view, set.metadata);
      if (versions.has(tool.descriptor.version)) continue;
      versions.add(tool.descriptor.version);
      tools.push(tool);
    }
  }
  return { tools, phantoms };
}

/** Entry that names what a tool has and did not announce. */
function omittedKey(toolId: string): string {
  return `${TOOL_METADATA_PREFIX}${toolId}::omitted`;
}

/** Entries that are always announced. */
function markEntries({ toolId, isStreaming, tags }: ToolDescriptor): [string, string][] {
  const entries: [string, string][] = [];
  if (isStreaming) entries.push([toolMetadataKey(toolId, "streaming"), "1"]);
  if (tags.length > 0) entries.push([toolMetadataKey(toolId, "tags"), tags.join(",")]);
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
      const name = toolMetadataKey(tool.toolId, text);
      const length = utf8Length(value);
      if (length <= ANNOUNCED_TEXT_BYTES_MAX && bytes + name.length + length <= bytesMax) {
        bytes += name.length + length;
        entries.push([name, value]);
      } else {
        omitted.set(tool.toolId, [...omitted.get(tool.toolId) ?? [], text]);
      }
    }
  }
  for (const [toolId, texts] of omitted) entries.push([omittedKey(toolId), texts.join(",")]);
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

/** Everything but the texts, which there may be no room for. */
function toView(tool: ToolDescriptor) {
  const { toolId, name, version, requires, estimatedTimeMs, isStateless } = tool;
  return { toolId, name, version, requires, estimatedTimeMs, stateless: isStateless };
}

/** @param view The tool's row; `undefined` when there is none, and the tool is known by its tag only. */
function toTool(
  toolId: string,
  view: ToolView | undefined,
  metadata: ReadonlyMap<string, string>,
): AnnouncedTool {
  const read = (field: ToolText | "streaming" | "tags") =>
    metadata.get(toolMetadataKey(toolId, field));
  const schema = (text: string | undefined) =>
    text === undefined || !isSchemaText(text) ? undefined : text;
  const { name = "", version = "", estimatedTimeMs = 0 } = view ?? {};
  const descriptor: ToolDescriptor = {
    toolId,
    name: name === "" || name.length > TOOL_NAME_BYTES_MAX ? toolId : name,
    version: version.length > TOOL_VERSION_BYTES_MAX || version === ""
      ? TOOL_VERSION_DEFAULT
      : version,
    description: read("description"),
    inputSchema: schema(read("input_schema")),
    outputSchema: schema(read("output_schema")),
    requires: view?.requires.slice(0, TOOL_ENTRIES_MAX).filter((entry) => entry !== "") ?? [],
    estimatedTimeMs: estimatedTimeMs <= U32_MAX ? estimatedTimeMs : 0,
    isStateless: view?.stateless ?? true,
    isStreaming: read("streaming") === "1",
    tags: splitList(read("tags")),
    pricingTerms: read("pricing_terms"),
    nodeCount: 1,
  };
  const names = splitList(metadata.get(omittedKey(toolId)));
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
