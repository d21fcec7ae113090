/** Ways to a peer that were tried, as methods tell of them. */
import { idToHex } from "../../base/mod.ts";
import { formatAddress, type PathReport } from "../../core/transport/mod.ts";

/** One way. */
export interface PathRow {
  readonly kind: string;
  readonly outcome: string;
  readonly address: string | null;
  /** The coordinator of a punch, or the relay. */
  readonly via: string | null;
  readonly ms: number;
  readonly reason: string;
  /** Kind of failure. */
  readonly error: string | null;
}

/** Every way of a report, in the order they were tried. */
export function describePaths({ attempts }: PathReport): readonly PathRow[] {
  return attempts.map(({ kind, outcome, address, via, ms, reason, error }) => ({
    kind,
    outcome,
    address: address === undefined ? null : formatAddress(address),
    via: via === undefined ? null : idToHex(via),
    ms,
    reason,
    error: error ?? null,
  }));
}
