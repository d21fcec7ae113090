/** A call as observers are told of it (`nrpc.md` 15, `observer_invariants` of the golden vectors). */
import type { RpcCallEvent } from "./service_meter.ts";

/** How a call ended; only an error has a text. */
export type RpcObserverStatus =
  | { readonly kind: "ok" }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "timeout" }
  | { readonly kind: "canceled" };

/** One call that is over, on either side; the names are those of the document. */
export interface RpcObserverEvent {
  /** Node that called; this one, when the direction is outbound. */
  readonly caller: bigint;
  /** Node that answered, or should have. */
  readonly callee: bigint;
  readonly method: string;
  /** Whole milliseconds. */
  readonly latency_ms: number;
  readonly status: RpcObserverStatus;
  /** Bytes of the request's body; 0 when not known. */
  readonly request_bytes: number;
  /** Bytes of the response's body; 0 when not known. */
  readonly response_bytes: number;
  /** `outbound` at the caller, `inbound` at the server. */
  readonly direction: "outbound" | "inbound";
  /** Unix milliseconds when it was over; 0 before 1970. */
  readonly ts_unix_ms: number;
}

/** Hears of calls. A promise that it returns is waited for before the next event. */
export type RpcObserver = (event: RpcObserverEvent) => void | Promise<void>;

/** The event as observers get it. */
export function toObserverEvent(event: RpcCallEvent): RpcObserverEvent {
  return {
    caller: event.caller,
    callee: event.callee,
    method: event.method,
    latency_ms: toU32(event.latencyMs),
    status: event.outcome === "error"
      ? { kind: "error", message: event.error ?? "" }
      : { kind: event.outcome },
    request_bytes: toU32(event.requestBytes),
    response_bytes: toU32(event.responseBytes),
    direction: event.direction,
    ts_unix_ms: Math.max(0, Math.trunc(event.unixMs)),
  };
}

function toU32(value: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.trunc(value)));
}
