/**
 * What a call can fail with (`nrpc.md` 12): one kind, kept across the wire, and the code that the rest of the
 * program knows it by.
 */
import { type ErrorCode, NetError } from "../base/mod.ts";
import { Status } from "./wire/mod.ts";

/** What went wrong. */
export type RpcErrorKind =
  | "no_route"
  | "timeout"
  | "server_error"
  | "transport"
  | "codec_encode"
  | "codec_decode"
  | "capability_denied"
  | "cancelled"
  | "breaker_open"
  | "serve_failed"
  | "backpressure"
  | "too_large";

/** Facts of an {@linkcode RpcError}. */
export interface RpcErrorDetails {
  /** What the other side answered with; set for `server_error`, and where it answered at all. */
  readonly status?: number;
  /** Body of the answer, when it is more than a text. */
  readonly body?: Uint8Array;
  /** Milliseconds after which it is worth another try. */
  readonly retryAfterMs?: number;
  /** Node that was called, or would have been. */
  readonly target?: bigint;
  /** The tag that was asked for, with `capability_denied`. */
  readonly capability?: string;
  /** Milliseconds that were waited, with `timeout`. */
  readonly elapsedMs?: number;
  readonly cause?: unknown;
  /** What to do now. */
  readonly next?: string;
}

/** A call that failed. */
export class RpcError extends NetError {
  readonly kind: RpcErrorKind;
  readonly status: number | undefined;
  readonly body: Uint8Array | undefined;
  readonly retryAfterMs: number | undefined;
  readonly target: bigint | undefined;
  readonly capability: string | undefined;
  readonly elapsedMs: number | undefined;

  constructor(kind: RpcErrorKind, message: string, details: RpcErrorDetails = {}) {
    const { status, retryAfterMs, target, capability, elapsedMs } = details;
    super(codeOf(kind, status), message, {
      cause: details.cause,
      next: details.next,
      data: {
        kind,
        ...(status === undefined ? {} : { status }),
        ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
        ...(target === undefined ? {} : { target: target.toString(16).padStart(16, "0") }),
        ...(capability === undefined ? {} : { capability }),
        ...(elapsedMs === undefined ? {} : { elapsed_ms: elapsedMs }),
      },
    });
    this.kind = kind;
    this.status = status;
    this.body = details.body;
    this.retryAfterMs = retryAfterMs;
    this.target = target;
    this.capability = capability;
    this.elapsedMs = elapsedMs;
  }

  /**
   * The text that bindings of the Rust core give errors of this kind (`nrpc.md` 12). Kinds that they have no text
   * for are told as the nearest that they have: an overloaded server has answered with its status, a call that
   * this node has no room for found no way, and a body that is too large cannot be encoded for its peer.
   */
  get bindingText(): string {
    const { kind, status, message } = this;
    if (kind === "timeout") return `nrpc:timeout: elapsed_ms=${this.elapsedMs ?? 0}`;
    if (kind === "server_error" || (kind === "backpressure" && status !== undefined)) {
      const digits = (status ?? Status.internal).toString(16).padStart(4, "0");
      return `nrpc:server_error: status=0x${digits} message=${message}`;
    }
    return `nrpc:${BINDING_KINDS[kind] ?? kind}: ${message}`;
  }
}

/**
 * What a handler throws to choose the status of its answer; anything else it throws is answered as
 * internal.
 */
export class RpcStatusError extends Error {
  override readonly name = "RpcStatusError";
  readonly status: number;
  /** Body of the answer; the message in UTF-8 when left out. */
  readonly body: Uint8Array | undefined;

  /**
   * @param status 1 to 65535; from 0x8000 on it is the application's own.
   * @throws RangeError when it is another number.
   */
  constructor(status: number, message: string, body?: Uint8Array) {
    if (!Number.isInteger(status) || status < 1 || status > 0xffff) {
      throw new RangeError(`Cannot answer with status ${status}: must be 1 to 65535`);
    }
    super(message);
    this.status = status;
    this.body = body;
  }
}

const CODES: Readonly<Record<RpcErrorKind, ErrorCode>> = {
  no_route: "unreachable",
  timeout: "timeout",
  server_error: "failed",
  transport: "unreachable",
  codec_encode: "usage",
  codec_decode: "failed",
  capability_denied: "not_allowed",
  cancelled: "failed",
  breaker_open: "unreachable",
  serve_failed: "conflict",
  backpressure: "backpressure",
  too_large: "limit",
};

/** Kinds of ours by the names of kinds that bindings know. */
const BINDING_KINDS: Partial<Record<RpcErrorKind, string>> = {
  backpressure: "transport",
  too_large: "codec_encode",
};

function codeOf(kind: RpcErrorKind, status: number | undefined): ErrorCode {
  if (kind !== "server_error") return CODES[kind];
  switch (status) {
    case Status.notFound:
      return "not_found";
    case Status.unauthorized:
    case Status.admissionDenied:
      return "not_allowed";
    case Status.timeout:
      return "timeout";
    case Status.badRequest:
      return "usage";
    default:
      return "failed";
  }
}
