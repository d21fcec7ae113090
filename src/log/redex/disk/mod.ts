/** Channel files on disk. */
export { diskFailure } from "./disk_failure.ts";
export type { DiskStoreOptions } from "./disk_record_store.ts";
export type * from "./folder_report.ts";
export { SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN } from "./limits.ts";
export { openDiskRecordStore } from "./open_store.ts";
export { isOwnName } from "./own_names.ts";
export { repairFolder, type RepairFolderOptions, type RepairReport } from "./repair_folder.ts";
export { verifyFolder, type VerifyFolderOptions } from "./verify_folder.ts";
