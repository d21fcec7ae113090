/** The caller's side of nRPC (`nrpc.md` 5 to 10). */
export {
  type Cancellable,
  type CancelToken,
  CancelTokens,
  NO_CANCEL_TOKEN,
} from "./cancel_token.ts";
export * from "./deps.ts";
export {
  CALLS_PENDING_MAX,
  CANCEL_KEPT_MS,
  ITEM_GAP_MS,
  REQUEST_WINDOW,
  STREAM_WINDOW,
  UNARY_TIMEOUT_MS,
} from "./limits.ts";
export * from "./rpc_client.ts";
