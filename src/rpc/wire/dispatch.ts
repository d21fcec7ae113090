/** What an nRPC frame is, and the flags and states it carries (`nrpc.md` 2, 4). */

/** First byte of a frame. */
export const Dispatch = {
  request: 0x10,
  response: 0x11,
  cancel: 0x12,
  deadlineExceeded: 0x13,
  streamGrant: 0x14,
  requestChunk: 0x15,
  requestGrant: 0x16,
  /** Part of a frame too long for one packet; between nodes of ours only (docs/rpc-bodies.md). */
  fragment: 0x20,
} as const;

/** Flags of requests and chunks; other bits are sent 0 and ignored. */
export const RpcFlag = {
  /** The caller expects a stream. */
  streamingResponse: 0x0002,
  /** There are trace headers. */
  trace: 0x0004,
  /** More request items follow. */
  clientStreaming: 0x0010,
  /** The last request item. */
  requestEnd: 0x0020,
} as const;

/** How a call went; numbers from {@linkcode APPLICATION_STATUS} on belong to applications. */
export const Status = {
  ok: 0,
  notFound: 1,
  unauthorized: 2,
  timeout: 3,
  backpressure: 4,
  cancelled: 5,
  internal: 6,
  /** Also a request that cannot be read. */
  unknownVersion: 7,
  capabilityDenied: 8,
  admissionDenied: 9,
  badRequest: 0x8000,
  handlerError: 0x8001,
} as const;

/** States from here on are the application's. */
export const APPLICATION_STATUS = 0x8000;

/** Names of headers that the protocol itself uses. */
export const HeaderName = {
  /** `continue` or `end` on each response of a stream. */
  streaming: "nrpc-streaming",
  /** Response items that the caller takes before it grants more; ASCII decimal. */
  streamWindow: "nrpc-stream-window-initial",
  /** Request items that the caller means to send before the server grants more; ASCII decimal. */
  requestWindow: "nrpc-request-window-initial",
  traceparent: "traceparent",
  tracestate: "tracestate",
  /** A predicate that the serving node may apply (`capabilities.md` 9). */
  where: "net-where",
  /** Milliseconds after which a refused call is worth another try; ASCII decimal, ours. */
  retryAfter: "net-retry-after-ms",
} as const;
