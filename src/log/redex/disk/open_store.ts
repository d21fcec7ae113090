/** Opens the records of a channel that are kept on disk. */
import type { RecordStore } from "../record_store.ts";
import { diskFailure } from "./disk_failure.ts";
import { DiskRecordStore, type DiskStoreOptions } from "./disk_record_store.ts";
import { SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN } from "./limits.ts";
import { type OpenedLog, openLog } from "./open_log.ts";

/**
 * Opens the records in a folder, after bringing it in order.
 *
 * @throws RedexError `io`, `no_space`, `seq_out_of_range`, `decode` when too much of it is damaged.
 */
export function openDiskRecordStore(options: DiskStoreOptions): Promise<RecordStore> {
  const bytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
  if (!(bytesMax >= SEGMENT_BYTES_MIN && bytesMax <= SEGMENT_BYTES_MAX)) {
    throw new RangeError(
      `Cannot open log: a segment of ${bytesMax} bytes, must be ${SEGMENT_BYTES_MIN} to ` +
        `${SEGMENT_BYTES_MAX}`,
    );
  }
  return openStore(options, bytesMax, false);
}

/** Opens the records in a folder without believing any note, to write them anew. */
export function openForRepair(options: DiskStoreOptions): Promise<RecordStore> {
  return openStore(options, SEGMENT_BYTES_MAX, true);
}

async function openStore(
  options: DiskStoreOptions,
  segmentBytesMax: number,
  isRepair: boolean,
): Promise<RecordStore> {
  let log: OpenedLog | undefined;
  try {
    log = await openLog({ ...options, isRepair });
    const store = new DiskRecordStore(options, segmentBytesMax, log);
    await store.noteOpened();
    return store;
  } catch (error) {
    log?.live.close();
    throw diskFailure(error, `Cannot open log "${options.folder}"`);
  }
}
