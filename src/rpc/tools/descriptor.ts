/**
 * What a tool is and how it is called: the descriptor, its checks and its JSON form
 * (`capabilities.md` 15).
 *
 * How a descriptor travels in an announcement is `tool_facts.ts`; what the schemas demand is not
 * checked here.
 */
import { TOOL_VERSION_DEFAULT } from "../../core/capability/mod.ts";
import {
  decodeJsonObject,
  encodeJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  memberOf,
  parseJson,
  utf8Length,
} from "./json.ts";
import {
  TOOL_DESCRIPTOR_BYTES_MAX,
  TOOL_ENTRIES_MAX,
  TOOL_ID_BYTES_MAX,
  TOOL_NAME_BYTES_MAX,
  TOOL_SCHEMA_BYTES_MAX,
  TOOL_TEXT_BYTES_MAX,
  TOOL_VERSION_BYTES_MAX,
} from "./limits.ts";

const U32_MAX = 0xffff_ffff;

/** A tool as its users see it. */
export interface ToolDescriptor {
  /** Also the name of the service that is called. */
  readonly toolId: string;
  /** For people. */
  readonly name: string;
  readonly version: string;
  readonly description: string | undefined;
  /** JSON Schema of the arguments, as JSON text. */
  readonly inputSchema: string | undefined;
  /** JSON Schema of the result, as JSON text. */
  readonly outputSchema: string | undefined;
  /** What it needs to do its work, by names of its own. */
  readonly requires: readonly string[];
  /** 0 when not known. */
  readonly estimatedTimeMs: number;
  readonly isStateless: boolean;
  /** True when it answers with events, not with one reply. */
  readonly isStreaming: boolean;
  readonly tags: readonly string[];
  readonly pricingTerms: string | undefined;
  /** Nodes that offer it; 0 in a descriptor that no list was made of. */
  readonly nodeCount: number;
}

/** Options of {@linkcode createToolDescriptor}: all but the id have defaults. */
export type ToolDescriptorOptions =
  & Pick<ToolDescriptor, "toolId">
  & Partial<Omit<ToolDescriptor, "toolId" | "nodeCount">>;

/** Why bytes are no descriptor. */
export type ToolDescriptorFault = "too_long" | "malformed" | "missing_member" | "out_of_bounds";

/** What {@linkcode decodeToolDescriptor} found. */
export type DecodedToolDescriptor =
  | { readonly ok: true; readonly descriptor: ToolDescriptor }
  | { readonly ok: false; readonly fault: ToolDescriptorFault };

/**
 * A descriptor to serve.
 *
 * @throws RangeError when the id is no service name, a schema is no JSON object, an entry of a list is
 * empty or has a comma, or something is longer than its bound.
 *
 * @example
 * ```ts
 * import { createToolDescriptor } from "./descriptor.ts";
 * const tool = createToolDescriptor({ toolId: "web_search", description: "Searches the web" });
 * console.assert(tool.version === "1.0.0" && tool.isStateless && tool.name === "web_search");
 * ```
 */
export function createToolDescriptor(options: ToolDescriptorOptions): ToolDescriptor {
  const descriptor: ToolDescriptor = {
    toolId: options.toolId,
    name: options.name ?? options.toolId,
    version: options.version ?? TOOL_VERSION_DEFAULT,
    description: options.description,
    inputSchema: options.inputSchema,
    outputSchema: options.outputSchema,
    requires: [...options.requires ?? []],
    estimatedTimeMs: options.estimatedTimeMs ?? 0,
    isStateless: options.isStateless ?? true,
    isStreaming: options.isStreaming ?? false,
    tags: [...options.tags ?? []],
    pricingTerms: options.pricingTerms,
    nodeCount: 0,
  };
  const problem = findProblem(descriptor) ?? findUnlistable(descriptor);
  if (problem === undefined) return descriptor;
  throw new RangeError(`Cannot describe tool ${JSON.stringify(options.toolId)}: ${problem}`);
}

/**
 * True when the text can be the id of a tool: a channel name that leaves room for the suffixes of a
 * service.
 */
export function isToolId(text: string): boolean {
  if (text.length > TOOL_ID_BYTES_MAX || !/^[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)*$/.test(text)) {
    return false;
  }
  return !text.split("/").some((segment) => segment === "." || segment === "..");
}

/** The descriptor as the JSON object that goes over the wire. */
export function toolDescriptorJson(descriptor: ToolDescriptor): JsonObject {
  const { pricingTerms } = descriptor;
  return {
    tool_id: descriptor.toolId,
    name: descriptor.name,
    version: descriptor.version,
    description: descriptor.description ?? null,
    input_schema: descriptor.inputSchema ?? null,
    output_schema: descriptor.outputSchema ?? null,
    requires: descriptor.requires,
    estimated_time_ms: descriptor.estimatedTimeMs,
    stateless: descriptor.isStateless,
    streaming: descriptor.isStreaming,
    tags: descriptor.tags,
    ...(pricingTerms === undefined ? {} : { pricing_terms: pricingTerms }),
    node_count: descriptor.nodeCount,
  };
}

/**
 * Bytes of the descriptor.
 *
 * @throws NetError `limit` when they are more than 2 MiB.
 */
export function encodeToolDescriptor(descriptor: ToolDescriptor): Uint8Array<ArrayBuffer> {
  return encodeJson(toolDescriptorJson(descriptor), "tool descriptor", TOOL_DESCRIPTOR_BYTES_MAX);
}

