/** Limits of channel folders. */

/** Payload bytes of one segment, as in the reference (`storage.md` 3.3). */
export const SEGMENT_BYTES_MAX = 3 * 2 ** 30;
/** Smallest segment that may be asked for. */
export const SEGMENT_BYTES_MIN = 1024;
/** Records of one segment: an index of 2.5 GiB, for logs of empty payloads. */
export const SEGMENT_RECORDS_MAX = 2 ** 27;
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
/**
 * Places of damage remembered per segment, each a run of records: 64 KiB. A file with more is written anew
 * when it is opened.
 */
export const DAMAGE_RUNS_MAX = 4096;
