/** What a handler threw, as the answer that carries it (`nrpc.md` 12, 13). */
import { type ErrorCode, NetError } from "../../base/mod.ts";
import { RpcError, RpcStatusError } from "../error.ts";
import { Status } from "../wire/mod.ts";

/**
 * Codes of this program that have a status of their own: the caller's error has the same code again. Not among them
 * is backpressure: its status says that no handler ran, so that another node may be asked.
 */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  usage: Status.badRequest,
  not_found: Status.notFound,
  not_allowed: Status.unauthorized,
  timeout: Status.timeout,
};

/**
 * The status error that tells of anything a handler threw. An answer of another service that the handler called and
 * did not catch is passed on as it is.
 */
export function answeredError(error: unknown): RpcStatusError {
  if (error instanceof RpcStatusError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof RpcError && error.kind === "server_error" && error.status !== undefined) {
    return new RpcStatusError(error.status, text, error.body);
  }
  return new RpcStatusError(statusOf(error), text);
}

function statusOf(error: unknown): number {
  // What this side cannot encode is no fault of the caller.
  const isOwnFault = error instanceof RpcError && error.kind === "codec_encode";
  const status = error instanceof NetError && !isOwnFault ? STATUSES[error.code] : undefined;
  return status ?? Status.handlerError;
}
