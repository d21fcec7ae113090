/** The three files of a segment, open. */
import type { Disk, DiskFile, DiskOpenOptions } from "../../../base/mod.ts";

/** Open files of a segment. */
export interface SegmentFiles {
  readonly folder: string;
  readonly idx: DiskFile;
  readonly dat: DiskFile;
  readonly ts: DiskFile;
}

/** Opens the files of a segment, or none. */
export function openSegmentFiles(
  disk: Disk,
  folder: string,
  options: DiskOpenOptions = {},
): SegmentFiles {
  const opened: DiskFile[] = [];
  const open = (name: string): DiskFile => {
    const file = disk.open(`${folder}/${name}`, options);
    opened.push(file);
    return file;
  };
  try {
    return { folder, idx: open("idx"), dat: open("dat"), ts: open("ts") };
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/** Closes all three. */
export function closeSegmentFiles({ idx, dat, ts }: SegmentFiles): void {
  for (const file of [idx, dat, ts]) file.close();
}

/** Puts all three on the device, at the same time. */
export async function syncSegmentFiles({ idx, dat, ts }: SegmentFiles): Promise<void> {
  const outcomes = await Promise.allSettled([dat.sync(), idx.sync(), ts.sync()]);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}
