/** Small files that are there in full or not at all. */
import type { Disk } from "../../../base/mod.ts";

/** Writes a file aside, puts it on the device and gives it its name; on the device when it returns. */
export function writeWhole(disk: Disk, folder: string, name: string, bytes: Uint8Array): void {
  replaceWhole(disk, folder, name, bytes);
  disk.syncFolder(folder);
}

/** The same, but its name may be lost in a crash: then there is what was there before. */
export function replaceWhole(disk: Disk, folder: string, name: string, bytes: Uint8Array): void {
  const path = `${folder}/${name}`;
  const aside = `${path}.tmp`;
  const file = disk.open(aside, { create: true });
  try {
    file.truncate(0);
    file.writeAt(0, bytes);
    file.syncNow();
  } finally {
    file.close();
  }
  disk.rename(aside, path);
}

/** Bytes of a file of at most `bytesMax`; `undefined` when there is none, or it is longer. */
export function readWhole(
  disk: Disk,
  path: string,
  bytesMax: number,
): Uint8Array<ArrayBuffer> | undefined {
  const size = disk.sizeOf(path);
  if (size === undefined || size > bytesMax) return undefined;
  const file = disk.open(path, { readOnly: true });
  try {
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, file.readAt(0, bytes));
  } finally {
    file.close();
  }
}
