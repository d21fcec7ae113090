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
  /**
   * True for a node of ours: it renews its subscriptions, keeps streams over silence, repeats what it flags as
   * reliable, and understands offers. Both sides of a session must come to the same answer.
   */
  isOurs(peer: bigint): boolean;
  /** Tags of its latest announcement; `undefined` without one. */
  tagsOf(peer: bigint): readonly string[] | undefined;
}
