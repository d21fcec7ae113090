/** What a failure says about another try: by the same node later, or by another one now (`nrpc.md` 14). */
import { RpcError } from "../error.ts";
import { Status } from "../wire/mod.ts";

/**
 * True when the same call may go well later: Timeout, Transport, and of the server's own answers Internal,
 * Backpressure and Timeout. A handler may have run, also in full.
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  switch (error.kind) {
    case "timeout":
    case "transport":
    case "backpressure":
      return true;
    case "server_error":
      return error.status === Status.internal || error.status === Status.backpressure ||
        error.status === Status.timeout;
    default:
      return false;
  }
}

/**
 * True when a node refused a call that had been sent to it, and no handler ran, so that another node may be asked:
 * it is busy (status 4), its gate keeps this node out, or there is no way to it.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  return error.kind === "no_route" || error.kind === "capability_denied" ||
    error.status === Status.backpressure;
}

/** True when the caller gave the call up, or what it asks can be sent to nobody: another node changes nothing. */
export function isOwnFault(error: unknown): boolean {
  return !(error instanceof RpcError) || error.kind === "cancelled" ||
    error.kind === "codec_encode" || error.kind === "breaker_open";
}
