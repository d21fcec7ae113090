/** What goes wrong with causal state, where it is a fault of the caller or of what was stored. */
import { type ErrorCode, NetError } from "../../base/mod.ts";

const CODES = {
  /** A chain has no number left. */
  sequence_overflow: "limit",
  /** A payload, a state or bindings are too long for their length field. */
  too_large: "limit",
  /** A snapshot does not fit the entity or the log it is meant for. */
  snapshot: "integrity",
  /** An origin was followed twice, or one too many. */
  origin: "usage",
} as const satisfies Record<string, ErrorCode>;

/** Kinds of {@linkcode CausalError}. */
export type CausalErrorKind = keyof typeof CODES;

/** A call on causal state that failed. What others sent is answered with a fault, not with this. */
export class CausalError extends NetError {
  readonly kind: CausalErrorKind;

  constructor(kind: CausalErrorKind, message: string, next: string) {
    super(CODES[kind], message, { next, data: { kind } });
    this.kind = kind;
  }
}
