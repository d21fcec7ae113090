/** Channel files on disk. */
export { type DiskStoreOptions, openDiskRecordStore } from "./disk_record_store.ts";
export { SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN } from "./limits.ts";
export { isOwnName } from "./own_names.ts";
