/** Bounds of placement (`capabilities.md` 16). */

/** Kinds of work that are told apart by what they need; a node asks each of them at most once per score. */
export const INTENTS_MAX = 1_024;

/** Filters that programs register under names of their own. */
export const PLACEMENT_FILTERS_MAX = 256;

/** No machine has more of anything; what claims to is taken to have this much. */
export const RESOURCE_AMOUNT_MAX = 1e15;
