/** Streams of typed calls at the caller: values in place of bodies (`nrpc.md` 13, promise N6). */
import { RpcError } from "../error.ts";
import type { ClientStreamCall, DuplexCall, RpcResponses, RpcStreamCall } from "../types.ts";

/** Values that the server sends; leaving the loop cancels the call. */
export interface TypedResponses<Item> extends RpcStreamCall, AsyncIterable<Item>, AsyncDisposable {
  /** The next value; `undefined` when there are no more. */
  read(): Promise<Item | undefined>;
  /** Lets the server send so many more; only with `isManualGrant`. */
  grant(credits: number): void;
}

/** Values that the caller sends. */
export interface TypedRequests<Item> {
  /**
   * Sends one value, waiting while the server has no room.
   *
   * @throws RpcError `codec_encode` when it is no JSON; the call goes on.
   */
  send(item: Item): Promise<void>;
  /** Items that may leave now without waiting; `undefined` when the server does not limit them. */
  readonly credit: number | undefined;
}

/** A call that uploads a stream and is answered once. */
export interface TypedUpload<Item, Response>
  extends RpcStreamCall, TypedRequests<Item>, AsyncDisposable {
  /** Says that this was all, and gives the answer; `last` is sent with it. */
  finish(...last: [] | [item: Item]): Promise<Response>;
}

/** A call with a stream both ways. */
export interface TypedDuplex<Input, Output> extends RpcStreamCall, AsyncDisposable {
  readonly requests: TypedRequests<Input> & {
    finish(...last: [] | [item: Input]): Promise<void>;
  };
  readonly responses: TypedResponses<Output>;
}

/** Turns values into bodies and back; both throw RpcError. */
export interface StreamCodec<Input, Output> {
  encode(item: Input): Uint8Array;
  decode(body: Uint8Array): Output;
  /** What is thrown for an error of the call. */
  failure(error: unknown): unknown;
}

/** Values of a stream of bodies. The first that cannot be read ends the call (promise N6). */
export function typedResponses<Item>(
  inner: RpcResponses,
  codec: Pick<StreamCodec<never, Item>, "decode" | "failure">,
): TypedResponses<Item> {
  const read = async () => {
    const body = await inner.read().catch((error) => Promise.reject(codec.failure(error)));
    if (body === undefined) return undefined;
    try {
      return codec.decode(body);
    } catch (error) {
      inner.cancel(error);
      throw error;
    }
  };
  return {
    get target() {
      return inner.target;
    },
    get callId() {
      return inner.callId;
    },
    cancel: (reason) => inner.cancel(reason),
    grant: (credits) => inner.grant(credits),
    read,
    async *[Symbol.asyncIterator]() {
      try {
        for (let item = await read(); item !== undefined; item = await read()) yield item;
      } finally {
        inner.cancel();
      }
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

/** An upload of values. */
export function typedUpload<Item, Response>(
  inner: ClientStreamCall,
  codec: StreamCodec<Item, Response>,
): TypedUpload<Item, Response> {
  return {
    target: inner.target,
    callId: inner.callId,
    cancel: (reason) => inner.cancel(reason),
    get credit() {
      return inner.credit;
    },
    send: (item) => told(codec, async () => await inner.send(codec.encode(item))),
    finish: (...last) =>
      told(codec, async () => {
        const [body] = last.map((item) => codec.encode(item));
        return codec.decode(await inner.finish(body));
      }),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

/** A duplex call with values. */
export function typedDuplex<Input, Output>(
  inner: DuplexCall,
  codec: StreamCodec<Input, Output>,
): TypedDuplex<Input, Output> {
  return {
    target: inner.target,
    callId: inner.callId,
    cancel: (reason) => inner.cancel(reason),
    requests: {
      get credit() {
        return inner.requests.credit;
      },
      send: (item) => told(codec, async () => await inner.requests.send(codec.encode(item))),
      finish: (...last) =>
        told(codec, async () => {
          const [body] = last.map((item) => codec.encode(item));
          await inner.requests.finish(body);
        }),
    },
    responses: typedResponses(inner.responses, codec),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

async function told<T>(
  codec: Pick<StreamCodec<never, unknown>, "failure">,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof RpcError ? codec.failure(error) : error;
  }
}
