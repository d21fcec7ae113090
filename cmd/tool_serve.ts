/** `net tool serve`: offers a tool to the mesh, and answers its calls with a command. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { commandAt, connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { readInput } from "./input.ts";
import { type Output, toDocument } from "./output.ts";
import { commandHandler, requireCommand } from "./rpc_command.ts";
import { wholeFlag } from "./rpc_common.ts";
import { untilIdle } from "./rpc_serve.ts";
import { type CallRecord, ProgramServing } from "./rpc_serving.ts";
import { createStop } from "./rpc_stop.ts";
import { runVerb } from "./verb.ts";

const COMMANDS_DEFAULT = 16;
const COMMANDS_MAX = 500;
/** A descriptor with two schemas; the node says where the bounds of each part are. */
const DESCRIPTOR_BYTES_MAX = 512 * 1024;

interface ToolServeFlags extends SharedFlags {
  readonly concurrency?: string;
}

/** The verb. */
export const toolServeCommand = buildCommand<ToolServeFlags, string[], NetContext>({
  docs: {
    brief: "Offer a tool, and answer its calls with a command",
    fullDescription:
      "Offers the tool that FILE describes at the running node, until it is stopped: COMMAND runs " +
      "once per call with the arguments, as JSON, on its standard input, and prints the result as " +
      "JSON. FILE is a JSON object with tool_id and, as far as they matter, name, version, " +
      "description, input_schema, output_schema, tags, requires, estimated_time_ms. With " +
      '"streaming": true each line that the command prints is an event, such as ' +
      '{"type":"progress","pct":50}, and the last one {"type":"result","data":…}.\n\n' +
      "The first Ctrl-C takes no more calls and waits for those that run, the second ends them.\n\n" +
      "EXAMPLES\n  net tool serve count.json -- jq '.text | length'",
  },
  parameters: {
    flags: bareRecord({
      concurrency: textFlag("N", `Calls at a time, at most ${COMMANDS_MAX}; default: 16`),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "FILE COMMAND",
        brief: "Descriptor of the tool, then -- and the command with its arguments",
      },
    },
  },
  async func(flags, file, program, ...args) {
    await runVerb(
      this,
      flags,
      ({ output }) => serve(this, output, flags, [file, program, ...args]),
      {
        isSelfTimed: true,
      },
    );
  },
});

async function serve(
  context: NetContext,
  output: Output,
  flags: ToolServeFlags,
  [file, program, ...args]: readonly (string | undefined)[],
): Promise<number> {
  const { io } = context;
  if (file === undefined || program === undefined) {
    const missing = file === undefined ? "descriptor" : "command";
    throw new NetError("usage", `Cannot serve tool: there is no ${missing}`, {
      next: "write for example net tool serve count.json -- jq '.text | length'",
    });
  }
  const tool = await readDescriptor(context, file);
  const place = { cwd: io.cwd, env: io.env };
  await requireCommand(program, place);
  const service = textOf(tool.tool_id);
  const isStream = tool.streaming === true;
  const handler = commandHandler({
    ...place,
    command: [program, ...args.filter((word) => word !== undefined)],
    isStream,
    isUpload: false,
    onErrorText: (text) => {
      if (!output.isQuiet && !output.isJson) io.writeErr(text);
    },
  });
  const forced = new AbortController();
  const stop = createStop(io, output, forced, durationFlag("--timeout", flags.timeout));
  try {
    const node = await connectNode(context, flags, forced.signal);
    try {
      const serving = new ProgramServing(
        {
          service,
          shape: isStream ? "server_stream" : "unary",
          running_max: wholeFlag("--concurrency", flags.concurrency, { max: COMMANDS_MAX }) ??
            COMMANDS_DEFAULT,
          tool: JSON.stringify(tool),
        },
        { node, handler, now: io.now, onRecord: (record) => tell(io, output, record) },
        forced.signal,
      );
      try {
        await serving.ready;
        if (output.isJson) {
          io.writeOut(`${toDocument("tool.serve", { event: "serving", tool: service })}\n`);
        } else {output.note(
            `serving ${service}: try ${commandAt(`net tool call ${service}`, flags)}`,
          );}
        stop.onPatient(() => {
          // A node that is gone shows in `ended`.
          serving.close().catch(() => {});
        });
        await serving.ended;
        return stop.exitCode ?? 0;
      } finally {
        if (!forced.signal.aborted) forced.abort(new NetError("failed", "Cannot go on serving"));
        await untilIdle([serving]);
      }
    } finally {
      await node.close();
    }
  } catch (error) {
    if (stop.exitCode !== undefined && forced.signal.aborted) return stop.exitCode;
    throw error;
  } finally {
    stop.release();
  }
}

/** The descriptor with what may be left out; schemas may be objects. */
async function readDescriptor(
  context: NetContext,
  file: string,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readInput(context, file, {
    what: "tool",
    bytesMax: DESCRIPTOR_BYTES_MAX,
    next: "write its descriptor into a file, see net tool serve --help",
  });
  let given: Readonly<Record<string, unknown>>;
  try {
    given = recordOf(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new NetError("usage", `Cannot serve tool: "${file}" is no JSON`, { cause: error });
  }
  const schema = (value: unknown) =>
    typeof value === "object" && value !== null ? JSON.stringify(value) : value ?? null;
  return {
    ...given,
    name: given.name ?? given.tool_id,
    version: given.version ?? "1.0.0",
    input_schema: schema(given.input_schema),
    output_schema: schema(given.output_schema),
  };
}

function tell(io: NetContext["io"], output: Output, record: CallRecord): void {
  if (output.isJson) io.writeOut(`${toDocument("tool.serve", { event: "call", ...record })}\n`);
  else if (record.outcome !== "ok") {
    const { service, caller, outcome, message } = record;
    output.note(`${service} for ${caller}: ${outcome}${message === null ? "" : `, ${message}`}`);
  }
}
