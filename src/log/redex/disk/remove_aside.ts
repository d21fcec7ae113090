/** Removing what may be gigabytes. */
import type { Disk } from "../../../base/mod.ts";

/** Removes a file or folder, on another thread where the disk can do that. */
export async function removeAside(disk: Disk, path: string): Promise<void> {
  if (disk.removeAside === undefined) disk.remove(path);
  else await disk.removeAside(path);
}

/** The same of what the next open removes as well. */
export async function removeAsideQuietly(disk: Disk, path: string): Promise<void> {
  try {
    await removeAside(disk, path);
  } catch {
    // Nothing depends on it.
  }
}
