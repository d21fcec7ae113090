/** Bounds of predicates that come from outside (`capabilities.md` 9). */

/** Value of the header of a call; also the longest text that people write. */
export const PREDICATE_HEADER_BYTES_MAX = 4_096;

/** JSON of a predicate anywhere else: a group of conditions on a thousand keys. */
export const PREDICATE_BYTES_MAX = 64 * 1024;

/** A header of the reference holds 163 levels of `not` at 25 bytes each; more is no question any more. */
export const PREDICATE_DEPTH_MAX = 256;

/**
 * Nodes of the whole tree, those that several parents share counted for each of them: 32 bytes of
 * sharing double a tree, so that a header could stand for 2^127 nodes. Asking 4096 takes about 1 ms.
 */
export const PREDICATE_NODES_MAX = 4_096;
