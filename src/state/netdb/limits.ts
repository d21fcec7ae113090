/** Bounds of databases and collections. */

/** Collections of its own that a database may have; each is a log and a fold. */
export const COLLECTIONS_MAX = 64;

/** Bytes of one row of a user's collection. A row is folded, kept and compared as a whole. */
export const ROW_BYTES_MAX = 1024 * 1024;

/** Milliseconds that a snapshot waits for folds to come to the end of their logs. */
export const BARRIER_MS = 10_000;

/** Times a snapshot looks again whether all folds are at the end at once, while others write. */
export const BARRIER_ROUNDS_MAX = 1_000;

/** Events that a restore appends at a time. */
export const RESTORE_BATCH_EVENTS = 4_096;

/** Events that a restore may need for one workflow task: its steps and attempts. */
export const RESTORE_TASK_EVENTS_MAX = 100_000;

/** Clauses of a text filter. */
export const WHERE_CLAUSES_MAX = 64;

/** Characters of a text filter. */
export const WHERE_TEXT_MAX = 16_384;

/** Collections in a bundle beside tasks and memories: those of a database, and its workflow. */
export const BUNDLE_SECTIONS_MAX = 65;

/** Brackets and negations inside of each other in a text filter. */
export const WHERE_DEPTH_MAX = 16;
