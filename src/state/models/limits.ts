/** Bounds of the models. */

/**
 * Rows of one model. A task takes about 120 bytes with a short title, so this is about 2 GB; the next create is
 * set aside and reported. An index of slots in 32 bits would go on to 2^31.
 */
export const ROWS_MAX = 2 ** 24;

/** Titles and contents up to here are remembered in lower case for searches; longer ones are lowered each time. */
export const LOWERED_TEXT_MAX = 4096;

/** Ids that an `idIn` filter may name. */
export const ID_IN_MAX = 1_000_000;

/** What a model may be given instead of the bounds above. */
export interface ModelLimits {
  /** Most rows; {@linkcode ROWS_MAX} when left out. */
  readonly rowsMax?: number;
}

/** Children that a fan-out may derive at once; each is one submit and one link event. */
export const SHARDS_MAX = 65_536;

/** Triggers that may be armed at a time. */
export const TRIGGERS_MAX = 65_536;

/** Results of tasks that a trigger engine remembers: what `ifResult` triggers look at. */
export const RESULTS_MAX = 65_536;
