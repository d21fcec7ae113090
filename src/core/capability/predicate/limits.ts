/** Bounds of predicates that come from outside (`capabilities.md` 9). */

/** Value of the header of a call. */
export const PREDICATE_HEADER_BYTES_MAX = 4_096;

/** Characters of the text people write: about as much as fits in a header once it is JSON. */
export const PREDICATE_TEXT_MAX = 4_096;

/** JSON of a predicate anywhere else: a group of conditions on a thousand keys. */
export const PREDICATE_BYTES_MAX = 64 * 1024;

/** A header of the reference holds 163 levels of `not` at 25 bytes each; more is no question any more. */
export const PREDICATE_DEPTH_MAX = 256;

/**
 * Nodes of the whole tree, those that several parents share counted for each of them: 32 bytes of
 * sharing double a tree, so that a header could stand for 2^127 nodes. Asking 4096 takes about 1 ms.
 */
export const PREDICATE_NODES_MAX = 4_096;

/**
 * Keys whose number of values is remembered, and for how long. A predicate asks about a handful; strangers'
 * predicates may ask about anything, and then the keys longest known go (0.2 MB in all).
 */
export const CARDINALITY_KEYS_MAX = 1_024;
export const CARDINALITY_LIFE_MS = 10_000;
