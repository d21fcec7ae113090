/**
 * The one error type of `net`: a stable code, what failed, and what to do next.
 *
 * The table below is the only place that knows which exit code, HTTP status and JSON-RPC number a
 * code maps to (`decisions.md` 7, `validation.md` 2).
 */

/** How one error code shows itself outside the program. */
export interface ErrorFace {
  /** Process exit code. */
  readonly exit: number;
  /** HTTP status. */
  readonly http: number;
  /** JSON-RPC error number. */
  readonly rpc: number;
}

/** Every code with its faces; codes are stable, new ones are only added. */
export const ERROR_FACES = {
  failed: { exit: 1, http: 500, rpc: -32603 },
  internal: { exit: 1, http: 500, rpc: -32603 },
  usage: { exit: 2, http: 400, rpc: -32602 },
  config_invalid: { exit: 2, http: 400, rpc: -32602 },
  ticket_invalid: { exit: 2, http: 400, rpc: -32602 },
  ticket_expired: { exit: 2, http: 400, rpc: -32602 },
  data_dir_unusable: { exit: 2, http: 500, rpc: -32603 },
  data_dir_locked: { exit: 3, http: 409, rpc: -32005 },
  conflict: { exit: 1, http: 409, rpc: -32005 },
  address_in_use: { exit: 3, http: 409, rpc: -32005 },
  already_running: { exit: 3, http: 409, rpc: -32005 },
  network: { exit: 3, http: 502, rpc: -32603 },
  not_found: { exit: 4, http: 404, rpc: -32004 },
  not_allowed: { exit: 5, http: 403, rpc: -32003 },
  handshake_refused: { exit: 5, http: 403, rpc: -32003 },
  unreachable: { exit: 6, http: 503, rpc: -32002 },
  not_running: { exit: 6, http: 503, rpc: -32002 },
  not_ready: { exit: 6, http: 503, rpc: -32002 },
  draining: { exit: 6, http: 503, rpc: -32000 },
  timeout: { exit: 7, http: 504, rpc: -32603 },
  declined: { exit: 8, http: 409, rpc: -32005 },
  integrity: { exit: 9, http: 502, rpc: -32603 },
  limit: { exit: 12, http: 429, rpc: -32001 },
  no_space: { exit: 12, http: 507, rpc: -32603 },
  backpressure: { exit: 12, http: 429, rpc: -32001 },
} as const satisfies Record<string, ErrorFace>;

/** A stable, machine-readable error code. */
export type ErrorCode = keyof typeof ERROR_FACES;

/** What to do after an error of a node that stops. */
export const STOPPING_NEXT = "start the node again with net node start, then repeat the command";

/** Options of {@linkcode NetError}. */
export interface NetErrorOptions {
  /** What made it fail. */
  readonly cause?: unknown;
  /** What the user can do now: one sentence, no full stop, shown behind `next:`. */
  readonly next?: string;
  /** Facts for programs; must be plain JSON and free of secrets. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/**
 * An expected failure.
 *
 * @example
 * ```ts
 * import { NetError } from "./errors.ts";
 * const error = new NetError("not_found", "Cannot read blob: no peer has it", {
 *   next: "connect to a node that holds it with net node start --join",
 * });
 * console.assert(error.exitCode === 4);
 * ```
 */
export class NetError extends Error {
  override readonly name = "NetError";
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: NetErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next;
    this.data = options.data;
  }

  /** Process exit code of this error's code. */
  get exitCode(): number {
    return ERROR_FACES[this.code].exit;
  }
}

/** True when `value` names a known error code. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_FACES, value);
}

/**
 * Turns anything thrown into a {@linkcode NetError}; aborts become `timeout` or `failed`, a full disk
 * becomes `no_space`.
 *
 * @param action What was being done, for example `Cannot store blob`.
 */
export function toNetError(error: unknown, action: string): NetError {
  if (error instanceof NetError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new NetError("timeout", `${action}: timed out`, { cause: error });
  }
  if (isNoSpace(error)) {
    return new NetError("no_space", `${action}: no space left on the device`, {
      cause: error,
      next: "free some space or choose another --data-dir, then repeat the command",
    });
  }
  return new NetError("failed", `${action}: ${message}`, { cause: error });
}

/** True when a path leads to nothing: no such file, or a file where a folder should be. */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

/** True for "no space left" and "quota exceeded" errors of the operating system. */
export function isNoSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  return code === "ENOSPC" || code === "EDQUOT" ||
    /os error (28|122)\b|SQLITE_FULL|disk is full/.test(error.message);
}
