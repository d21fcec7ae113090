/** `net rpc call`: calls a service of another node and prints what it answers. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { decodeTraceParent } from "../src/core/capability/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import {
  bareRecord,
  durationFlag,
  listFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { formatBytes, formatCount, formatTimeMs, numberOf, recordOf } from "./format.ts";
import type { Output } from "./output.ts";
import { createProgress } from "./progress.ts";
import {
  explainCall,
  NODE_FLAG,
  requireService,
  ROUTING_FLAG,
  routingParams,
  SERVICE_ARGUMENT,
  untilOffered,
  wholeFlag,
} from "./rpc_common.ts";
import {
  type ByteInput,
  lineItems,
  openInput,
  PIECE_BYTES,
  rawItems,
  readFull,
  sendBody,
  sendItems,
} from "./rpc_input.ts";
import { AnswerPrinter, bodyFields } from "./rpc_output.ts";
import { runVerb } from "./verb.ts";

/** How much longer than the call itself the verb waits: the call's own error says more. */
const GRACE_MS = 2_000;

const RETRIES_MAX = 99;
const HEDGES_MAX = 15;

/** Bodies of fewer bytes are through before anybody looks. */
const PROGRESS_BYTES_MIN = 4 * 1024 * 1024;

interface CallFlags extends SharedFlags {
  readonly node?: string;
  readonly stream?: boolean;
  readonly upload?: boolean;
  readonly header?: readonly string[];
  readonly where?: string;
  readonly trace?: string;
  readonly routing?: string;
  readonly wait?: string;
  readonly retry?: string;
  readonly hedge?: string;
  readonly idempotent?: boolean;
  readonly raw?: boolean;
}

