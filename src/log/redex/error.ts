/** What goes wrong with a channel file. */
import { type ErrorCode, NetError } from "../../base/mod.ts";

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
