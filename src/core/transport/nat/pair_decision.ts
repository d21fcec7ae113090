/** What two classes of NAT allow (`nrpc.md` 16). */
import type { NatClass, PairAction } from "./types.ts";

const ACTIONS: Readonly<Record<NatClass, Readonly<Record<NatClass, PairAction>>>> = {
  open: { open: "direct", cone: "direct", symmetric: "punch", unknown: "direct" },
  cone: { open: "direct", cone: "punch", symmetric: "punch", unknown: "punch" },
  symmetric: { open: "punch", cone: "punch", symmetric: "relay", unknown: "relay" },
  unknown: { open: "direct", cone: "punch", symmetric: "relay", unknown: "direct" },
};

/**
 * What a node does to reach another one.
 *
 * @example
 * ```ts
 * import { decidePair } from "./pair_decision.ts";
 * console.assert(decidePair("cone", "cone") === "punch");
 * ```
 */
export function decidePair(own: NatClass, other: NatClass): PairAction {
  return ACTIONS[own][other];
}
