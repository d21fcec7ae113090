/** `net tool call`: calls a tool of the mesh and prints what it answers. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { numberOf, recordOf, textOf } from "./format.ts";
import { escapeControls, type Output, toDocument } from "./output.ts";
import { NODE_FLAG, ROUTING_FLAG, routingParams } from "./rpc_common.ts";
import { openInput, readFull } from "./rpc_input.ts";
import { runVerb } from "./verb.ts";

/** How much longer than the call itself the verb waits: the call's own error says more. */
const GRACE_MS = 2_000;
/** Bytes of arguments: what one request to the node has room for. */
const INPUT_BYTES_MAX = 768 * 1024;

interface ToolCallFlags extends SharedFlags {
  readonly node?: string;
  readonly routing?: string;
  readonly where?: string;
}

/** The verb. */
export const toolCallCommand = buildCommand<ToolCallFlags, [string, string?], NetContext>({
  docs: {
    brief: "Call a tool of the mesh",
    fullDescription:
      "Calls a tool at a node that offers it, with JSON as its arguments: the text itself, @FILE " +
      "for a file, - for standard input, no arguments when left out. The result goes to standard " +
      "output as JSON. Of a tool that streams, what it delivers on the way goes there as well, a " +
      "line each, and its progress to the error output.\n\n" +
      'EXAMPLES\n  net tool call web_search \'{"query":"mesh"}\'\n  net tool call resize @job.json ' +
      "--node 31a5 --timeout 2m",
  },
  parameters: {
    flags: bareRecord({
      node: NODE_FLAG,
      routing: ROUTING_FLAG,
      where: textFlag("EXPR", "Predicate for the tool, as in net cap find --where"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, placeholder: "TOOL", brief: "Id of the tool" },
        {
          parse: String,
          optional: true,
          placeholder: "JSON",
          brief: "Arguments: JSON, @FILE, or - for standard input",
        },
      ],
    },
  },
  async func(flags, tool, given = "{}") {
    await runVerb(this, flags, async ({ output, signal }) => {
      const input = await readArguments(this, given);
      const node = await connectNode(this, flags, signal);
      try {
        const params = {
          tool,
          input,
          node: flags.node,
          where: flags.where,
          timeout_ms: durationFlag("--timeout", flags.timeout),
          ...routingParams(flags.routing),
        };
        const onProgress = (report: unknown) =>
          tellEvent(this, output, tool, recordOf(recordOf(report).event));
        const answer = recordOf(await node.call("tool.call", params, { signal, onProgress }));
        const { output: result } = answer;
        output.result(
          "tool.call",
          { tool, output: result },
          () => escapeControls(JSON.stringify(result, null, 2)),
        );
      } finally {
        await node.close();
      }
    }, { graceMs: GRACE_MS });
  },
});

async function readArguments(context: NetContext, given: string): Promise<string> {
  const input = await openInput(context, given);
  try {
    const buffer = new Uint8Array(INPUT_BYTES_MAX + 1);
    const length = await readFull(input, buffer);
    if (length <= INPUT_BYTES_MAX) return new TextDecoder().decode(buffer.subarray(0, length));
  } finally {
    input.close();
  }
  throw new NetError(
    "limit",
    `Cannot call tool: its arguments have more than ${INPUT_BYTES_MAX} bytes`,
    { next: "put what is large as a blob, and give the tool its address" },
  );
}

/** Events before the last one. */
function tellEvent(
  { io }: NetContext,
  output: Output,
  tool: string,
  event: Readonly<Record<string, unknown>>,
): void {
  if (output.isJson) {
    io.writeOut(`${toDocument("tool.call", { tool, event })}\n`);
    return;
  }
  if (event.type === "delta") io.writeOut(`${escapeControls(JSON.stringify(event.data))}\n`);
  if (event.type !== "progress") return;
  const percent = numberOf(event.pct);
  const message = textOf(event.message);
  output.note([percent === undefined ? "" : `${percent} %`, message].filter(Boolean).join(" "));
}
