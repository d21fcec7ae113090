/** Where a read takes its chunks from. */

/** Gives chunks and nodes of trees, which are chunks too. */
export interface ChunkReader {
  /**
   * A chunk whose hash was verified; `undefined` when it can't be had.
   *
   * @param expectedBytes What it must measure, if known.
   * @throws NetError when asking failed; the signal's reason.
   */
  read(
    hash: Uint8Array,
    expectedBytes?: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array | undefined>;
}
