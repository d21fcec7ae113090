/** Limits of channel folders. */

/** Payload bytes of one segment, as in the reference (`storage.md` 3.3). */
export const SEGMENT_BYTES_MAX = 3 * 2 ** 30;
/** Smallest segment that may be asked for. */
export const SEGMENT_BYTES_MIN = 1024;
/** Records of one segment: an index of 2.5 GiB, for logs of empty payloads. */
export const SEGMENT_RECORDS_MAX = 2 ** 27;
/** Records of a segment that somebody else made, at most: their places are 32-bit numbers. */
export const SEGMENT_RECORDS_LIMIT = 0xffff_ffff;
/** Generations are 32-bit numbers. */
export const GENERATION_MAX = 0xffff_ffff;
/** Sequence numbers end where plain numbers are no longer exact. */
export const SEQ_MAX = Number.MAX_SAFE_INTEGER - 1;

/** Index records of one cached page: 20 KiB. */
export const PAGE_RECORDS = 1024;
/** Pages a store keeps: 16 of the index and of the times hold 16,384 records, at most 448 KiB. */
export const PAGES_MAX = 16;
/** What one read of payloads takes from the file at most, unless one payload is larger. */
export const READ_WINDOW_BYTES = 256 * 1024;
/** Work between two looks at the clock, in payload bytes. */
export const SLICE_BYTES = 256 * 1024;
/** How long work on files goes on before others are let in. */
export const SLICE_MS = 3;
/** Parts of work, each of at most 256 KiB or 1024 records, before the clock is looked at. */
export const SLICE_PARTS_MIN = 8;
/** Runs of damaged records remembered per segment: 6 MiB. A segment with more has to be repaired first. */
export const DAMAGE_RUNS_MAX = 2 ** 18;
/** Runs of damaged records in a note: 32 KiB. A segment with more is verified at every open until it is compacted. */
export const NOTE_RUNS_MAX = 4096;
/** Full segments that are open at the same time: three files each. */
export const SEALED_OPEN_MAX = 4;
/** Records and payload bytes after which a sync is followed by a new checkpoint. */
export const CHECKPOINT_RECORDS = 65536;
export const CHECKPOINT_BYTES = 16 * 1024 * 1024;
/** Bytes of the live segment from which on it is not written anew before half of it is forgotten. */
export const LAZY_BYTES = 64 * 1024;
/** Numbers of damaged records that were met and are counted once: 65,536 numbers. */
export const DAMAGED_SEEN_MAX = 65536;
/** Appends kept for readers that follow, their bytes, and how many appends after the last such read. */
export const RECENT_APPENDS_MAX = 64;
export const RECENT_BYTES_MAX = 1024 * 1024;
export const RECENT_WANTED_APPENDS = 256;
/**
 * What is written again at most when a log is opened after a crash: four times what lies between two
 * checkpoints. More of it is a log of somebody else, or one that was never synced.
 */
export const FOUND_BYTES_MAX = 64 * 1024 * 1024;
/** Damaged records that a report lists unless told otherwise. */
export const DAMAGED_LISTED = 1000;
/** Runs of damaged records that repair can hold: 400 MiB at the very worst. */
export const REPAIR_RUNS_MAX = 2 ** 24;
/** Numbers of damaged records that one read names at once, in front of each sound one. */
export const KNOWN_DAMAGE_MAX = 4096;
/**
 * Payload bytes and records that are not on the device before they are put there whatever the policy: opening after
 * a crash verifies so much, and beginning a new segment may wait for it.
 */
export const UNSYNCED_BYTES_MAX = 256 * 1024 * 1024;
export const UNSYNCED_RECORDS_MAX = 2 ** 22;