/** The verb. */
export const rpcCallCommand = buildCommand<CallFlags, [string, string?], NetContext>({
  docs: {
    brief: "Call a service of another node",
    fullDescription:
      "Calls a service at a node that offers it, with BODY as its body: the text itself, @FILE for " +
      "a file, - for standard input, nothing when left out. The answer's bytes go to standard " +
      "output as they are. --timeout limits the whole call, on both sides; without it 30 s, and " +
      "nothing for streams. Ctrl-C cancels the call where it is served. With --wait a service that " +
      "nobody offers yet is waited for.\n\n" +
      "With --stream the service answers with any number of items, each printed on a line as it " +
      "comes. With --upload each line of BODY, or of standard input, is an item that is sent; " +
      "both together go both ways at once. With --raw items are not lines but stand behind their " +
      "length, 4 bytes with the highest first. With --json answers are documents.\n\n" +
      "EXAMPLES\n  net rpc call upper hello\n  net rpc call resize @photo.jpg --node 31a5 > small.jpg\n" +
      "  net rpc call ticks 5 --stream --timeout 10s\n  tail -f app.log | net rpc call count --upload",
  },
  parameters: {
    flags: bareRecord({
      node: NODE_FLAG,
      stream: switchFlag("The service answers with a stream"),
      upload: switchFlag("Send a stream: each line is an item"),
      header: listFlag("NAME=VALUE", "Header that the handler sees; repeatable"),
      where: textFlag("EXPR", "Predicate for the handler, as in net cap find --where"),
      trace: textFlag("PARENT", "Make the call part of a trace: a traceparent, or new"),
      routing: ROUTING_FLAG,
      wait: textFlag("DURATION", "Wait so long for a node that offers it, before the call"),
      retry: textFlag("N", "Try up to N times more where that may help; default: 0"),
      hedge: textFlag("N", "Ask up to N more nodes, 50 ms apart, and take the first answer"),
      idempotent: switchFlag("Running twice does no harm: ask another node when one is silent"),
      raw: switchFlag("Items stand behind their length instead of being lines"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [SERVICE_ARGUMENT, {
        parse: String,
        optional: true,
        placeholder: "BODY",
        brief: "Body of the call: text, @FILE, or - for standard input",
      }],
    },
  },
  async func(flags, service, body) {
    await runVerb(this, flags, async ({ output, signal }) => {
      requireService("Cannot call", service);
      const waitMs = durationFlag("--wait", flags.wait);
      const params = {
        service,
        ...shapeParams(flags),
        node: flags.node,
        timeout_ms: durationFlag("--timeout", flags.timeout),
        headers: (flags.header ?? []).map(readHeader),
        where: flags.where,
        ...traceParam(flags.trace),
        ...routingParams(flags.routing),
        retries: wholeFlag("--retry", flags.retry, { min: 0, max: RETRIES_MAX }),
        hedges: wholeFlag("--hedge", flags.hedge, { min: 0, max: HEDGES_MAX }),
        idempotent: flags.idempotent,
        answer: "progress",
      };
      const given = body ?? (flags.upload ? "-" : "");
      const input = await openInput(this, given);
      try {
        const node = await connectNode(this, flags, signal);
        try {
          if (waitMs !== undefined) {
            const note = () => output.note(`waiting for a node that offers ${service}`);
            await untilOffered(this.io, node, {
              service,
              target: flags.node,
              waitMs,
              note,
              signal,
            });
          }
          await makeCall(this, { node, output, signal, flags, service, params, input });
        } finally {
          await node.close();
        }
      } finally {
        input.close();
      }
    }, { graceMs: GRACE_MS + waitGraceMs(flags.wait) });
  },
});

/** `--timeout` is for the call, which begins when waiting is over. */
function waitGraceMs(text: string | undefined): number {
  try {
    return durationFlag("--wait", text) ?? 0;
  } catch {
    // The verb itself says what is wrong with it.
    return 0;
  }
}

interface MakeCallOptions {
  readonly node: NodeCaller;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly flags: CallFlags;
  readonly service: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly input: ByteInput;
}

async function makeCall(context: NetContext, options: MakeCallOptions): Promise<void> {
  const { node, output, flags, service, input } = options;
  const isStream = flags.stream ?? false;
  const printer = new AnswerPrinter(context, {
    isJson: output.isJson,
    isRaw: flags.raw ?? false,
    isStream,
    facts: { service },
  });
  const progress = createProgress(context.io, {
    label: `call ${service}`,
    // Items that are printed as they come are progress enough.
    isQuiet: output.isQuiet || output.isJson || isStream || context.io.isStdoutTerminal,
  });
  const note = (bytes: number, total: number | undefined) => {
    if (bytes >= PROGRESS_BYTES_MIN) progress.update(bytes, total);
  };
  // What breaks on this side ends the call as well.
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const opened = Promise.withResolvers<string>();
  opened.promise.catch(() => {});
  const onProgress = async (report: unknown) => {
    const { call } = recordOf(report);
    if (typeof call === "string") return opened.resolve(call);
    await printer.take(report);
    note(printer.bytes, undefined);
  };
  const start = (params: object) =>
    node.call("nrpc.call", { ...options.params, ...params }, { signal, onProgress })
      .catch((error) => {
        opened.reject(error);
        throw explainCall(error, service, flags);
      });
  const send = { signal, onBytes: (bytes: number) => note(bytes, input.size) };
  try {
    let calling: Promise<unknown>;
    if (flags.upload) {
      calling = start({ open: true });
      const items = flags.raw ? rawItems(input) : lineItems(input, signal);
      abortOnFailure(stop, opened.promise.then((call) => sendItems(node, call, items, send)));
    } else {
      const first = new Uint8Array(PIECE_BYTES);
      const length = await readFull(input, first);
      const body = first.subarray(0, length);
      if (length < first.length) {
        calling = start({ body: body.toBase64(), encoding: "base64" });
      } else {
        calling = start({ open: true });
        abortOnFailure(
          stop,
          opened.promise.then((call) => sendBody(node, call, body, input, send)),
        );
      }
    }
    const result = recordOf(await calling);
    progress.end();
    report(output, printer, result, isStream);
  } catch (error) {
    throw stop.signal.aborted && !options.signal.aborted ? stop.signal.reason : error;
  } finally {
    progress.end();
  }
}

/** Ends the call when what is sent can't be sent; a call that has ended by itself says why on its own. */
function abortOnFailure(stop: AbortController, sending: Promise<unknown>): void {
  sending.catch((error) => {
    const isOver = error instanceof NetError &&
      (error.code === "not_found" || error.code === "conflict");
    if (!isOver) stop.abort(error);
  });
}

function report(
  output: Output,
  printer: AnswerPrinter,
  result: Readonly<Record<string, unknown>>,
  isStream: boolean,
): void {
  const { service, node, ms } = result;
  if (output.isJson && !isStream) {
    const fields = { service, node, ms, bytes: printer.bytes, ...bodyFields(printer.last) };
    output.result("rpc.call", fields, () => "");
  }
  if (!isStream) return;
  const items = printer.items === 1 ? "1 item" : `${formatCount(printer.items)} items`;
  output.note(`${items}, ${formatBytes(printer.bytes)}, ${formatTimeMs(numberOf(ms) ?? 0)}`);
}

function shapeParams({ stream, upload }: CallFlags): object {
  if (upload) return { shape: stream ? "duplex" : "client_stream" };
  return { shape: stream ? "server_stream" : "unary" };
}

function readHeader(text: string): { readonly name: string; readonly value: string } {
  const at = text.indexOf("=");
  if (at > 0) return { name: text.slice(0, at), value: text.slice(at + 1) };
  throw new NetError("usage", `Cannot use --header: value is "${text}", must be NAME=VALUE`, {
    next: "write for example --header tenant=acme",
  });
}

function traceParam(text: string | undefined): object {
  if (text === undefined) return {};
  if (text === "new") return { trace: {} };
  if (decodeTraceParent(text).ok) return { trace: { parent: text } };
  throw new NetError(
    "usage",
    `Cannot use --trace: value is "${text}", must be new or a traceparent`,
    {
      next: "write --trace new to begin a trace, or give one as 00-TRACE-SPAN-01",
    },
  );
}
