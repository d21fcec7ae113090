/**
 * What tools need of remote calls: serve a name, call a name. The calls themselves (`nrpc.md`) are made
 * elsewhere and handed in.
 */

/** Status of a call that went well. */
export const STATUS_OK = 0;

/** Status of a typed service that could not read the request. */
export const STATUS_BAD_REQUEST = 0x8000;

/** Status of a typed service whose handler failed. */
export const STATUS_HANDLER_ERROR = 0x8001;

/** One reply: a body, or a text that says why not when the status is not 0. */
export interface RpcReply {
  readonly status: number;
  readonly body: Uint8Array;
}

/** What a handler knows of the call it serves. */
export interface RpcCallContext {
  /** Node that calls. */
  readonly caller: bigint;
  readonly callId: bigint;
  /** Aborted when the caller cancels, vanishes or its deadline passes. */
  readonly signal: AbortSignal;
}

/** Answers with one reply. */
export type RpcHandler = (body: Uint8Array, context: RpcCallContext) => Promise<RpcReply>;

/** Answers with any number of bodies. */
export type RpcStreamHandler = (
  body: Uint8Array,
  context: RpcCallContext,
) => AsyncIterable<Uint8Array>;

/** Options of a call. */
export interface RpcCallOptions {
  /** Node to call; any that offers the service when left out. */
  readonly target?: bigint;
  /** Ends the call on both sides. */
  readonly signal?: AbortSignal;
}

/** Remote calls, as far as tools need them. */
export interface RpcPort {
  /**
   * Serves a name from now on; the result ends that.
   *
   * @throws NetError `conflict` when the name is served already.
   */
  serve(service: string, handler: RpcHandler): () => void;
  /** Like `serve` for calls that are answered with a stream. */
  serveStream(service: string, handler: RpcStreamHandler): () => void;
  /**
   * One request, one reply.
   *
   * @throws NetError when no reply came.
   */
  call(service: string, body: Uint8Array, options?: RpcCallOptions): Promise<RpcReply>;
  /**
   * One request, a stream of bodies; leaving the loop cancels the call.
   *
   * @throws NetError when the stream broke.
   */
  callStream(
    service: string,
    body: Uint8Array,
    options?: RpcCallOptions,
  ): AsyncIterable<Uint8Array>;
}
