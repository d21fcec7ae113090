/** Bounds of what nodes and their interfaces are described with (`capabilities.md` 18). */

/** Bytes of one text of a node's description. */
export const METADATA_TEXT_BYTES_MAX = 1_024;
export const METADATA_TAGS_MAX = 256;
export const METADATA_CUSTOM_MAX = 256;
export const METADATA_ADDRESSES_MAX = 256;
export const METADATA_PEERS_MAX = 4_096;
export const METADATA_DISTANCES_MAX = 4_096;

/** Nodes described: as many as announcements are kept of. */
export const METADATA_NODES_MAX = 16_384;

/**
 * Bytes of all descriptions: 4 KB for each of the nodes. One alone may take 0.9 MB (tags, entries and
 * addresses of full length), so counting nodes is not enough.
 */
export const METADATA_BYTES_MAX = 64 * 1024 * 1024;

/** Answers of one query, unless it asks for fewer. */
export const METADATA_RESULTS_MAX = 10_000;

/** Schemas inside each other. */
export const SCHEMA_DEPTH_MAX = 128;

/** Schemas within one method, all depths together: a page of fields, many times over. */
export const SCHEMA_NODES_MAX = 4_096;

/** What of a value does not fit that one check tells; nobody reads more. */
export const SCHEMA_PROBLEMS_MAX = 16;

/** Segments of a path and bytes of each. */
export const PATH_SEGMENTS_MAX = 32;
export const PATH_SEGMENT_BYTES_MAX = 255;

/** Interfaces of one node, methods of one interface, methods of all nodes together. */
export const APIS_PER_NODE_MAX = 64;
export const METHODS_PER_API_MAX = 256;
export const METHODS_MAX = 262_144;
export const API_NODES_MAX = 16_384;

/** Bytes of an interface's name; letters of a verb. */
export const API_NAME_BYTES_MAX = 255;
export const API_VERB_MAX = 16;

/** Methods that one look-up gives, and places of the tree it visits at most. */
export const API_MATCHES_MAX = 256;
export const API_VISITS_MAX = 4_096;

/** Members and bytes of a trace state (W3C Trace Context, 3.3.1.1 and 3.3.1.5). */
export const TRACE_STATE_MEMBERS_MAX = 32;
export const TRACE_STATE_BYTES_MAX = 512;

/**
 * Entries and bytes of baggage: the 64 and 8,192 that the W3C asks for, cut to the 4,096 bytes that the
 * value of a call's header may have (`nrpc.md` 3).
 */
export const BAGGAGE_ENTRIES_MAX = 64;
export const BAGGAGE_BYTES_MAX = 4_096;
