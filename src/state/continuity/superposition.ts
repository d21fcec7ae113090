/**
 * An entity while it moves, seen from outside (`storage.md` 8, `compute.md` 7.9): where it is, whether it is in
 * two places, and what the target still has to replay.
 */
import type { CausalLink } from "../causal/mod.ts";
import type { ContinuityProof } from "./proof.ts";

/** Steps of a migration. */
export type MigrationPhase =
  | "snapshot"
  | "transfer"
  | "restore"
  | "replay"
  | "cutover"
  | "complete";

/** What an observer sees of it. */
export type SuperpositionPhase =
  /** On the source alone. */
  | "localized"
  /** The target is being set up. */
  | "spreading"
  /** In both places; the source decides. */
  | "superposed"
  /** The target has caught up. */
  | "ready_to_collapse"
  /** The target decides. */
  | "collapsed"
  /** On the target alone. */
  | "resolved";

const SEEN_AS: Readonly<Record<MigrationPhase, SuperpositionPhase>> = {
  snapshot: "localized",
  transfer: "spreading",
  restore: "spreading",
  replay: "superposed",
  cutover: "collapsed",
  complete: "resolved",
};

const ORDER: readonly SuperpositionPhase[] = [
  "localized",
  "spreading",
  "superposed",
  "ready_to_collapse",
  "collapsed",
  "resolved",
];

/** How a step of a migration is seen. */
export function superpositionOf(phase: MigrationPhase): SuperpositionPhase {
  return SEEN_AS[phase];
}

/** One entity on its way. */
export class Superposition {
  #sourceHead: CausalLink;
  #targetHead: CausalLink;
  #phase: SuperpositionPhase = "localized";

  /** @param sourceHead Head of the source's chain when the snapshot was taken. */
  constructor(sourceHead: CausalLink) {
    this.#sourceHead = sourceHead;
    this.#targetHead = sourceHead;
  }

  get origin(): bigint {
    return this.#sourceHead.origin;
  }

  get phase(): SuperpositionPhase {
    return this.#phase;
  }

  get sourceHead(): CausalLink {
    return this.#sourceHead;
  }

  get targetHead(): CausalLink {
    return this.#targetHead;
  }

  /** True while both nodes hold the entity. */
  get isSuperposed(): boolean {
    return this.#phase === "superposed" || this.#phase === "ready_to_collapse";
  }

  /** True once the target decides. */
  get isCollapsed(): boolean {
    return this.#phase === "collapsed" || this.#phase === "resolved";
  }

  /** Events that the target still has to replay. */
  get replayGap(): bigint {
    const gap = this.#sourceHead.sequence - this.#targetHead.sequence;
    return gap > 0n ? gap : 0n;
  }

  /** A migration reached a step; it never goes back, and readiness that was seen before stays. */
  advance(phase: MigrationPhase): void {
    const seen = superpositionOf(phase);
    if (ORDER.indexOf(seen) > ORDER.indexOf(this.#phase)) this.#phase = seen;
  }

  /** The source wrote on; a target that was ready is behind again. */
  sourceAdvanced(head: CausalLink): void {
    this.#sourceHead = head;
    if (this.#phase === "ready_to_collapse" && this.replayGap > 0n) this.#phase = "superposed";
  }

  /** The target replayed up to here. */
  targetReplayed(head: CausalLink): void {
    this.#targetHead = head;
    const isUnderway = this.#phase === "spreading" || this.#phase === "superposed";
    if (isUnderway && this.replayGap === 0n) this.#phase = "ready_to_collapse";
  }

  /**
   * What proves the chain across the move, from the event before the lower head to that before the higher one: a
   * head has the hash of the event before it, and its own payload is not here. `undefined` while the lower one is
   * event 0 or 1: event 0 is in no log to verify against.
   */
  continuityProof(): ContinuityProof | undefined {
    const [low, high] = this.#sourceHead.sequence <= this.#targetHead.sequence
      ? [this.#sourceHead, this.#targetHead]
      : [this.#targetHead, this.#sourceHead];
    if (low.sequence < 2n) return undefined;
    return {
      origin: this.origin,
      fromSequence: low.sequence - 1n,
      toSequence: high.sequence - 1n,
      fromHash: low.parent,
      toHash: high.parent,
    };
  }
}
