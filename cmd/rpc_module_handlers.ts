/**
 * Handlers as a module of the user's exports them. By default it exports an object, `{ service: handler }`: a function
 * takes one body and gives one; a generator function gives a stream; `{ shape, handler }` says it in full, which is
 * how an upload is taken. What a handler gives is bytes, a text, or a value that becomes JSON.
 *
 * Or it exports a function, which is handed the serving half of `Rpc` and serves what it likes, typed services too.
 */
import { createRegistrar, firstOf, type ModuleHandler } from "./rpc_module_registrar.ts";
import type { ModuleCall, ModuleService } from "./rpc_module_protocol.ts";
import type { ServeShape } from "./rpc_serving.ts";

/** What a handler of the plain form knows of its call. */
export interface ModuleContext {
  readonly service: string;
  /** Node id of the caller, 16 hex digits. */
  readonly caller: string;
  readonly callId: string;
  /** Unix milliseconds after which nobody waits. */
  readonly deadlineMs: number | undefined;
  readonly traceId: string | undefined;
  /** By names in lower case; what is no text begins with `base64:`. */
  readonly headers: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
}

const SHAPES: readonly ServeShape[] = ["unary", "server_stream", "client_stream", "duplex"];

/** Services of one module. */
const SERVICES_MAX = 256;

/**
 * The handlers of a module.
 *
 * @throws TypeError when its default export is none of the forms above; what the module's own function throws.
 */
export async function readHandlers(
  module: Readonly<Record<string, unknown>>,
): Promise<ReadonlyMap<string, ModuleHandler>> {
  const { default: exported } = module;
  let handlers: ReadonlyMap<string, ModuleHandler>;
  if (typeof exported === "function") {
    const registrar = createRegistrar();
    await exported(registrar.rpc);
    handlers = registrar.handlers;
  } else if (typeof exported === "object" && exported !== null) {
    handlers = new Map(
      Object.entries(exported).map(([service, value]) => [service, readHandler(service, value)]),
    );
  } else throw new TypeError("its default export must be an object, { service: handler }");
  if (handlers.size === 0 || handlers.size > SERVICES_MAX) {
    throw new TypeError(`it has ${handlers.size} services, must be 1 to ${SERVICES_MAX}`);
  }
  return handlers;
}

function readHandler(service: string, value: unknown): ModuleHandler {
  if (typeof value === "function") {
    const shape = isGenerator(value) ? "server_stream" : "unary";
    return createHandler({ service, shape }, value as UserHandler);
  }
  const { shape: given, handler }: { shape?: unknown; handler?: unknown } =
    typeof value === "object" && value !== null ? value : {};
  const shape = SHAPES.find((one) => one === given);
  if (shape === undefined || typeof handler !== "function") {
    throw new TypeError(
      `"${service}" must be a function, or { shape, handler } with one of ${SHAPES.join(", ")}`,
    );
  }
  return createHandler({ service, shape }, handler as UserHandler);
}

type UserHandler = (given: unknown, context: ModuleContext) => unknown;

function createHandler(params: ModuleService, handler: UserHandler): ModuleHandler {
  const { shape } = params;
  const isUpload = shape === "client_stream" || shape === "duplex";
  const isStream = shape === "server_stream" || shape === "duplex";
  return {
    params,
    async *run(items, call, signal) {
      const given = isUpload ? items : await firstOf(items);
      const answer = await handler(given, contextOf(call, signal));
      if (!isStream) yield toBytes(answer);
      else if (isIterable(answer)) { for await (const item of answer) yield toBytes(item); }
      else throw new TypeError("the handler of a stream must give something to iterate");
    },
  };
}

function contextOf(call: ModuleCall, signal: AbortSignal): ModuleContext {
  const { service, caller, callId, deadlineMs, trace } = call;
  return {
    service,
    caller,
    callId,
    deadlineMs,
    traceId: typeof trace.trace_id === "string" ? trace.trace_id : undefined,
    headers: new Map(call.headers.map(({ name, text, base64 }) => [
      String(name).toLowerCase(),
      typeof text === "string" ? text : `base64:${base64}`,
    ])),
    signal,
  };
}

/** Bytes of what a handler gave. */
export function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  return new TextEncoder().encode(text);
}

function isGenerator(value: object): boolean {
  return /^(Async)?GeneratorFunction$/.test(value.constructor.name);
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === "object" && value !== null &&
    (Symbol.asyncIterator in value || Symbol.iterator in value);
}
