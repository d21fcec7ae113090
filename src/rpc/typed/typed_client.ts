/** Typed services at the caller (`nrpc.md` 13). */
import { RpcError } from "../error.ts";
import type { CallOptions, Rpc } from "../types.ts";
import { encodeJsonBody, readJsonBody } from "./json_body.ts";
import type {
  ClientStreamMethod,
  DuplexMethod,
  Method,
  Received,
  Sent,
  ServerStreamMethod,
  UnaryMethod,
} from "./method.ts";
import { isSingle, type Methods, type ServiceDefinition, wireName } from "./service_definition.ts";
import {
  type StreamCodec,
  type TypedDuplex,
  typedDuplex,
  type TypedResponses,
  typedResponses,
  type TypedUpload,
  typedUpload,
} from "./typed_streams.ts";

/** A method as its caller calls it. */
export type ClientMethod<M extends Method> = M extends UnaryMethod<infer Q, infer R>
  ? (request: Sent<Q>, options?: CallOptions) => Promise<Received<R>>
  : M extends ServerStreamMethod<infer Q, infer R>
    ? (request: Sent<Q>, options?: CallOptions) => Promise<TypedResponses<Received<R>>>
  : M extends ClientStreamMethod<infer Q, infer R>
    ? (options?: CallOptions) => Promise<TypedUpload<Sent<Q>, Received<R>>>
  : M extends DuplexMethod<infer Q, infer R>
    ? (options?: CallOptions) => Promise<TypedDuplex<Sent<Q>, Received<R>>>
  : never;

/** A service as its caller sees it: a function by method, or the only one. */
export type TypedClient<M extends Methods> = M extends Method ? ClientMethod<M>
  : { readonly [Name in keyof M]: M[Name] extends Method ? ClientMethod<M[Name]> : never };

/** Calls that a typed client makes. */
export type TypedCalls = Pick<Rpc, "call" | "callStream" | "callClientStream" | "callDuplex">;

/**
 * Makes the client of a service. Requests are encoded once, however often a call is made again (promise 63).
 *
 * Its functions throw RpcError: `codec_encode` when a request is no JSON, `codec_decode` when an answer is not what
 * the service declares; and the errors that the service declares.
 *
 * @param defaults Options of every call; those of the call itself come before them.
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { createTypedClient } from "./typed_client.ts";
 * import { defineService } from "./service_definition.ts";
 * import { unary } from "./method.ts";
 * const Echo = defineService("echo", unary(v.string(), v.string()));
 * const noStreams = () => Promise.reject(new Error("only unary calls here"));
 * const echo = createTypedClient(Echo, {
 *   call: (_service, body) => Promise.resolve(body),
 *   callStream: noStreams,
 *   callClientStream: noStreams,
 *   callDuplex: noStreams,
 * });
 * console.assert(await echo("hello") === "hello");
 * ```
 */
export function createTypedClient<M extends Methods>(
  definition: ServiceDefinition<M>,
  rpc: TypedCalls,
  defaults: CallOptions = {},
): TypedClient<M> {
  const { methods } = definition;
  const callerOf = (method: Method, name?: string) =>
    methodCaller(rpc, {
      method,
      service: wireName(definition, name),
      defaults,
      failure: (error) => declaredError(definition, error),
    });
  if (isSingle(methods)) return callerOf(methods) as TypedClient<M>;
  const table = Object.entries(methods).map(([name, method]) => [name, callerOf(method, name)]);
  return Object.fromEntries(table) as TypedClient<M>;
}

interface CalledMethod {
  readonly method: Method;
  readonly service: string;
  readonly defaults: CallOptions;
  readonly failure: (error: unknown) => unknown;
}

function methodCaller(rpc: TypedCalls, called: CalledMethod): unknown {
  const { method, service, defaults, failure } = called;
  const codec = codecOf(service, method, failure);
  const merged = (options: CallOptions | undefined) =>
    options === undefined ? defaults : { ...defaults, ...options };
  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      throw failure(error);
    }
  };
  switch (method.shape) {
    case "unary":
      return (value: unknown, options?: CallOptions) =>
        guarded(async () =>
          codec.decode(await rpc.call(service, codec.encode(value), merged(options)))
        );
    case "server_stream":
      return (value: unknown, options?: CallOptions) =>
        guarded(async () =>
          typedResponses(
            await rpc.callStream(service, codec.encode(value), merged(options)),
            codec,
          )
        );
    case "client_stream":
      return (options?: CallOptions) =>
        guarded(async () =>
          typedUpload(await rpc.callClientStream(service, merged(options)), codec)
        );
    case "duplex":
      return (options?: CallOptions) =>
        guarded(async () => typedDuplex(await rpc.callDuplex(service, merged(options)), codec));
  }
}

function codecOf(
  service: string,
  { shape, response }: Method,
  failure: (error: unknown) => unknown,
): StreamCodec<unknown, unknown> {
  return {
    failure,
    encode: (value) => encodeJsonBody(value, `request of ${service}`),
    decode: (body) => {
      const read = readJsonBody(response, body);
      if (read.ok) return read.value;
      const what = shape === "unary" ? "typed call decode" : "typed stream decode";
      throw new RpcError(
        "codec_decode",
        `Cannot read answer of ${service}: ${what}: ${read.reason}`,
        {
          next: "look whether both sides have the same declaration of the service",
        },
      );
    },
  };
}

/** The declared error that an answer stands for; else the error itself. */
function declaredError({ errors }: ServiceDefinition<Methods>, error: unknown): unknown {
  if (!(error instanceof RpcError) || error.kind !== "server_error") return error;
  return errors.get(error.status ?? 0)?.read(error) ?? error;
}
