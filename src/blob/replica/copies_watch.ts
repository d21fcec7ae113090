/**
 * Sees to it that one blob has as many copies as it shall have: pure, told what is known and asked what to do.
 * Every holder runs one; they act one after the other and not all at once.
 *
 * Too few: a holder that is away still counts for a while, it may only restart. Then the holder with the lowest
 * id acts, and each further one only when nothing came of that. Too many: nobody hurries. After an hour the
 * holder with the highest id lets go of its copy, after one more hour the next one.
 */

/** Times in milliseconds. */
export interface CopiesTimes {
  /** A holder that is away counts for so long. */
  readonly graceMs: number;
  /** A holder waits so long for each holder with a lower id. */
  readonly turnMs: number;
  /** Up to so much is added by chance, once for every blob. */
  readonly jitterMs: number;
  /** There were too many for so long before the first one goes. */
  readonly surplusMs: number;
}

/** Times that suit nodes which restart now and then. */
export const COPIES_TIMES: CopiesTimes = {
  graceMs: 15 * 60_000,
  turnMs: 3 * 60_000,
  jitterMs: 30_000,
  surplusMs: 60 * 60_000,
};

/** What is known of a blob's copies; this node has one. */
export interface CopiesView {
  readonly nodeId: bigint;
  /** Copies wanted, this node's included. */
  readonly wanted: number;
  /** Other nodes that have it now. */
  readonly present: readonly bigint[];
  /** Other nodes that had it and do not answer. */
  readonly away: readonly { readonly nodeId: bigint; readonly seenAtMs: number }[];
  /** This node has it only because it was asked to. */
  readonly isDroppable: boolean;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

/** What is to be done. */
export type CopiesAction =
  | { readonly kind: "none" }
  /** So many more nodes shall take it. */
  | { readonly kind: "repair"; readonly missing: number }
  /** This node's copy may go, when the others say once more that they have it. */
  | { readonly kind: "drop" };

const NONE: CopiesAction = { kind: "none" };

/**
 * Follows one blob.
 *
 * @example
 * ```ts
 * import { CopiesWatch } from "./copies_watch.ts";
 * const watch = new CopiesWatch(0);
 * const view = { nodeId: 1n, wanted: 3, present: [2n], away: [], isDroppable: false, nowMs: 0 };
 * const action = watch.step(view);
 * console.assert(action.kind === "repair" && action.missing === 1);
 * ```
 */
export class CopiesWatch {
  readonly #times: CopiesTimes;
  readonly #jitterMs: number;
  #lackingSinceMs: number | undefined;
  #surplusSinceMs: number | undefined;

  /** @param chance 0 to 1. */
  constructor(chance: number, times: CopiesTimes = COPIES_TIMES) {
    this.#times = times;
    this.#jitterMs = chance * times.jitterMs;
  }

  /** What to do now; asked again and again it says the same until something is done. */
  step(view: CopiesView): CopiesAction {
    const { wanted, present, away, nowMs } = view;
    const { graceMs, turnMs, surplusMs } = this.#times;
    const expected = away.filter(({ seenAtMs }) => nowMs - seenAtMs < graceMs).length;
    const here = 1 + present.length;
    const missing = wanted - here - expected;
    this.#lackingSinceMs = missing > 0 ? this.#lackingSinceMs ?? nowMs : undefined;
    this.#surplusSinceMs = here > wanted ? this.#surplusSinceMs ?? nowMs : undefined;
    if (this.#lackingSinceMs !== undefined) {
      const before = present.filter((nodeId) => nodeId < view.nodeId).length;
      const isMyTurn = nowMs - this.#lackingSinceMs >= before * turnMs + this.#jitterMs;
      return isMyTurn ? { kind: "repair", missing } : NONE;
    }
    if (this.#surplusSinceMs !== undefined && view.isDroppable) {
      const before = present.filter((nodeId) => nodeId > view.nodeId).length;
      const isMyTurn = nowMs - this.#surplusSinceMs >= (1 + before) * surplusMs + this.#jitterMs;
      return isMyTurn ? { kind: "drop" } : NONE;
    }
    return NONE;
  }
}
