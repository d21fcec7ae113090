/**
 * Calls as programs make and serve them: the four shapes, what a handler knows, what a caller may ask for
 * (`nrpc.md` 6 to 11). Everything above the engines speaks in these terms.
 */
import type { Predicate, TraceContext } from "../core/capability/mod.ts";
import type { CancelToken, CancelTokens } from "./client/cancel_token.ts";
import type { CircuitBreaker, HedgeOptions, RetryOptions } from "./resilience/mod.ts";
import type { RpcHeader } from "./wire/mod.ts";

/** How many messages each side sends. */
export type CallShape = "unary" | "server_stream" | "client_stream" | "duplex";

/** What a handler knows of the call it serves. */
export interface RpcContext {
  readonly service: string;
  /** Node that calls; proven where the session is. */
  readonly caller: bigint;
  /** Origin hash of the caller. */
  readonly origin: bigint;
  readonly callId: bigint;
  readonly headers: readonly RpcHeader[];
  /** Unix milliseconds after which nobody waits for the answer; `undefined` without a deadline. */
  readonly deadlineMs: number | undefined;
  readonly trace: TraceContext | undefined;
  /** Aborted when the caller cancels or vanishes, the deadline passes, or the node stops. */
  readonly signal: AbortSignal;
}

/** Takes one body and gives one; what it throws is the answer's status (`RpcStatusError`), else internal. */
export type UnaryHandler = (
  body: Uint8Array,
  context: RpcContext,
) => Uint8Array | Promise<Uint8Array>;

/** Takes one body and gives any number; it is asked for the next when there is room for it. */
export type StreamHandler = (
  body: Uint8Array,
  context: RpcContext,
) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Takes any number of bodies and gives one; those it does not take earn the caller no credit. */
export type ClientStreamHandler = (
  items: AsyncIterable<Uint8Array>,
  context: RpcContext,
) => Uint8Array | Promise<Uint8Array>;

/** Takes and gives any number of bodies. */
export type DuplexHandler = (
  items: AsyncIterable<Uint8Array>,
  context: RpcContext,
) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Options of serving a name. */
export interface ServeOptions {
  /** Handlers that run at a time, over all callers; 32768 when left out. */
  readonly runningMax?: number;
  /** Handlers that run at a time for one caller; `runningMax` when left out, 16384 when both are. */
  readonly runningPerPeerMax?: number;
  /** Milliseconds a handler may take, 0 for ever; 60000 when left out. Streams: between two items. */
  readonly handlerTimeoutMs?: number;
  /** Items of an upload that the caller may send before the handler takes them; 64 when left out. */
  readonly requestWindow?: number;
  /** True for calls that go on until they are ended, such as those that watch: a drain does not wait for them. */
  readonly isOpenEnded?: boolean;
}

/** A name that is served. */
export interface ServeHandle extends AsyncDisposable {
  readonly service: string;
  readonly shape: CallShape;
  /** Handlers that run now. */
  readonly running: number;
  /**
   * Takes no more calls, and resolves when those that run have answered; `isPatient: false` cancels them, and
   * tells their callers `why`.
   */
  close(options?: { readonly isPatient?: boolean; readonly why?: string }): Promise<void>;
}

/** Which of the nodes that offer a service is asked. */
export type RoutingPolicy =
  | { readonly kind: "round_robin" }
  | { readonly kind: "random" }
  | { readonly kind: "sticky"; readonly key: bigint }
  | { readonly kind: "lowest_latency" };

