/** What goes wrong with a database: messages begin with `netdb:`, or `cortex:` where a fold is the reason. */
import { type ErrorCode, NetError, type NetErrorOptions } from "../../base/mod.ts";

const CODES = {
  /** A database without any model or collection. */
  no_models: "config_invalid",
  /** A bundle that cannot be read. */
  decode: "integrity",
  /** There are rows where a bundle is to be restored. */
  populated: "conflict",
  /** A collection's definition that cannot be used. */
  definition: "config_invalid",
  /** A row that its schema refuses. */
  row: "usage",
  /** A filter that cannot be used. */
  filter: "usage",
  not_found: "not_found",
  limit: "limit",
  /** A fold could not be opened, or has stopped. */
  fold: "failed",
} as const satisfies Record<string, ErrorCode>;

const NEXT: Partial<Record<NetDbErrorKind, string>> = {
  no_models: "enable tasks, memories or workflow, or define a collection",
  decode: "take another copy of the snapshot",
  populated: "restore into an empty folder, or with --force, which replaces what is there",
  fold: "read what stopped the fold, mend it, and open the database again",
};

/** Kinds of {@linkcode NetDbError}. */
export type NetDbErrorKind = keyof typeof CODES;

/** A call to a database that failed. */
export class NetDbError extends NetError {
  readonly kind: NetDbErrorKind;

  constructor(kind: NetDbErrorKind, message: string, options: NetErrorOptions = {}) {
    super(CODES[kind], `${kind === "fold" ? "cortex" : "netdb"}: ${message}`, {
      next: NEXT[kind],
      ...options,
      data: { kind, ...options.data },
    });
    this.kind = kind;
  }
}
