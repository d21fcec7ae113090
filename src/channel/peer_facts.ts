/** What channels need to know of other nodes; told by whoever keeps sessions and announcements. */

/** What is known of peers. */
export interface PeerFacts {
  /**
   * The entity behind a peer: proven on a sealed session, or else of its first signed announcement that
   * came from itself; `undefined` before both.
   */
  entityOf(peer: bigint): Uint8Array | undefined;
  /** Origin hash of that entity. */
  originHashOf(peer: bigint): bigint | undefined;
  /** Tags of its latest announcement; `undefined` without one. */
  tagsOf(peer: bigint): readonly string[] | undefined;
}
