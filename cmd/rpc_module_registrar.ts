/**
 * The serving half of `Rpc` as a module in a worker sees it: what it serves is written down, and its handlers get
 * their calls and contexts as they would in a node.
 */
import { parseId, utf8 } from "../src/base/mod.ts";
import type { TraceContext } from "../src/core/capability/mod.ts";
import type { Rpc, RpcContext, ServeHandle, ServeOptions } from "../src/rpc/mod.ts";
import { listOf, textOf } from "./format.ts";
import type { ModuleCall, ModuleService } from "./rpc_module_protocol.ts";
import type { ServeShape } from "./rpc_serving.ts";

/** A handler brought to one form: items in, items out. */
export interface ModuleHandler {
  readonly params: ModuleService;
  run(
    items: AsyncIterable<Uint8Array>,
    call: ModuleCall,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

/** What a module is handed. */
export type ModuleRpc = Pick<Rpc, "serve" | "serveStream" | "serveClientStream" | "serveDuplex">;

type Run = (
  items: AsyncIterable<Uint8Array>,
  context: RpcContext,
) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Makes one, and the table it fills. */
export function createRegistrar(): {
  readonly rpc: ModuleRpc;
  readonly handlers: ReadonlyMap<string, ModuleHandler>;
} {
  const handlers = new Map<string, ModuleHandler>();
  const add = (
    service: string,
    shape: ServeShape,
    options: ServeOptions = {},
    run: Run,
  ): ServeHandle => {
    if (handlers.has(service)) throw new TypeError(`"${service}" is served already`);
    const params = {
      service,
      shape,
      running_max: options.runningMax,
      running_per_peer_max: options.runningPerPeerMax,
      handler_timeout_ms: options.handlerTimeoutMs,
      request_window: options.requestWindow,
    };
    handlers.set(service, {
      params,
      async *run(items, call, signal) {
        yield* run(items, contextOf(call, signal));
      },
    });
    // What was served when the module was loaded is served for as long as the program runs.
    const close = () => Promise.resolve(void handlers.delete(service));
    return { service, shape, running: 0, close, [Symbol.asyncDispose]: () => close() };
  };
  const rpc: ModuleRpc = {
    serve: (service, handler, options) =>
      add(service, "unary", options, async function* (items, context) {
        yield await handler(await firstOf(items), context);
      }),
    serveStream: (service, handler, options) =>
      add(service, "server_stream", options, async function* (items, context) {
        yield* handler(await firstOf(items), context);
      }),
    serveClientStream: (service, handler, options) =>
      add(service, "client_stream", options, async function* (items, context) {
        yield await handler(items, context);
      }),
    serveDuplex: (service, handler, options) => add(service, "duplex", options, handler),
  };
  return { rpc, handlers };
}

function contextOf(call: ModuleCall, signal: AbortSignal): RpcContext {
  return {
    service: call.service,
    caller: parseId(call.caller) ?? 0n,
    origin: parseId(call.origin) ?? 0n,
    callId: parseId(call.callId) ?? 0n,
    headers: call.headers.map(({ name, text, base64 }) => ({
      name: textOf(name),
      value: typeof text === "string" ? utf8(text) : Uint8Array.fromBase64(textOf(base64)),
    })),
    deadlineMs: call.deadlineMs,
    trace: traceOf(call.trace),
    signal,
  };
}

function traceOf(trace: ModuleCall["trace"]): TraceContext | undefined {
  if (typeof trace.trace_id !== "string") return undefined;
  return {
    traceId: trace.trace_id,
    spanId: textOf(trace.span_id),
    parentSpanId: typeof trace.parent_span_id === "string" ? trace.parent_span_id : undefined,
    isSampled: trace.sampled === true,
    state: listOf(trace.state).map(listOf).map(([key, value]) => [textOf(key), textOf(value)]),
  };
}

/** The one item of a call with one body. */
export async function firstOf(items: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  for await (const item of items) return item;
  return new Uint8Array(0);
}
