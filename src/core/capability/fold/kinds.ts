/**
 * The four kinds of folds: state that nodes tell each other piece by piece, signed, and that every node
 * puts together for itself (`capabilities.md` 12).
 *
 * Numbers and names only; what a payload looks like and how entries merge is in each kind's own file.
 */

/** Number of a kind on the wire. */
export const FoldKind = {
  /** Which node has which capabilities. */
  Capability: 1,
  /** Which node is reached over which. */
  Route: 2,
  /** Who holds which resource. */
  Reservation: 3,
  /** Which units lie close to each other. */
  Island: 4,
} as const;

/** A kind that this program knows. */
export type FoldKindNumber = (typeof FoldKind)[keyof typeof FoldKind];

/** Every kind, ascending. */
export const FOLD_KINDS: readonly FoldKindNumber[] = [1, 2, 3, 4];

/** What is fixed for a kind. */
export interface FoldKindFacts {
  /** In metrics and logs. */
  readonly name: string;
  /** What the names of its channels begin with. */
  readonly channelPrefix: string;
  /** Life of an entry whose envelope names none. */
  readonly ttlSeconds: number;
}

/** Facts of every kind. */
export const FOLD_KIND_FACTS: Readonly<Record<FoldKindNumber, FoldKindFacts>> = {
  1: { name: "capability", channelPrefix: "fold:cap:", ttlSeconds: 60 },
  2: { name: "routing", channelPrefix: "fold:route:", ttlSeconds: 300 },
  3: { name: "reservation", channelPrefix: "fold:res:", ttlSeconds: 30 },
  4: { name: "island", channelPrefix: "fold:island:", ttlSeconds: 30 },
};

/** True for the number of a kind that this program knows. */
export function isFoldKind(kind: number): kind is FoldKindNumber {
  return kind === 1 || kind === 2 || kind === 3 || kind === 4;
}
