/** What goes wrong on the event bus. */
import { type ErrorCode, NetError } from "../../base/mod.ts";

const CODES = {
  backpressure: "backpressure",
  sampled: "backpressure",
  unrouted: "failed",
  shutting_down: "draining",
  serialization: "usage",
  config: "config_invalid",
  cursor: "usage",
  filter: "usage",
  /** May be tried again. */
  transient: "unreachable",
  /** The node that the events go to does not take them from this one. */
  not_allowed: "not_allowed",
  /** Trying again does not help. */
  fatal: "failed",
} as const satisfies Record<string, ErrorCode>;

/** Kinds of {@linkcode BusError}. */
export type BusErrorKind = keyof typeof CODES;

/** A call to the bus, or to the engine behind it, that failed. */
export class BusError extends NetError {
  readonly kind: BusErrorKind;

  constructor(
    kind: BusErrorKind,
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

  /** True when the same call may succeed later. */
  get isRetryable(): boolean {
    return this.kind === "transient" || this.kind === "backpressure";
  }
}
