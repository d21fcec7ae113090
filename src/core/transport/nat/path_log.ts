/** The ways tried so far, as they go into a report. */
import type { Clock } from "../../../base/mod.ts";
import type { NatError, NatErrorKind, PathAttempt, PathKind } from "./types.ts";
import type { SocketAddress } from "../types.ts";

/** One way being tried. */
export interface OpenAttempt {
  /** @param address Where the peer was found, if that is not where it was looked for. */
  connected(reason: string, address?: SocketAddress): void;
  failed(error: NatError): void;
}

/** Keeps attempts in order, each with the time it took. */
export class PathLog {
  readonly attempts: PathAttempt[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins a way; one of the result's functions ends it. */
  begin(
    kind: PathKind,
    where: { readonly address?: SocketAddress; readonly via?: bigint },
  ): OpenAttempt {
    const startedAt = this.#clock.now();
    const add = (
      outcome: PathAttempt["outcome"],
      reason: string,
      address: SocketAddress | undefined,
      error: NatErrorKind | undefined,
    ) => {
      const ms = Math.round(this.#clock.now() - startedAt);
      this.attempts.push({ kind, outcome, address, via: where.via, ms, reason, error });
    };
    return {
      connected: (reason, address) => add("connected", reason, address ?? where.address, undefined),
      failed: ({ message, kind }) => add("failed", message, where.address, kind),
    };
  }

  /** Notes a way that could not be tried. */
  skip(kind: PathKind, error: NatErrorKind, reason: string): void {
    this.attempts.push({
      kind,
      outcome: "skipped",
      address: undefined,
      via: undefined,
      ms: 0,
      reason,
      error,
    });
  }
}
