/** Typed services at the server (`nrpc.md` 13). */
import { RpcStatusError } from "../error.ts";
import type { Rpc, RpcContext, ServeHandle, ServeOptions } from "../types.ts";
import { Status } from "../wire/mod.ts";
import { answeredError } from "./answered_error.ts";
import { encodeJsonBody, readJsonBody } from "./json_body.ts";
import type {
  BodySchema,
  ClientStreamMethod,
  DuplexMethod,
  Method,
  Received,
  Sent,
  ServerStreamMethod,
  UnaryMethod,
} from "./method.ts";
import { isSingle, type Methods, type ServiceDefinition, wireName } from "./service_definition.ts";

/** Values that a handler gives one after the other; it is asked for the next when there is room for it. */
export type TypedItems<T> = AsyncIterable<T> | Iterable<T>;

/** A method as its server implements it. */
export type ServerMethod<M extends Method> = M extends UnaryMethod<infer Q, infer R>
  ? (request: Received<Q>, context: RpcContext) => Sent<R> | Promise<Sent<R>>
  : M extends ServerStreamMethod<infer Q, infer R>
    ? (request: Received<Q>, context: RpcContext) => TypedItems<Sent<R>>
  : M extends ClientStreamMethod<infer Q, infer R>
    ? (items: AsyncIterable<Received<Q>>, context: RpcContext) => Sent<R> | Promise<Sent<R>>
  : M extends DuplexMethod<infer Q, infer R>
    ? (items: AsyncIterable<Received<Q>>, context: RpcContext) => TypedItems<Sent<R>>
  : never;

/** A service as its server implements it: a handler by method, or the only one. */
export type TypedHandlers<M extends Methods> = M extends Method ? ServerMethod<M>
  : { readonly [Name in keyof M]: M[Name] extends Method ? ServerMethod<M[Name]> : never };

/** Serving that a typed server needs. */
export type TypedServing = Pick<
  Rpc,
  "serve" | "serveStream" | "serveClientStream" | "serveDuplex"
>;

/** A typed service that is served. */
export interface TypedServeHandle extends AsyncDisposable {
  /** One for each method. */
  readonly handles: readonly ServeHandle[];
  /** Takes no more calls, and resolves when those that run have answered; `isPatient: false` cancels them. */
  close(options?: { readonly isPatient?: boolean }): Promise<void>;
}

/**
 * Serves all methods of a service, or none of them.
 *
 * A request that cannot be read is answered with 0x8000 and where it is wrong; what a handler throws with its status
 * when it has one (declared errors, `RpcStatusError`, errors of this program that the protocol knows), else with
 * 0x8001 and its text.
 *
 * @param options Of every method.
 * @throws RpcError `serve_failed` when one of the names is served already.
 */
export function serveTyped<M extends Methods>(
  rpc: TypedServing,
  definition: ServiceDefinition<M>,
  handlers: TypedHandlers<M>,
  options?: ServeOptions,
): TypedServeHandle {
  const { methods } = definition;
  const listed: [name: string | undefined, method: Method, handler: unknown][] = isSingle(methods)
    ? [[undefined, methods, handlers]]
    : Object.entries(methods).map(([name, method]) => [
      name,
      method,
      (handlers as Readonly<Record<string, unknown>>)[name],
    ]);
  const handles: ServeHandle[] = [];
  try {
    for (const [name, method, handler] of listed) {
      handles.push(serveMethod(rpc, wireName(definition, name), method, handler, options));
    }
  } catch (error) {
    for (const handle of handles) void handle.close({ isPatient: false });
    throw error;
  }
  const close = async (closing?: { readonly isPatient?: boolean }) => {
    await Promise.all(handles.map((handle) => handle.close(closing)));
  };
  return { handles, close, [Symbol.asyncDispose]: () => close() };
}

type AnyUnary = (request: unknown, context: RpcContext) => unknown;
type AnyStream = (request: unknown, context: RpcContext) => TypedItems<unknown>;
type AnyUpload = (items: AsyncIterable<unknown>, context: RpcContext) => unknown;
type AnyDuplex = (items: AsyncIterable<unknown>, context: RpcContext) => TypedItems<unknown>;

/** The handler's type follows from the method's, which the compiler checked where both came from. */
function serveMethod(
  rpc: TypedServing,
  service: string,
  method: Method,
  handler: unknown,
  options: ServeOptions | undefined,
): ServeHandle {
  if (typeof handler !== "function") {
    throw new TypeError(`Cannot serve ${service}: its handler is ${typeof handler}`);
  }
  const { request } = method;
  switch (method.shape) {
    case "unary": {
      const handle = handler as AnyUnary;
      return rpc.serve(service, async (body, context) => {
        const value = readRequest(request, body, "typed handler");
        return await answer(service, async () => await handle(value, context));
      }, options);
    }
    case "server_stream": {
      const handle = handler as AnyStream;
      return rpc.serveStream(service, async function* (body, context) {
        const value = readRequest(request, body, STREAMING);
        yield* answers(service, () => handle(value, context));
      }, options);
    }
    case "client_stream": {
      const handle = handler as AnyUpload;
      return rpc.serveClientStream(service, async (bodies, context) => {
        const items = new TypedItemSource(request, bodies);
        return await items.guard(
          answer(service, async () => await handle(items.values(), context)),
        );
      }, options);
    }
    case "duplex": {
      const handle = handler as AnyDuplex;
      return rpc.serveDuplex(service, async function* (bodies, context) {
        const items = new TypedItemSource(request, bodies);
        const bodiesBack = answers(service, () => handle(items.values(), context));
        try {
          for (;;) {
            const next = await items.guard(bodiesBack.next());
            if (next.done) return;
            yield next.value;
          }
        } finally {
          await bodiesBack.return();
        }
      }, options);
    }
  }
}

const STREAMING = "typed streaming handler";

/** Items of a caller. After one that cannot be read the call ends with what was wrong with it (promise N6). */
class TypedItemSource {
  readonly #schema: BodySchema;
  readonly #bodies: AsyncIterable<Uint8Array>;
  #failure: RpcStatusError | undefined;

  constructor(schema: BodySchema, bodies: AsyncIterable<Uint8Array>) {
    this.#schema = schema;
    this.#bodies = bodies;
  }

  async *values(): AsyncGenerator<unknown, void, undefined> {
    for await (const body of this.#bodies) {
      try {
        yield readRequest(this.#schema, body, STREAMING);
      } catch (error) {
        if (error instanceof RpcStatusError) this.#failure ??= error;
        throw error;
      }
    }
  }

  /** What the handler comes to, unless an item could not be read: then that, whatever the handler made of it. */
  async guard<T>(result: Promise<T>): Promise<T> {
    let value: T;
    try {
      value = await result;
    } catch (error) {
      throw this.#failure ?? error;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return value;
  }
}

function readRequest(schema: BodySchema, body: Uint8Array, who: string): unknown {
  const read = readJsonBody(schema, body);
  if (read.ok) return read.value;
  throw new RpcStatusError(Status.badRequest, `${who}: bad request body: ${read.reason}`);
}

async function answer(service: string, run: () => Promise<unknown>): Promise<Uint8Array> {
  try {
    return encodeJsonBody(await run(), `response of ${service}`);
  } catch (error) {
    throw answeredError(error);
  }
}

async function* answers(
  service: string,
  run: () => TypedItems<unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const item of run()) yield encodeJsonBody(item, `item of ${service}`);
  } catch (error) {
    throw answeredError(error);
  }
}
