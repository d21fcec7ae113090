/** Methods of typed services: the shape of the call, and what goes each way (`nrpc.md` 13). */
import type * as v from "../../schema/mod.ts";

/** Any schema; it is the JSON on the wire that it describes. */
export type BodySchema = v.GenericSchema;

/** What a sender hands over: the schema's input, which is what travels. */
export type Sent<Schema extends BodySchema> = v.InferInput<Schema>;

/** What a receiver gets: the schema's output. */
export type Received<Schema extends BodySchema> = v.InferOutput<Schema>;

/** One request, one response. */
export interface UnaryMethod<Request extends BodySchema, Response extends BodySchema> {
  readonly shape: "unary";
  readonly request: Request;
  readonly response: Response;
}

/** One request, a stream of items. */
export interface ServerStreamMethod<Request extends BodySchema, Item extends BodySchema> {
  readonly shape: "server_stream";
  readonly request: Request;
  readonly response: Item;
}

/** A stream of items, one response. */
export interface ClientStreamMethod<Item extends BodySchema, Response extends BodySchema> {
  readonly shape: "client_stream";
  readonly request: Item;
  readonly response: Response;
}

/** A stream of items each way. */
export interface DuplexMethod<Input extends BodySchema, Output extends BodySchema> {
  readonly shape: "duplex";
  readonly request: Input;
  readonly response: Output;
}

/** A method of any shape. */
export type Method =
  | UnaryMethod<BodySchema, BodySchema>
  | ServerStreamMethod<BodySchema, BodySchema>
  | ClientStreamMethod<BodySchema, BodySchema>
  | DuplexMethod<BodySchema, BodySchema>;

/** Declares a method that takes one request and gives one response. */
export function unary<Request extends BodySchema, Response extends BodySchema>(
  request: Request,
  response: Response,
): UnaryMethod<Request, Response> {
  return { shape: "unary", request, response };
}

/** Declares a method that takes one request and gives a stream of items. */
export function serverStream<Request extends BodySchema, Item extends BodySchema>(
  request: Request,
  item: Item,
): ServerStreamMethod<Request, Item> {
  return { shape: "server_stream", request, response: item };
}

/** Declares a method that takes a stream of items and gives one response. */
export function clientStream<Item extends BodySchema, Response extends BodySchema>(
  item: Item,
  response: Response,
): ClientStreamMethod<Item, Response> {
  return { shape: "client_stream", request: item, response };
}

/** Declares a method that takes and gives a stream of items. */
export function duplex<Input extends BodySchema, Output extends BodySchema>(
  input: Input,
  output: Output,
): DuplexMethod<Input, Output> {
  return { shape: "duplex", request: input, response: output };
}
