/** `net rpc serve`: answers calls with a command that runs once per call, or with a module. */
import { pathToFileURL } from "node:url";
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { commandAt, connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import {
  bareRecord,
  durationFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { textOf } from "./format.ts";
import { type Output, toDocument } from "./output.ts";
import { commandHandler, requireCommand } from "./rpc_command.ts";
import { requireService, wholeFlag } from "./rpc_common.ts";
import { loadModule, type ServedModule } from "./rpc_module.ts";
import {
  type CallRecord,
  ProgramServing,
  type ServeHandler,
  type ServeParams,
} from "./rpc_serving.ts";
import { createStop, type Stop } from "./rpc_stop.ts";
import { runVerb } from "./verb.ts";

/** Commands at a time without `--concurrency`, and calls of a module. */
const COMMANDS_DEFAULT = 16;
const MODULE_CALLS_DEFAULT = 256;
/** One connection to the node carries about two requests per call. */
const CONCURRENCY_MAX = 500;
/** Longest wait for commands to end once they must. */
const KILLED_MS = 3_000;

interface ServeFlags extends SharedFlags {
  readonly module?: string;
  readonly stream?: boolean;
  readonly upload?: boolean;
  readonly concurrency?: string;
  readonly handlerTimeout?: string;
}

/** The verb. */
export const rpcServeCommand = buildCommand<ServeFlags, string[], NetContext>({
  docs: {
    brief: "Answer calls with a command, or with a module",
    fullDescription:
      "Serves SERVICE at the running node: COMMAND runs once per call with the body on its standard " +
      "input, and what it prints is the answer. An exit code above 0 is an error for the caller, " +
      "with status 0x8100 + the code and the end of the error output as its text. The command finds " +
      "NET_RPC_CALLER, NET_RPC_SERVICE, NET_RPC_CALL_ID, NET_RPC_DEADLINE (Unix milliseconds) and " +
      "NET_RPC_HEADERS (JSON) in its environment. When the caller cancels or leaves, or its deadline " +
      "passes, it gets TERM and after 2 s KILL, with all that it started.\n\n" +
      "With --stream each line that the command prints is an item, and it is held up while the " +
      "caller is behind. With --upload the caller's items are lines on its standard input.\n\n" +
      "With --module FILE the handlers are functions of a TypeScript or JavaScript module, which " +
      "runs in a worker: export default { upper: (body, call) => … }. SERVICE then picks some of " +
      "them. docs/rpc.md says what handlers get and may give.\n\n" +
      "Calls beyond --concurrency are refused, and the caller is told to try again. The first " +
      "Ctrl-C takes no more calls and waits for those that run, the second ends them.\n\n" +
      "EXAMPLES\n  net rpc serve upper -- tr a-z A-Z\n  net rpc serve ticks --stream -- ./ticks.sh\n" +
      "  net rpc serve --module handlers.ts\n  net rpc serve thumb --concurrency 4 -- convert - -resize 200 -",
  },
  parameters: {
    flags: bareRecord({
      module: textFlag("FILE", "Module whose default export is { service: handler }"),
      stream: switchFlag("Each line that the command prints is an item of the answer"),
      upload: switchFlag("Items that the caller sends are lines for the command"),
      concurrency: textFlag(
        "N",
        `Calls at a time, at most ${CONCURRENCY_MAX}; default: 16, of a module 256`,
      ),
      handlerTimeout: textFlag("DURATION", "Longest run of one call, 0 for no limit; default: 60s"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "SERVICE COMMAND",
        brief: "Name of the service, then -- and the command with its arguments",
      },
    },
  },
  async func(flags, ...words) {
    await runVerb(this, flags, ({ output }) => serve(this, output, flags, words), {
      isSelfTimed: true,
    });
  },
});

async function serve(
  context: NetContext,
  output: Output,
  flags: ServeFlags,
  words: readonly string[],
): Promise<number> {
  const { io } = context;
  const limits = {
    running_max: wholeFlag("--concurrency", flags.concurrency, { max: CONCURRENCY_MAX }) ??
      (flags.module === undefined ? COMMANDS_DEFAULT : MODULE_CALLS_DEFAULT),
    ...timeoutParam(flags.handlerTimeout),
  };
  const forced = new AbortController();
  const stop = createStop(io, output, forced, durationFlag("--timeout", flags.timeout));
  let module: ServedModule | undefined;
  try {
    const plan = flags.module === undefined
      ? await planCommand(context, output, flags, words)
      : await planModule(
        module = await loadModule(await moduleUrl(context, flags.module)),
        words,
      );
    const node = await connectNode(context, flags, forced.signal);
    try {
      return await serveAll(context, output, { node, plan, limits, flags, stop, forced, module });
    } finally {
      await node.close();
    }
  } catch (error) {
    if (stop.exitCode !== undefined && forced.signal.aborted) return stop.exitCode;
    throw error;
  } finally {
    module?.close();
    stop.release();
  }
}

type Limits = Pick<ServeParams, "running_max" | "handler_timeout_ms">;

/** What is served, and by whom. */
interface Plan {
  readonly services: readonly ServeParams[];
  readonly handler: ServeHandler;
}

/** Limits that hold where the service does not say its own. */
function withLimits(own: ServeParams, limits: Limits): ServeParams {
  return {
    ...own,
    running_max: own.running_max ?? limits.running_max,
    handler_timeout_ms: own.handler_timeout_ms ?? limits.handler_timeout_ms,
  };
}

interface ServeAllOptions {
  readonly node: NodeCaller;
  readonly plan: Plan;
  readonly limits: Limits;
  readonly flags: ServeFlags;
  readonly stop: Stop;
  readonly forced: AbortController;
  readonly module: ServedModule | undefined;
}

async function serveAll(
  { io }: NetContext,
  output: Output,
  { node, plan, limits, flags, stop, forced, module }: ServeAllOptions,
): Promise<number> {
  const onRecord = (record: CallRecord) => tellRecord(io, output, record);
  const servings = plan.services.map((service) =>
    new ProgramServing(
      withLimits(service, limits),
      { node, handler: plan.handler, now: io.now, onRecord },
      forced.signal,
    )
  );
  const ended = Promise.all(servings.map((serving) => serving.ended));
  ended.catch(() => {});
  try {
    await Promise.all(servings.map((serving) => serving.ready));
    for (const { service, shape } of plan.services) {
      if (output.isJson) {
        io.writeOut(`${toDocument("rpc.serve", { event: "serving", service, shape })}\n`);
      } else output.note(`serving ${service}: try ${commandAt(`net rpc call ${service}`, flags)}`);
    }
    stop.onPatient(() => {
      // A node that is gone shows in `ended`.
      for (const serving of servings) serving.close().catch(() => {});
    });
    const failed = module?.failed.then((error) => Promise.reject(error));
    await Promise.race([ended, ...(failed === undefined ? [] : [failed])]);
    return stop.exitCode ?? 0;
  } finally {
    if (!forced.signal.aborted) forced.abort(new NetError("failed", "Cannot go on serving"));
    await untilIdle(servings);
  }
}

/** Waits for calls that were cancelled to be over, but not for ever. */
export async function untilIdle(servings: readonly ProgramServing[]): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, KILLED_MS);
  await Promise.race([Promise.all(servings.map((serving) => serving.idle())), late.promise]);
  clearTimeout(timer);
}

async function planCommand(
  { io }: NetContext,
  output: Output,
  { stream: isStream = false, upload: isUpload = false }: ServeFlags,
  [service, program, ...args]: readonly string[],
): Promise<Plan> {
  if (service === undefined || program === undefined) {
    const missing = service === undefined ? "there is no service" : "there is no command";
    throw new NetError("usage", `Cannot serve: ${missing}`, {
      next: "write for example net rpc serve upper -- tr a-z A-Z",
    });
  }
  requireService("Cannot serve", service);
  const place = { cwd: io.cwd, env: io.env };
  await requireCommand(program, place);
  const onErrorText = (text: string) => {
    if (!output.isQuiet && !output.isJson) io.writeErr(text);
  };
  const shape = isUpload
    ? isStream ? "duplex" : "client_stream"
    : isStream
    ? "server_stream"
    : "unary";
  const command = [program, ...args] as const;
  return {
    services: [{ service, shape }],
    handler: commandHandler({ ...place, command, isStream, isUpload, onErrorText }),
  };
}

function planModule(module: ServedModule, wanted: readonly string[]): Plan {
  const missing = wanted.find((name) => !module.services.some(({ service }) => service === name));
  if (missing !== undefined) {
    const names = module.services.map(({ service }) => service).join(", ");
    throw new NetError("not_found", `Cannot serve "${missing}": the module has only ${names}`, {
      next: "name one of those, or none for all of them",
    });
  }
  return {
    services: module.services.filter(({ service }) =>
      wanted.length === 0 || wanted.includes(service)
    ),
    handler: (call) => module.answer(call),
  };
}

/** @throws NetError `not_found` when there is no such file. */
async function moduleUrl({ io }: NetContext, file: string): Promise<string> {
  if (file.startsWith("file:")) return file;
  const path = absolutePath(file, io.cwd);
  const info = await Deno.stat(path).catch(() => undefined);
  if (info?.isFile) return pathToFileURL(path).href;
  const why = info === undefined ? "there is no such file" : "it is no file";
  throw new NetError("not_found", `Cannot load module "${file}": ${why}`, {
    next: "check the path",
  });
}

function tellRecord(io: NetContext["io"], output: Output, record: CallRecord): void {
  if (output.isJson) io.writeOut(`${toDocument("rpc.serve", { event: "call", ...record })}\n`);
  else if (record.outcome !== "ok") {
    const { service, caller, outcome, message } = record;
    const why = message === null ? "" : `, ${textOf(CANCEL_WORDS.get(message) ?? message)}`;
    output.note(`${service} for ${caller}: ${outcome}${why}`);
  }
}

/** What the wire calls the two usual ends of a call that is given up, and people do not. */
const CANCEL_WORDS: ReadonlyMap<string, string> = new Map(
  ["handler", "duplex handler"].flatMap((what) => [
    [`${what} deadline_ns exceeded`, "its time was over"],
    [`server observed CANCEL during ${what} execution`, "its caller cancelled it or left"],
  ]),
);

function timeoutParam(text: string | undefined): Pick<ServeParams, "handler_timeout_ms"> {
  if (text === undefined) return {};
  return { handler_timeout_ms: text === "0" ? 0 : durationFlag("--handler-timeout", text) };
}
