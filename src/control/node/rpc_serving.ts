/**
 * One name that a program serves through its node: each call is told to the program, which takes its body and
 * pushes the answer (`nrpc.md` 6 to 9).
 */
import { systemClock } from "../../base/mod.ts";
import {
  type CallShape,
  createToolDescriptor,
  isJsonObject,
  type OfferedTool,
  parseJson,
  readToolDescriptor,
  type Rpc,
  type RpcContext,
  RpcStatusError,
  type ServedTool,
  type ServeHandle,
  type ServeOptions,
  Status,
  type ToolDescriptor,
} from "../../rpc/mod.ts";
import { NetError } from "../../base/mod.ts";
import type { CallContext } from "../method.ts";
import type { GatherBudget } from "./rpc_items.ts";
import { ServedCall } from "./rpc_served_call.ts";

/** Parameters of `nrpc.serve`. */
export interface ServeParams {
  readonly service: string;
  readonly shape: CallShape;
  readonly running_max?: number | undefined;
  readonly running_per_peer_max?: number | undefined;
  readonly handler_timeout_ms?: number | undefined;
  readonly request_window?: number | undefined;
  /** JSON text of a descriptor: the name is offered as a tool. */
  readonly tool?: string | undefined;
}

/** What names are served with. */
export interface ServingNode {
  readonly rpc: Rpc;
  readonly tools: { offer(descriptor: ToolDescriptor, listen: OfferedTool): ServedTool };
}

/** What became of the calls of a name. */
export interface ServedCounts {
  calls: number;
  answered: number;
  failed: number;
  cancelled: number;
}

/** One name and its calls. */
export class Serving {
  readonly counts: ServedCounts = { calls: 0, answered: 0, failed: 0, cancelled: 0 };
  readonly #service: string;
  readonly #program: CallContext;
  readonly #stopSignal: AbortSignal;
  readonly #budget: GatherBudget;
  readonly #calls = new Map<number, ServedCall>();
  #lastNumber = 0;
  #handle: ServeHandle | undefined;
  #tool: ServedTool | undefined;
  readonly #ended = Promise.withResolvers<void>();

  /** @param stopSignal Aborted when the node begins to stop. */
  constructor(
    service: string,
    program: CallContext,
    stopSignal: AbortSignal,
    budget: GatherBudget,
  ) {
    this.#service = service;
    this.#program = program;
    this.#stopSignal = stopSignal;
    this.#budget = budget;
  }

  get handle(): ServeHandle | undefined {
    return this.#handle;
  }

  /** @throws NetError `usage` for a descriptor of something else than what is served. */
  open({ rpc, tools }: ServingNode, params: ServeParams): void {
    if (params.tool === undefined) {
      this.#handle = this.#listen(rpc, params);
      return;
    }
    const descriptor = readTool(params.tool, params);
    this.#tool = tools.offer(descriptor, () => this.#handle = this.#listen(rpc, params));
  }

