/** What goes wrong with a channel file. */
import { type ErrorCode, isNoSpace, NetError } from "../../base/mod.ts";
import { WAITING_MAX } from "./limits.ts";

const CODES = {
  payload_too_large: "limit",
  segment_offset_overflow: "limit",
  seq_out_of_range: "usage",
  seq_mismatch: "conflict",
  channel: "usage",
  config: "config_invalid",
  encode: "usage",
  decode: "integrity",
  unauthorized: "not_allowed",
  io: "failed",
  no_space: "no_space",
  closed: "failed",
  /** Another process, or another manager, has the folder. */
  locked: "data_dir_locked",
  /** So many files, tails or writers at once, and no more. */
  limit: "limit",
} as const satisfies Record<string, ErrorCode>;

/** Kinds of {@linkcode RedexError}; the names of `storage.md` 4. */
export type RedexErrorKind = keyof typeof CODES;

/** A call to a channel file that failed. */
export class RedexError extends NetError {
  readonly kind: RedexErrorKind;

  constructor(
    kind: RedexErrorKind,
    message: string,
    details: {
      readonly cause?: unknown;
      readonly next?: string;
      readonly data?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(CODES[kind], message, { ...details, data: { kind, ...details.data } });
    this.kind = kind;
  }
}

/**
 * Anything thrown by a file system as a {@linkcode RedexError}: `no_space` for a full disk, else `io`.
 *
 * @param action What was being done, for example `Cannot append to channel "a/b"`.
 */
export function toRedexError(error: unknown, action: string): RedexError {
  if (error instanceof RedexError) return error;
  if (isNoSpace(error)) {
    return new RedexError("no_space", `${action}: no space left on the device`, {
      cause: error,
      next: "free some space, then try again",
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new RedexError("io", `${action}: ${message}`, { cause: error });
}

/** Too many calls wait at once. */
export function tooMany(action: string, name: string): RedexError {
  return new RedexError(
    "limit",
    `Cannot ${action} channel "${name}": ${WAITING_MAX} calls wait, at most so many`,
    { next: "wait for answers before asking again" },
  );
}
