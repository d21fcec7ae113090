/** What goes wrong with a folded log (`storage.md` 5 and 9). */
import { type ErrorCode, NetError, type NetErrorOptions } from "../../base/mod.ts";

const CODES = {
  timeout: "timeout",
  wrong_origin: "usage",
  queue_full: "backpressure",
  stopped: "failed",
  closed: "failed",
  snapshot: "integrity",
} as const satisfies Record<string, ErrorCode>;

const NEXT: Readonly<Record<CortexErrorKind, string>> = {
  timeout: "wait longer, or ask the fold how far it has come",
  wrong_origin: "wait at the fold whose origin wrote the token",
  queue_full: "wait for fewer writes at a time, or for the last one of several",
  stopped: "read the fold's failure, mend what it names, and open the fold again",
  closed: "open the fold again",
  snapshot: "restore another snapshot, or open the log without one",
};

/** Kinds of {@linkcode CortexError}. */
export type CortexErrorKind = keyof typeof CODES;

/** A call to a folded log that failed. */
export class CortexError extends NetError {
  readonly kind: CortexErrorKind;

  constructor(kind: CortexErrorKind, message: string, options: NetErrorOptions = {}) {
    super(CODES[kind], message, {
      next: NEXT[kind],
      ...options,
      data: { kind, ...options.data },
    });
    this.kind = kind;
  }
}
