/**
 * Headers of a request: what the protocol adds, then the caller's own (`nrpc.md` 10). They are checked before
 * any byte is written, as a frame once begun has to be finished.
 */
import { createPredicateHeader, traceHeaders } from "../../core/capability/mod.ts";
import type { CallOptions } from "../types.ts";
import {
  CREDITS_MAX,
  HEADER_NAME_BYTES_MAX,
  HEADER_VALUE_BYTES_MAX,
  HEADERS_MAX,
  NO_HEADERS,
  type RpcHeader,
  textHeader,
  utf8Length,
} from "../wire/mod.ts";

/**
 * The headers that options ask for.
 *
 * @param windows Those of the call's shape.
 * @throws RangeError or NetError `limit` when they do not fit.
 */
export function requestHeaders(
  options: CallOptions,
  windows: readonly RpcHeader[] = NO_HEADERS,
): readonly RpcHeader[] {
  const { trace, where, headers: own = NO_HEADERS } = options;
  if (trace === undefined && where === undefined && own.length === 0) return windows;
  const headers = [...windows];
  if (trace !== undefined) {
    for (const [name, value] of traceHeaders(trace)) headers.push(textHeader(name, value));
  }
  if (where !== undefined) {
    const [name, value] = createPredicateHeader(where);
    headers.push({ name, value });
  }
  headers.push(...own);
  check(headers);
  return headers;
}

/** The header that says how many items may come before more are granted. */
export function windowHeader(name: string, window: number): RpcHeader {
  return textHeader(name, String(window));
}

/** @throws RangeError when a window is none; without one nothing could ever be sent. */
export function checkWindow(what: "stream" | "request", window: number | undefined): void {
  if (window === undefined) return;
  if (!Number.isInteger(window) || window < 1 || window > CREDITS_MAX) {
    throw new RangeError(`its ${what} window is ${window}, must be 1 to ${CREDITS_MAX}`);
  }
}

function check(headers: readonly RpcHeader[]): void {
  if (headers.length > HEADERS_MAX) {
    throw new RangeError(`there are ${headers.length} headers, must be at most ${HEADERS_MAX}`);
  }
  for (const { name, value } of headers) {
    const nameBytes = utf8Length(name);
    if (nameBytes < 1 || nameBytes > HEADER_NAME_BYTES_MAX) {
      throw new RangeError(
        `a header's name has ${nameBytes} bytes, must be 1 to ${HEADER_NAME_BYTES_MAX}`,
      );
    }
    if (value.length > HEADER_VALUE_BYTES_MAX) {
      throw new RangeError(
        `header ${name} has ${value.length} bytes, must be at most ${HEADER_VALUE_BYTES_MAX}`,
      );
    }
  }
}
