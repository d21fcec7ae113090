/** Bounds of the operators (`capabilities.md` 10). */

/** Steps from a fork to its root: a chain forked once a day has as many in almost three years. */
export const TRAVERSE_DEPTH_MAX = 1_024;
