/**
 * Questions about causal chains that can be put beside a prepared predicate (`promises.md` 76).
 *
 * They are no part of the predicate tree: the reference's has no node for reserved tags, so that a peer
 * would refuse a predicate with one. Whoever asks a peer filters its answers with them.
 */
import {
  excludeChain,
  fromFork,
  heatLevel,
  requireAnyChain,
  requireChain,
} from "../tags/chain_tags.ts";
import type { SetTest } from "./clause.ts";

/** Does the node hold some part of the chain? */
export function requireChainTest(chain: bigint): SetTest {
  return (set) => requireChain(set, chain);
}

/** Does the node hold some part of one of the chains? */
export function requireAnyChainTest(chains: readonly bigint[]): SetTest {
  return (set) => requireAnyChain(set, chains);
}

/** Does the node hold no part of the chain? */
export function excludeChainTest(chain: bigint): SetTest {
  return (set) => excludeChain(set, chain);
}

/** Does the node hold a fork of the chain? */
export function fromForkTest(parent: bigint): SetTest {
  return (set) => fromFork(set, parent);
}

/**
 * Does the node say that the chain is read at least so much?
 *
 * @param least 0 to 1.
 */
export function heatLevelTest(chain: bigint, least: number): SetTest {
  return (set) => (heatLevel(set, chain) ?? -1) >= least;
}

/**
 * Do all of them hold?
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { everyTest, requireChainTest } from "./chain_tests.ts";
 * import { preparePredicate } from "./evaluate.ts";
 * import { parsePredicate } from "./parse_text.ts";
 * const test = everyTest([preparePredicate(parsePredicate("hardware.gpu")), requireChainTest(255n)]);
 * console.assert(test(createCapabilitySet(["hardware.gpu", "causal:00000000000000ff:7"])));
 * ```
 */
export function everyTest(tests: readonly SetTest[]): SetTest {
  return (set) => tests.every((test) => test(set));
}
