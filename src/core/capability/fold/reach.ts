/**
 * How far statements go (promise C5): as far as the channel of their fold is visible, from the subnet of
 * their publisher. Who is in which subnet, and how visible the channels are, is known above.
 */
import type { FoldKindNumber } from "./kinds.ts";

/** Says who may hear whom. */
export interface FoldReach {
  /** True when what `publisher` says in a fold of this kind may come to `target`. */
  mayReach(kind: FoldKindNumber, publisher: bigint, target: bigint): boolean;
}

/** Everybody may hear everything: there are no subnets, or every channel is global. */
export const GLOBAL_REACH: FoldReach = { mayReach: () => true };