/** Reads a descriptor; never throws. Unknown members are passed over. */
export function decodeToolDescriptor(bytes: Uint8Array): DecodedToolDescriptor {
  if (bytes.length > TOOL_DESCRIPTOR_BYTES_MAX) return { ok: false, fault: "too_long" };
  const object = decodeJsonObject(bytes, TOOL_DESCRIPTOR_BYTES_MAX);
  return object === undefined ? { ok: false, fault: "malformed" } : readToolDescriptor(object);
}

/** {@linkcode decodeToolDescriptor} for a value that lies inside of another. */
export function readToolDescriptor(object: JsonObject): DecodedToolDescriptor {
  const toolId = memberOf(object, "tool_id");
  const name = memberOf(object, "name");
  const version = memberOf(object, "version");
  if (toolId === undefined || name === undefined || version === undefined) {
    return { ok: false, fault: "missing_member" };
  }
  const optional = (member: string) => optionalText(memberOf(object, member));
  const draft = {
    toolId,
    name,
    version,
    description: optional("description"),
    inputSchema: optional("input_schema"),
    outputSchema: optional("output_schema"),
    requires: memberOf(object, "requires") ?? [],
    estimatedTimeMs: memberOf(object, "estimated_time_ms") ?? 0,
    isStateless: memberOf(object, "stateless") ?? true,
    isStreaming: memberOf(object, "streaming") ?? false,
    tags: memberOf(object, "tags") ?? [],
    pricingTerms: optional("pricing_terms"),
    nodeCount: memberOf(object, "node_count") ?? 0,
  };
  if (!isDescriptor(draft)) return { ok: false, fault: "malformed" };
  return findProblem(draft) === undefined
    ? { ok: true, descriptor: draft }
    : { ok: false, fault: "out_of_bounds" };
}

/** True when the text is a JSON object of a bearable size. */
export function isSchemaText(text: string): boolean {
  return utf8Length(text) <= TOOL_SCHEMA_BYTES_MAX && isJsonObject(parseJson(text));
}

/** A text, nothing for null, and `null` for what is neither. */
function optionalText(value: JsonValue | undefined): string | undefined | null {
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : null;
}

type Draft = { readonly [Name in keyof ToolDescriptor]: JsonValue | undefined };

function isDescriptor(draft: Draft): draft is ToolDescriptor {
  const isText = (value: JsonValue | undefined) => typeof value === "string";
  const isTextOrNothing = (value: JsonValue | undefined) => value === undefined || isText(value);
  const isList = (value: JsonValue | undefined) => Array.isArray(value) && value.every(isText);
  return isText(draft.toolId) && isText(draft.name) && isText(draft.version) &&
    isTextOrNothing(draft.description) && isTextOrNothing(draft.inputSchema) &&
    isTextOrNothing(draft.outputSchema) && isTextOrNothing(draft.pricingTerms) &&
    isList(draft.requires) && isList(draft.tags) &&
    typeof draft.estimatedTimeMs === "number" && typeof draft.nodeCount === "number" &&
    typeof draft.isStateless === "boolean" && typeof draft.isStreaming === "boolean";
}

/** What makes a descriptor unusable, in words. */
function findProblem(descriptor: ToolDescriptor): string | undefined {
  const { toolId, name, version, requires, tags, estimatedTimeMs, nodeCount } = descriptor;
  if (!isToolId(toolId)) {
    return `id must be a service name of a-z, 0-9, "-", "_", ".", "/" and at most ${TOOL_ID_BYTES_MAX} bytes`;
  }
  if (version === "") return "version is empty";
  for (const list of [requires, tags]) {
    if (list.length > TOOL_ENTRIES_MAX) {
      return `a list has ${list.length} entries, must have at most ${TOOL_ENTRIES_MAX}`;
    }
  }
  for (const number of [estimatedTimeMs, nodeCount]) {
    const isCount = Number.isInteger(number) && !Object.is(number, -0);
    if (!isCount || number < 0 || number > U32_MAX) {
      return `number is ${number}, must be a whole number below 2^32`;
    }
  }
  const bounds: readonly (readonly [string | undefined, number])[] = [
    [name, TOOL_NAME_BYTES_MAX],
    [version, TOOL_VERSION_BYTES_MAX],
    [descriptor.description, TOOL_TEXT_BYTES_MAX],
    [descriptor.pricingTerms, TOOL_TEXT_BYTES_MAX],
    ...[...requires, ...tags].map((entry) => [entry, TOOL_NAME_BYTES_MAX] as const),
  ];
  for (const [text, lengthMax] of bounds) {
    if (text === undefined) continue;
    if (!text.isWellFormed()) return "a text is not valid Unicode";
    const length = utf8Length(text);
    if (length > lengthMax) return `a text has ${length} bytes, must have at most ${lengthMax}`;
  }
  for (const schema of [descriptor.inputSchema, descriptor.outputSchema]) {
    if (schema === undefined) continue;
    if (!schema.isWellFormed() || !isSchemaText(schema)) {
      return `a schema must be the text of a JSON object of at most ${TOOL_SCHEMA_BYTES_MAX} bytes`;
    }
  }
  return undefined;
}

/** Announcements write lists with commas between the entries. */
function findUnlistable({ requires, tags }: ToolDescriptor): string | undefined {
  const entry = [...requires, ...tags].find((text) => text === "" || text.includes(","));
  return entry === undefined ? undefined : `entry is "${entry}", must not be empty or have a comma`;
}
