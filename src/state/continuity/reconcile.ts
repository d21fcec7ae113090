/**
 * What becomes of a chain that was written on two sides of a partition (`storage.md` 8). Both sides come to the
 * same answer from the same events, without talking: the longer rest wins; the other goes on as a fork.
 */
import { equalBytes } from "../../base/mod.ts";
import { xxh3 } from "../../core/crypto/mod.ts";
import {
  type AppendFault,
  type CausalEvent,
  type ChainFault,
  checkLink,
  type EntityLog,
} from "../causal/mod.ts";
import { RECONCILE_EVENTS_MAX } from "./limits.ts";

/** Which of the two. */
export type ReconcileSide = "ours" | "theirs";

/** What is to be done. */
export type ReconcileOutcome =
  | { readonly kind: "converged" }
  /** One side has all of the other and more. */
  | {
    readonly kind: "catchup";
    readonly behind: ReconcileSide;
    readonly missing: readonly CausalEvent[];
  }
  /** Both wrote. The loser's events go on as a fork at `divergeSequence`. */
  | {
    readonly kind: "conflict";
    /** First event that differs in number, parent or payload. */
    readonly divergeSequence: bigint;
    readonly winner: ReconcileSide;
    /** From the first event on that is not the same on both sides. */
    readonly winning: readonly CausalEvent[];
    readonly losing: readonly CausalEvent[];
  };

/** Why nothing can be said. */
export type ReconcileFault =
  | ChainFault
  /** The log does not have the event at the split: it was pruned, or never came. */
  | { readonly kind: "unknown_split"; readonly first: bigint; readonly last: bigint }
  | { readonly kind: "too_many_events"; readonly count: number };

/** What {@linkcode reconcile} found. */
export type Reconciled =
  | { readonly ok: true; readonly outcome: ReconcileOutcome }
  | { readonly ok: false; readonly fault: ReconcileFault };

/**
 * Compares a log with the events of the other side.
 *
 * @param theirs A chain that starts with the number behind `split`; not trusted, at most 100,000 events.
 * @param split Last number that both had before they were parted.
 */
export function reconcile(
  log: EntityLog,
  theirs: readonly CausalEvent[],
  split: bigint,
): Reconciled {
  const fault = checkTheirs(log, theirs, split);
  if (fault !== undefined) return { ok: false, fault };
  return { ok: true, outcome: compare(log.after(split), theirs) };
}

/**
 * Makes a log what the outcome says: catches up, or replaces what lost.
 *
 * @returns Events that another chain took the place of; they are what a fork begins with. A fault when the log is
 * not any more as it was.
 */
export function applyOutcome(
  log: EntityLog,
  outcome: ReconcileOutcome,
):
  | { readonly ok: true; readonly replaced: readonly CausalEvent[] }
  | { readonly ok: false; readonly fault: AppendFault } {
  const added = outcome.kind === "catchup" && outcome.behind === "ours"
    ? outcome.missing
    : outcome.kind === "conflict" && outcome.winner === "theirs"
    ? outcome.winning
    : [];
  const first = added[0];
  if (first === undefined) return { ok: true, replaced: [] };
  const replaced = log.truncateAfter(first.link.sequence - 1n);
  for (const event of added) {
    const fault = log.append(event);
    if (fault === undefined) continue;
    log.truncateAfter(first.link.sequence - 1n);
    for (const event of replaced) log.append(event);
    return { ok: false, fault };
  }
  return { ok: true, replaced };
}

function checkTheirs(
  log: EntityLog,
  theirs: readonly CausalEvent[],
  split: bigint,
): ReconcileFault | undefined {
  if (theirs.length > RECONCILE_EVENTS_MAX) {
    return { kind: "too_many_events", count: theirs.length };
  }
  const atSplit = log.at(split);
  if (atSplit === undefined) {
    return {
      kind: "unknown_split",
      first: log.base.link.sequence,
      last: log.head.link.sequence,
    };
  }
  let before: CausalEvent | undefined;
  for (const event of theirs) {
    const fault = before === undefined
      ? log.checkNext(atSplit, event.link)
      : checkLink(before, event.link);
    if (fault !== undefined) return fault;
    before = event;
  }
  return undefined;
}

function compare(ours: readonly CausalEvent[], theirs: readonly CausalEvent[]): ReconcileOutcome {
  const common = Math.min(ours.length, theirs.length);
  let same = 0;
  while (
    same < common && isSamePlace(ours[same], theirs[same]) &&
    isSameHorizon(ours[same], theirs[same])
  ) {
    same += 1;
  }
  if (same === common) {
    if (ours.length === theirs.length) return { kind: "converged" };
    return ours.length > theirs.length
      ? { kind: "catchup", behind: "theirs", missing: ours.slice(same) }
      : { kind: "catchup", behind: "ours", missing: theirs.slice(same) };
  }
  // The Rust core does not look at horizons: it sees a difference in one only in the parent of the next event.
  // Who wins is decided where it sees the two part, so that both kinds of nodes decide alike.
  const isVisible = (index: number) => !isSamePlace(ours[index], theirs[index]);
  const diverge = isVisible(same) || same + 1 >= common ? same : same + 1;
  const winner = winnerAt(diverge, ours, theirs);
  const [winning, losing] = winner === "ours" ? [ours, theirs] : [theirs, ours];
  return {
    kind: "conflict",
    divergeSequence: ours[diverge]?.link.sequence ?? 0n,
    winner,
    winning: winning.slice(same),
    losing: losing.slice(same),
  };
}

function winnerAt(
  index: number,
  ours: readonly CausalEvent[],
  theirs: readonly CausalEvent[],
): ReconcileSide {
  if (ours.length !== theirs.length) return ours.length > theirs.length ? "ours" : "theirs";
  const our = ours[index];
  const their = theirs[index];
  if (our === undefined || their === undefined) return "ours";
  const order = compareNumbers(xxh3(our.payload), xxh3(their.payload)) ||
    compareBytes(our.payload, their.payload) ||
    compareNumbers(our.link.parent, their.link.parent) ||
    compareNumbers(our.link.sequence, their.link.sequence) ||
    compareNumbers(our.link.horizon, their.link.horizon);
  return order <= 0 ? "ours" : "theirs";
}

function isSamePlace(our: CausalEvent | undefined, their: CausalEvent | undefined): boolean {
  return our !== undefined && their !== undefined && our.link.sequence === their.link.sequence &&
    our.link.parent === their.link.parent && equalBytes(our.payload, their.payload);
}

function isSameHorizon(our: CausalEvent | undefined, their: CausalEvent | undefined): boolean {
  return our?.link.horizon === their?.link.horizon;
}

function compareNumbers(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const common = Math.min(left.length, right.length);
  for (let index = 0; index < common; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