/** Options of a call. */
export interface CallOptions {
  /** Node to call; any that offers the service when left out. */
  readonly target?: bigint;
  /** Milliseconds for the whole call; 30000 for a unary one when left out, none for streams. */
  readonly timeoutMs?: number;
  /** Ends the call on both sides. */
  readonly signal?: AbortSignal;
  /** Ends it as well; one token may cover many calls. */
  readonly cancelToken?: CancelToken;
  /** Sent behind those that the protocol adds. */
  readonly headers?: readonly RpcHeader[];
  readonly trace?: TraceContext;
  /** Handed to the handler as the header `net-where`. */
  readonly where?: Predicate;
  /** Among several nodes; `round_robin` when left out. */
  readonly routing?: RoutingPolicy;
  /** Peers that are given up are left out; true when left out. */
  readonly filterUnhealthy?: boolean;
  /** Response items that may wait for the reader; 256 when left out, at least 1. */
  readonly streamWindow?: number;
  /** Request items that leave before the server grants more; as many as it takes when left out. */
  readonly requestWindow?: number;
  /** The program grants credit itself, by `grant`. */
  readonly isManualGrant?: boolean;
  /** Called when the request begins to leave; as long as it was not, no handler can have run. Must not throw. */
  readonly onSent?: () => void;
  /**
   * Running twice does no harm: when the node that was picked stays silent, another one is asked as well. Without it
   * another one is asked only when no handler can have run.
   */
  readonly isIdempotent?: boolean;
  /** The call is made again when it fails for a while; streams until they are open. Once when left out. */
  readonly retry?: RetryOptions;
  /** Several nodes are asked, the first answer wins; unary calls only. */
  readonly hedge?: HedgeOptions;
  /** Refuses the call while what it calls keeps failing. */
  readonly breaker?: CircuitBreaker;
}

/** What every call with a stream in it can tell and do. */
export interface RpcStreamCall {
  readonly target: bigint;
  readonly callId: bigint;
  /** Ends the call on both sides; nothing happens once it is over. */
  cancel(reason?: unknown): void;
}

/** Bodies that the server sends; leaving the loop cancels the call. */
export interface RpcResponses extends RpcStreamCall, AsyncIterable<Uint8Array>, AsyncDisposable {
  /** The next body; `undefined` when there are no more. */
  read(): Promise<Uint8Array | undefined>;
  /** Lets the server send so many more; only with `isManualGrant`. */
  grant(credits: number): void;
}

/** Bodies that the caller sends. */
export interface RpcRequests {
  /** Sends one body, waiting while the server has no room. */
  send(body: Uint8Array): Promise<void>;
  /** Items that may leave now without waiting; `undefined` when the server does not limit them. */
  readonly credit: number | undefined;
}

/** A call that uploads a stream and is answered once. */
export interface ClientStreamCall extends RpcStreamCall, RpcRequests, AsyncDisposable {
  /** Says that this was all, and gives the answer; `last` is sent with it. */
  finish(last?: Uint8Array): Promise<Uint8Array>;
}

/** A call with a stream both ways; either half may be handed on. */
export interface DuplexCall extends RpcStreamCall, AsyncDisposable {
  readonly requests: RpcRequests & { finish(last?: Uint8Array): Promise<void> };
  readonly responses: RpcResponses;
}

/** Calls from and to this node. */
export interface Rpc {
  /**
   * Serves a name from now on, and says so to the mesh.
   *
   * @throws RpcError `serve_failed` when the name is served already, or is none.
   */
  serve(service: string, handler: UnaryHandler, options?: ServeOptions): ServeHandle;
  serveStream(service: string, handler: StreamHandler, options?: ServeOptions): ServeHandle;
  serveClientStream(
    service: string,
    handler: ClientStreamHandler,
    options?: ServeOptions,
  ): ServeHandle;
  serveDuplex(service: string, handler: DuplexHandler, options?: ServeOptions): ServeHandle;
  /**
   * One body, one answer.
   *
   * @throws RpcError when there is none; exactly one of both within the deadline.
   */
  call(service: string, body: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** One body, a stream of them; resolves when the request has left. */
  callStream(service: string, body: Uint8Array, options?: CallOptions): Promise<RpcResponses>;
  callClientStream(service: string, options?: CallOptions): Promise<ClientStreamCall>;
  callDuplex(service: string, options?: CallOptions): Promise<DuplexCall>;
  /** Nodes that offer a service now, by ascending id, this one included. */
  findServiceNodes(service: string): readonly bigint[];
  /** Tokens that end many calls at once, also those that are yet to be made; see `CallOptions.cancelToken`. */
  readonly cancelTokens: Pick<CancelTokens, "create" | "cancel">;
}
