/**
 * The tools a node serves, read from and written to tags `software.tool.I.…` and metadata
 * `tool::ID::…` (`capabilities.md` 3).
 *
 * Whether a tool can be called is the tag `ai-tool:ID`, which comes with the service and not from here.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { TOOL_METADATA_PREFIX, type ToolExtra, toolMetadataKey } from "../tags/metadata_keys.ts";
import { cachedPerSet } from "./_cached_view.ts";
import { readRows } from "./_rows.ts";
import { countOfText, joinTexts, splitTexts, TagWriter } from "./_view_text.ts";

/** Version of a tool that does not tell one. */
export const TOOL_VERSION_DEFAULT = "1.0.0";

/** One tool; zero, empty and `undefined` mean not told. */
export interface ToolView {
  readonly toolId: string;
  readonly name: string;
  readonly version: string;
  /** What the tool needs to run, in the words of its author. */
  readonly requires: readonly string[];
  readonly estimatedTimeMs: number;
  readonly stateless: boolean;
  /** JSON schema as text, not checked; the same for the output. */
  readonly inputSchema: string | undefined;
  readonly outputSchema: string | undefined;
  readonly description: string | undefined;
  readonly streaming: boolean;
  readonly tags: readonly string[];
  readonly pricingTerms: string | undefined;
}

/** A tool to write; what is left out is not written, version and statelessness are as by default. */
export type ToolInput = Pick<ToolView, "toolId"> & Partial<ToolView>;

type Row = { -readonly [Name in keyof ToolView]: ToolView[Name] };
type Entry = readonly [string, string];

const EXTRAS: ReadonlySet<string> = new Set<ToolExtra>([
  "input_schema",
  "output_schema",
  "description",
  "streaming",
  "tags",
  "pricing_terms",
]);
const KEY = /^tool\.[^.]*\.(?:tool_id|name|version|requires|estimated_time_ms|stateless)$/;

/**
 * The tools that a set tells of, in their order; read once per set.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { readTools } from "./tool_view.ts";
 * const [tool] = readTools(
 *   createCapabilitySet(["software.tool.0.tool_id=echo"], [["tool::echo::description", "says it"]]),
 * );
 * console.assert(tool?.version === "1.0.0" && tool.stateless && tool.description === "says it");
 * ```
 */
export const readTools: (set: CapabilitySet) => readonly ToolView[] = cachedPerSet(decodeTools);

/** {@linkcode readTools} for those who ask once and keep what they need. */
export function decodeTools({ tags, metadata }: CapabilitySet): readonly ToolView[] {
  const rows = readRows(tags, "software.tool.", createRow, readField);
  for (const row of rows) readExtras(row, metadata);
  return rows;
}

/**
 * The tags of some tools, in no order.
 *
 * @param firstIndex Number of the first one, beside tools that are told of already.
 * @throws RangeError when an id is empty, a number is no count, or a requirement is empty or has a comma.
 */
export function toolTags(tools: readonly ToolInput[], firstIndex = 0): readonly string[] {
  return tools.flatMap((tool, index) => {
    if (tool.toolId === "") throw new RangeError(`Cannot write tool ${index}: its id is empty`);
    return new TagWriter("software", `tool.${firstIndex + index}.`)
      .text("tool_id", tool.toolId)
      .text("name", tool.name)
      .text("version", tool.version ?? TOOL_VERSION_DEFAULT)
      .list("requires", tool.requires)
      .count("estimated_time_ms", tool.estimatedTimeMs)
      .text("stateless", String(tool.stateless ?? true)).tags;
  });
}

/**
 * The metadata of some tools, in no order.
 *
 * @throws RangeError when a tag of a tool is empty or has a comma.
 */
export function toolMetadata(tools: readonly ToolInput[]): readonly Entry[] {
  return tools.flatMap((tool) => {
    const tags = joinTexts(toolMetadataKey(tool.toolId, "tags"), tool.tags ?? []);
    const extras: readonly (readonly [ToolExtra, string | undefined])[] = [
      ["input_schema", tool.inputSchema],
      ["output_schema", tool.outputSchema],
      ["description", tool.description],
      ["streaming", tool.streaming === true ? "1" : undefined],
      ["tags", tags],
      ["pricing_terms", tool.pricingTerms],
    ];
    return extras.flatMap(([extra, value = ""]): readonly Entry[] =>
      value === "" ? [] : [[toolMetadataKey(tool.toolId, extra), value]]
    );
  });
}

/** True for the keys of the axis that {@linkcode toolTags} writes, under any index. */
export function isToolKey(key: string): boolean {
  return KEY.test(key);
}

/** True for the entries that describe tools. */
export function isToolMetadataKey(key: string): boolean {
  return key.startsWith(TOOL_METADATA_PREFIX);
}

/** True for the entries that {@linkcode toolMetadata} writes about this tool. */
export function isToolMetadataOf(toolId: string, key: string): boolean {
  const prefix = `${TOOL_METADATA_PREFIX}${toolId}::`;
  return key.startsWith(prefix) && EXTRAS.has(key.slice(prefix.length));
}

function createRow(): Row {
  return {
    toolId: "",
    name: "",
    version: TOOL_VERSION_DEFAULT,
    requires: [],
    estimatedTimeMs: 0,
    stateless: true,
    inputSchema: undefined,
    outputSchema: undefined,
    description: undefined,
    streaming: false,
    tags: [],
    pricingTerms: undefined,
  };
}

function readField(row: Row, field: string, value: string): void {
  if (field === "tool_id") row.toolId = value;
  else if (field === "name") row.name = value;
  else if (field === "version") row.version = value;
  else if (field === "requires") row.requires = splitTexts(value);
  else if (field === "estimated_time_ms") {
    row.estimatedTimeMs = countOfText(value) ?? row.estimatedTimeMs;
  } else if (field === "stateless") row.stateless = value === "true";
}

function readExtras(row: Row, metadata: ReadonlyMap<string, string>): void {
  const extra = (name: ToolExtra) => metadata.get(toolMetadataKey(row.toolId, name));
  row.inputSchema = extra("input_schema");
  row.outputSchema = extra("output_schema");
  row.description = extra("description");
  row.streaming = extra("streaming") === "1";
  row.tags = splitTexts(extra("tags") ?? "");
  row.pricingTerms = extra("pricing_terms");
}
