/**
 * Keeps what was read from a set beside the set. Sets never change, a changed one is another object, so
 * what is kept cannot be stale; it goes when the set goes.
 */
import type { CapabilitySet } from "../capability_set.ts";

/** A reader that reads each set once. */
export function cachedPerSet<View extends object>(
  read: (set: CapabilitySet) => View,
): (set: CapabilitySet) => View {
  const views = new WeakMap<CapabilitySet, View>();
  return (set) => {
    const known = views.get(set);
    if (known !== undefined) return known;
    const view = read(set);
    views.set(set, view);
    return view;
  };
}
