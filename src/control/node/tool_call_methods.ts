/** Calling a tool of the mesh for a program (`capabilities.md` 15): once, or event by event as progress. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError } from "../../base/mod.ts";
import {
  type CallOptions,
  compareVersions,
  type JsonValue,
  type ListedTool,
  parseJson,
  type ToolEvent,
  type ToolFilter,
} from "../../rpc/mod.ts";
import { type CallContext, defineMethod, type Method } from "../method.ts";
import type { MeshView } from "./mesh_view.ts";
import { CALL_OPTIONS, readCallOptions } from "./rpc_call_options.ts";
import { unknownTool } from "./tool_methods.ts";

/** What the method sees of a node. */
export interface ToolCallView extends MeshView {
  readonly tools: {
    list(filter: ToolFilter): readonly ListedTool[];
    call(toolId: string, input: JsonValue, options: CallOptions): Promise<JsonValue>;
    callStream(toolId: string, input: JsonValue, options: CallOptions): AsyncIterable<ToolEvent>;
  };
}

/** Text of the arguments; the rest of a request's line is room for everything else. */
const INPUT_TEXT_MAX = 768 * 1024;

/** The methods that call tools. */
export function toolCallMethods(node: ToolCallView): readonly Method[] {
  return [
    defineMethod({
      name: "tool.call",
      access: "privileged",
      summary: "Call a tool; events of one that streams come as progress",
      isReadOnly: false,
      params: v.object({
        tool: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
        /** JSON text. */
        input: v.optional(v.pipe(v.string(), v.maxLength(INPUT_TEXT_MAX)), "{}"),
        ...CALL_OPTIONS,
      }),
      handle: async (params, context) => {
        const { tool } = params;
        const input = parseJson(params.input);
        if (input === undefined) {
          throw new NetError("usage", `Cannot call tool "${tool}": its input is no JSON`, {
            next: "see net tool show for what the tool takes",
          });
        }
        const given = readCallOptions(node, params);
        const listed = findTool(node, tool, given.target);
        const options = { ...given, signal: context.signal };
        if (!listed.descriptor.isStreaming) {
          return { tool, output: await node.tools.call(tool, input, options) };
        }
        return { tool, output: await tellEvents(node, tool, input, options, context) };
      },
    }),
  ];
}

/** The newest version, of the node that is asked if there is one. */
function findTool(node: ToolCallView, toolId: string, target: bigint | undefined): ListedTool {
  const listed = node.tools.list({ toolIds: [toolId] }).filter(({ providers }) =>
    target === undefined || providers.includes(target)
  );
  const newest = listed.reduce<ListedTool | undefined>((best, one) => {
    if (best === undefined) return one;
    const { version } = one.descriptor;
    return compareVersions(best.descriptor.version, version) < 0 ? one : best;
  }, undefined);
  if (newest !== undefined) return newest;
  if (target === undefined) throw unknownTool(toolId);
  throw new NetError(
    "not_found",
    `Cannot find tool "${toolId}": node ${idToHex(target)} does not offer it`,
    { next: `see net tool show ${toolId} for the nodes that do` },
  );
}

/** Hands events on and gives the result. */
async function tellEvents(
  node: ToolCallView,
  toolId: string,
  input: JsonValue,
  options: CallOptions,
  context: CallContext,
): Promise<JsonValue> {
  for await (const event of node.tools.callStream(toolId, input, options)) {
    if (event.kind === "result") return event.data;
    if (event.kind === "error") {
      throw new NetError("failed", `Tool "${toolId}" failed (${event.code}): ${event.message}`, {
        data: { code: event.code, details: event.details ?? null },
      });
    }
    await context.send({ event: describeEvent(event) });
  }
  throw new NetError("failed", `Tool "${toolId}" ended without a result`);
}

/** An event before the last one. */
function describeEvent(event: Exclude<ToolEvent, { kind: "error" }>): object {
  switch (event.kind) {
    case "start":
      return { type: event.kind, tool_id: event.toolId };
    case "progress":
      return { type: event.kind, pct: event.percent ?? null, message: event.message ?? null };
    case "delta":
    case "result":
      return { type: event.kind, data: event.data };
  }
}