  #listen(rpc: Rpc, params: ServeParams): ServeHandle {
    const { service, shape } = params;
    const options: ServeOptions = {
      runningMax: params.running_max,
      runningPerPeerMax: params.running_per_peer_max,
      handlerTimeoutMs: params.handler_timeout_ms,
      requestWindow: params.request_window,
    };
    const one = (given: Uint8Array | AsyncIterable<Uint8Array>, context: RpcContext) =>
      this.#run(shape, given, context, (call) => call.onlyAnswer());
    const many = (given: Uint8Array | AsyncIterable<Uint8Array>, context: RpcContext) =>
      this.#stream(shape, given, context);
    switch (shape) {
      case "unary":
        return rpc.serve(service, one, options);
      case "server_stream":
        return rpc.serveStream(service, many, options);
      case "client_stream":
        return rpc.serveClientStream(service, one, options);
      case "duplex":
        return rpc.serveDuplex(service, many, options);
    }
  }

  call(number: number): ServedCall | undefined {
    return this.#calls.get(number);
  }

  /** Resolves when the program has asked for the end, and every call is answered; or has left; or the node stops. */
  async untilEnded(): Promise<void> {
    const signal = AbortSignal.any([this.#program.signal, this.#stopSignal]);
    const onAbort = () => this.#ended.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    await this.#ended.promise;
    signal.removeEventListener("abort", onAbort);
  }

  async close(): Promise<void> {
    await (this.#tool ?? this.#handle)?.close();
    this.#ended.resolve();
  }

  /** Ends at once; callers that still wait are told why. */
  async abandon(): Promise<void> {
    // What a stopping node says of all its services; the program has not failed.
    const why = this.#stopSignal.aborted ? "the serving node stops" : undefined;
    if (why === undefined) {
      const error = programGone(this.#service);
      for (const call of this.#calls.values()) call.fail(error);
      // Their answers leave first; closing would cancel them, which says less.
      await new Promise<void>((resolve) => systemClock.soon(resolve));
    }
    await this.#handle?.close({ isPatient: false, why });
    await this.#tool?.close();
  }

  async #run<T>(
    shape: CallShape,
    given: Uint8Array | AsyncIterable<Uint8Array>,
    context: RpcContext,
    answer: (call: ServedCall) => Promise<T>,
  ): Promise<T> {
    const { number, call, onAbort } = this.#begin(shape, given, context);
    try {
      await this.#tell(call.describe());
      const result = await answer(call);
      this.counts.answered += 1;
      return result;
    } catch (error) {
      this.#countFailure(context);
      throw error;
    } finally {
      this.#finish(number, call, context, onAbort);
    }
  }

  async *#stream(
    shape: CallShape,
    given: Uint8Array | AsyncIterable<Uint8Array>,
    context: RpcContext,
  ): AsyncGenerator<Uint8Array> {
    const { number, call, onAbort } = this.#begin(shape, given, context);
    let isOver = false;
    try {
      await this.#tell(call.describe());
      yield* call.answers;
      isOver = true;
      this.counts.answered += 1;
    } catch (error) {
      isOver = true;
      this.#countFailure(context);
      throw error;
    } finally {
      // Left in the middle: the program need not go on.
      if (!isOver) {
        this.counts.cancelled += 1;
        if (!context.signal.aborted) onAbort();
      }
      this.#finish(number, call, context, onAbort);
    }
  }

  #begin(
    shape: CallShape,
    given: Uint8Array | AsyncIterable<Uint8Array>,
    context: RpcContext,
  ): { readonly number: number; readonly call: ServedCall; readonly onAbort: () => void } {
    const number = ++this.#lastNumber;
    const call = new ServedCall(number, shape, given, context, this.#budget);
    const onAbort = () => {
      const { reason } = context.signal;
      const text = reason instanceof Error ? reason.message : String(reason ?? "cancelled");
      // Whoever reads slowly hears of it later; a program that has left needs no telling.
      this.#program.send({ cancelled: number, reason: text }).catch(() => {});
      call.fail(reason ?? new RpcStatusError(Status.cancelled, "cancelled"));
    };
    this.counts.calls += 1;
    this.#calls.set(number, call);
    if (context.signal.aborted) onAbort();
    else context.signal.addEventListener("abort", onAbort, { once: true });
    return { number, call, onAbort };
  }

  #finish(number: number, call: ServedCall, context: RpcContext, onAbort: () => void): void {
    context.signal.removeEventListener("abort", onAbort);
    this.#calls.delete(number);
    call.end();
  }

  #countFailure(context: RpcContext): void {
    if (context.signal.aborted) this.counts.cancelled += 1;
    else this.counts.failed += 1;
  }

  async #tell(data: object): Promise<void> {
    if (this.#program.signal.aborted) throw programGone(this.#service);
    await this.#program.send(data);
  }
}

function programGone(service: string): RpcStatusError {
  return new RpcStatusError(Status.internal, `the program that serves ${service} has ended`);
}

/** The descriptor of what is served. */
function readTool(text: string, { service, shape }: ServeParams): ToolDescriptor {
  const action = `Cannot serve tool "${service}"`;
  const object = parseJson(text);
  const read = isJsonObject(object) ? readToolDescriptor(object) : undefined;
  if (read === undefined || !read.ok) {
    throw new NetError("usage", `${action}: its descriptor is ${read?.fault ?? "no JSON object"}`, {
      next: "write tool_id, name and version, and schemas as texts; see docs/tools.md",
    });
  }
  const { descriptor } = read;
  const needed: CallShape = descriptor.isStreaming ? "server_stream" : "unary";
  if (descriptor.toolId !== service || shape !== needed) {
    throw new NetError(
      "usage",
      `${action}: its descriptor is of "${descriptor.toolId}", which is served as ${needed}`,
    );
  }
  try {
    return createToolDescriptor(descriptor);
  } catch (error) {
    throw new NetError("usage", error instanceof Error ? error.message : action, { cause: error });
  }
}
