/**
 * How many bytes of chunks a store had when it was closed, so that the next start need not count them.
 *
 * The note is gone while the store is open: after a crash the bytes are counted.
 */
import type { Disk } from "../../base/mod.ts";

const NOTE = "usage";
const NOTE_BYTES_MAX = 64;

/** Takes the note away; its number, or `undefined` when there is none that can be trusted. */
export function takeUsage(disk: Disk, folder: string): number | undefined {
  const path = `${folder}/${NOTE}`;
  const bytes = readNote(disk, path);
  if (bytes === undefined) return undefined;
  disk.remove(path);
  // Found again after a loss of power it would be out of date.
  disk.syncFolder(folder);
  return bytes;
}

/** Leaves the note; one that cannot be written costs a count. */
export function writeUsage(disk: Disk, folder: string, usedBytes: number): void {
  const path = `${folder}/${NOTE}`;
  try {
    const file = disk.open(path, { create: true });
    try {
      file.truncate(0);
      file.writeAt(0, new TextEncoder().encode(`${usedBytes}\n`));
      file.syncNow();
    } finally {
      file.close();
    }
  } catch {
    try {
      disk.remove(path);
    } catch {
      // Half a number has no end of line, and is not taken for one.
    }
  }
}

function readNote(disk: Disk, path: string): number | undefined {
  const size = disk.sizeOf(path);
  if (size === undefined || size > NOTE_BYTES_MAX) return undefined;
  const file = disk.open(path, { readOnly: true });
  try {
    const bytes = new Uint8Array(size);
    const text = new TextDecoder().decode(bytes.subarray(0, file.readAt(0, bytes)));
    const match = /^(\d{1,15})\n$/.exec(text);
    return match === null ? undefined : Number(match[1]);
  } finally {
    file.close();
  }
}
