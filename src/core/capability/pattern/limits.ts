/** Bounds of patterns that strangers write. A match takes at most program size times text length steps. */

/** Characters of a pattern; the longest that people write for tags have 60. */
export const PATTERN_CHARACTERS_MAX = 256;

/** Groups inside each other. */
export const PATTERN_DEPTH_MAX = 32;

/**
 * Steps of the compiled pattern. With a tag of 8 KB, the longest there is, one match takes 16 million of
 * the simplest operations (0.1 s), and a usual one of 40 characters a thousandth of that.
 */
export const PATTERN_STEPS_MAX = 2_000;
