/** The best of the nodes that pass a filter (`capabilities.md` 8). */
import type { CapabilityIndex } from "./capability_index.ts";
import { allOf } from "./conditions.ts";
import { type FindOptions, modelConditions, type NodeFilter, passing } from "./find.ts";
import { lowestMatches } from "./matches.ts";
import type { RowTable } from "./row_table.ts";
import type { ScoreColumn } from "./score_columns.ts";
import { listSlots, type SlotSet } from "./slot_set.ts";

/** How much each advantage counts, 0..1; 0 when left out. */
export interface BestWeights {
  /** Of 256 GB of memory. */
  readonly memory?: number;
  /** Of 80 GB of GPU memory. */
  readonly vram?: number;
  /** Of 1000 tokens per second of the fastest model. */
  readonly speed?: number;
  /** Of all models being loaded. */
  readonly loaded?: number;
}

/**
 * The node with the highest score among those that pass; of equal ones the one with the lowest id.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { findBestNode } from "./best.ts";
 * import { CapabilityIndex } from "./capability_index.ts";
 * const index = new CapabilityIndex();
 * index.set(1n, { capabilities: createCapabilitySet(["hardware.memory_gb=16"]) });
 * index.set(2n, { capabilities: createCapabilitySet(["hardware.memory_gb=64"]) });
 * console.assert(findBestNode(index, {}, { memory: 1 }) === 2n);
 * ```
 */
export function findBestNode(
  { tables }: CapabilityIndex,
  filter: NodeFilter,
  weights: BestWeights,
  options: FindOptions = {},
): bigint | undefined {
  const { table } = tables;
  let slots = passing(filter, options, tables).peek();
  if (options.rules === "core") {
    // What its search leaves out, its score asks for: who lacks it scores 0, and still counts.
    const scoring = modelConditions(filter, tables);
    const scored = scoring.length === 0 ? slots : allOf(scoring, tables).narrow(slots);
    if (scored.size === 0) return lowestMatches(tables, slots, 1).ids()[0];
    slots = scored;
  }
  const best = bestSlot(slots, tables.scores.of(weights, table), table);
  return best === NONE ? undefined : table.nodeIds[best];
}

const NONE = -1;

function bestSlot(set: SlotSet, { scores, peaks }: ScoreColumn, table: RowTable): number {
  let best = NONE;
  let bestScore = 0;
  const { bits } = set;
  const challenge = (slot: number) => {
    const score = scores[slot] ?? 0;
    if (score < bestScore) return;
    if (score === bestScore && best !== NONE && !isLower(slot, best, table)) return;
    best = slot;
    bestScore = score;
  };
  if (bits === undefined) {
    for (const slot of listSlots(set)) challenge(slot);
    return best;
  }
  for (let at = 0; at < bits.length; at++) {
    let word = bits[at] ?? 0;
    if (word === 0 || (peaks[at] ?? 0) < bestScore) continue;
    for (; word !== 0; word &= word - 1) challenge((at << 5) + 31 - Math.clz32(word & -word));
  }
  return best;
}

function isLower(slot: number, other: number, { nodeHalves }: RowTable): boolean {
  const high = nodeHalves[2 * slot + 1] ?? 0;
  const otherHigh = nodeHalves[2 * other + 1] ?? 0;
  if (high !== otherHigh) return high < otherHigh;
  return (nodeHalves[2 * slot] ?? 0) < (nodeHalves[2 * other] ?? 0);
}
