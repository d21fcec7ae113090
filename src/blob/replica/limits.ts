/** Bounds of holders and copies; each number is fed from outside or costs others something. */

/**
 * Blobs that a node names in its announcement: 24 bytes and three of JSON each, so that 64 take a fifth of it.
 * The index of a mesh of 6,000 nodes that all name so many has room for them.
 */
export const HOLDER_TAGS_MAX = 64;

/** Hashes of one question to a peer: what a get asks for at once, with its root and its reference. */
export const HOLDINGS_HASHES_MAX = 64;

/** Copies that may be asked for, all in all; as many as a receipt counts. */
export const COPIES_MAX = 255;

/** Nodes that a request names as sources: more are found by the announcements. */
export const COPY_SOURCES_MAX = 16;

/** Bytes of a reference inside a request; a longer one is asked for by its address. */
export const COPY_REF_BYTES_MAX = 4_096;

/** A whole request: the reference, the sources and 64 bytes of others. */
export const COPY_REQUEST_BYTES_MAX = COPY_REF_BYTES_MAX + COPY_SOURCES_MAX * 10 + 64;

/** Candidates that are looked at for one choice: the nodes an index can hold. */
export const CANDIDATES_MAX = 32_768;

/** Chunks of one copy with nodes and parity: 4 TiB in chunks of 4 MiB; their list takes 100 MB. */
export const COPY_CHUNKS_MAX = 1_048_576;

/** Blobs that a node sees to the copies of; a row of some 100 bytes and a look a minute for 256 of them. */
export const WISHES_MAX = 65_536;
