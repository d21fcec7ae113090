/** Numbers of tools (`capabilities.md` 15) and the bounds of what is taken from others. */

/**
 * Bytes of a tool id. It is a service name, and `<id>.replies.` with 16 hex digits must still be a
 * channel name of at most 255 bytes: 255 - 9 - 16.
 */
export const TOOL_ID_BYTES_MAX = 230;

/** Bytes of a name and of one entry of `requires` and `tags`; what a list of tools can show in a row. */
export const TOOL_NAME_BYTES_MAX = 255;

/** Bytes of a version: three numbers, a pre-release and a build hash fit many times. */
export const TOOL_VERSION_BYTES_MAX = 64;

/** Entries of `requires` and of `tags`. */
export const TOOL_ENTRIES_MAX = 64;

/** Bytes of a description and of pricing terms: a few pages. */
export const TOOL_TEXT_BYTES_MAX = 16 * 1024;

/** Bytes of one schema; the largest seen in public tool collections are below 50 KB. */
export const TOOL_SCHEMA_BYTES_MAX = 256 * 1024;

/**
 * Bytes of a descriptor as JSON: two schemas and two texts whose quotes are escaped (× 2), lists and
 * names, rounded up. Below the 4 MiB that one body may have (`nrpc.md` 3).
 */
export const TOOL_DESCRIPTOR_BYTES_MAX = 2 * 1024 * 1024;

/** Bytes of one tool event and of one provider's call: the largest body (`nrpc.md` 3). */
export const TOOL_BODY_BYTES_MAX = 4 * 1024 * 1024;

/** Objects and arrays inside each other; the reference stops at about the same depth. */
export const JSON_DEPTH_MAX = 127;

/**
 * Bytes of one text (description, schema, pricing terms) that still travels in an announcement. Two
 * schemas and a description of this size together keep below the soft cap of metadata.
 */
export const ANNOUNCED_TEXT_BYTES_MAX = 1_024;

/**
 * Bytes, keys included, that the texts of all tools of a node take in its announcement: the soft cap
 * of metadata (`capabilities.md` 4). With escapes they take about 5.5 KB of the 8,104 bytes of an
 * announcement and leave room for some ten tools' tags.
 */
export const ANNOUNCED_TEXTS_BYTES_MAX = 4_096;

/** Tools of one host; each takes at least 150 bytes of an announcement of 8,104. */
export const HOSTED_TOOLS_MAX = 64;

/** Changes that a watcher has not fetched yet; more wait in the index itself. */
export const WATCH_BUFFER_MAX = 256;
