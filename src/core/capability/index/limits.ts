/** Bounds of the capability index, which strangers' announcements fill. */
import { ORIGINS_MAX } from "../limits.ts";

/**
 * Entries: one per origin that the announcement store keeps, and as many again for nodes that are members
 * of further classes, which may not take more than that half. An entry of 20 usual tags takes about 0.6 KB
 * here (20 MB in all).
 */
export const INDEX_ROWS_MAX = 2 * ORIGINS_MAX;

/**
 * Distinct tags and metadata entries of all nodes together: 32 per origin that no other has. One takes up to
 * 0.5 KB beside its text, when its key is its own too, so that a flood of tiny tags ends at 260 MB; honest
 * nodes share most of theirs. Announcements bring in no more than three quarters (`ORIGIN_TERMS_MAX`), members
 * of further classes a fifth, so that neither keeps the other out.
 */
export const INDEX_TERMS_MAX = 32 * ORIGINS_MAX;
export const MEMBER_TERMS_SHARE = 1 / 5;

/** Sets of weights whose scores are kept: a column of 4 bytes per entry each (0.5 MB in all). */
export const SCORE_COLUMNS_MAX = 4;
