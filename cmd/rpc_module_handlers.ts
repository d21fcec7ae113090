/**
 * Handlers as a module of the user's exports them: by default an object of functions, `{ service: handler }`.
 *
 * A function takes one body and gives one; a generator function gives a stream. `{ shape, handler }` says it in
 * full, which is how an upload is taken. What a handler gives is bytes, a text, or a value that becomes JSON.
 */
import type { ModuleCall } from "./rpc_module_protocol.ts";
import type { ServeShape } from "./rpc_serving.ts";

/** What a handler knows of its call. */
export interface ModuleContext extends Omit<ModuleCall, "headers"> {
  readonly headers: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
}

/** A handler brought to one form: items in, items out. */
export interface ModuleHandler {
  readonly shape: ServeShape;
  run(items: AsyncIterable<Uint8Array>, context: ModuleContext): AsyncIterable<Uint8Array>;
}

const SHAPES: readonly ServeShape[] = ["unary", "server_stream", "client_stream", "duplex"];

/** Services of one module. */
const SERVICES_MAX = 256;

/**
 * The handlers of a module.
 *
 * @throws TypeError when its default export is none of the forms above.
 */
export function readHandlers(
  module: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, ModuleHandler> {
  const { default: exported } = module;
  if (typeof exported !== "object" || exported === null) {
    throw new TypeError("its default export must be an object, { service: handler }");
  }
  const entries = Object.entries(exported);
  if (entries.length === 0 || entries.length > SERVICES_MAX) {
    throw new TypeError(
      `its default export has ${entries.length} services, must be 1 to ${SERVICES_MAX}`,
    );
  }
  return new Map(entries.map(([service, value]) => [service, readHandler(service, value)]));
}

function readHandler(service: string, value: unknown): ModuleHandler {
  if (typeof value === "function") {
    return createHandler(isGenerator(value) ? "server_stream" : "unary", value as UserHandler);
  }
  const { shape, handler }: { shape?: unknown; handler?: unknown } =
    typeof value === "object" && value !== null ? value : {};
  const known = SHAPES.find((one) => one === shape);
  if (known === undefined || typeof handler !== "function") {
    throw new TypeError(
      `"${service}" must be a function, or { shape, handler } with one of ${SHAPES.join(", ")}`,
    );
  }
  return createHandler(known, handler as UserHandler);
}

type UserHandler = (given: unknown, context: ModuleContext) => unknown;

function createHandler(shape: ServeShape, handler: UserHandler): ModuleHandler {
  const isUpload = shape === "client_stream" || shape === "duplex";
  const isStream = shape === "server_stream" || shape === "duplex";
  return {
    shape,
    async *run(items, context) {
      const given = isUpload ? items : await firstOf(items);
      const answer = await handler(given, context);
      if (!isStream) yield toBytes(answer);
      else if (isIterable(answer)) { for await (const item of answer) yield toBytes(item); }
      else throw new TypeError("the handler of a stream must give something to iterate");
    },
  };
}

/** Bytes of what a handler gave. */
export function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  return new TextEncoder().encode(text);
}

async function firstOf(items: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  for await (const item of items) return item;
  return new Uint8Array(0);
}

function isGenerator(value: object): boolean {
  return /^(Async)?GeneratorFunction$/.test(value.constructor.name);
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === "object" && value !== null &&
    (Symbol.asyncIterator in value || Symbol.iterator in value);
}
