/**
 * Remembers for a while how many distinct values a key has (`promises.md` 81): counting is not free, and
 * an order that was right a moment ago is still a good one.
 */
import type { Clock } from "../../../base/mod.ts";
import { formatTagKey } from "../tags/tag.ts";
import { CARDINALITY_KEYS_MAX, CARDINALITY_LIFE_MS } from "./limits.ts";
import type { Cardinality } from "./plan.ts";

/** The same numbers as those of `source`, at most ten seconds old. */
export function createCardinalityCache(
  source: Cardinality,
  clock: Pick<Clock, "now">,
): Cardinality {
  const known = new Map<string, { readonly values: number; readonly countedAt: number }>();
  const remember = (name: string, count: () => number): number => {
    const now = clock.now();
    const entry = known.get(name);
    if (entry !== undefined && now - entry.countedAt < CARDINALITY_LIFE_MS) return entry.values;
    const values = count();
    known.delete(name);
    if (known.size >= CARDINALITY_KEYS_MAX) {
      // In order of age: the first is the oldest.
      for (const oldest of known.keys()) {
        known.delete(oldest);
        break;
      }
    }
    known.set(name, { values, countedAt: now });
    return values;
  };
  return {
    tagValues: (key) => remember(`tag ${formatTagKey(key)}`, () => source.tagValues(key)),
    metadataValues: (key) => remember(`metadata ${key}`, () => source.metadataValues(key)),
  };
}
