/** How far a rewrite of a log has come, told from the files that it writes. */
import type { Clock, Disk } from "../../base/mod.ts";
import type { OnLogProgress } from "./log_verify.ts";

/** How often the files are looked at. */
const LOOK_MS = 250;

const GENERATION = /^v([0-9]{10})$/;

/**
 * Tells of the bytes in generations of a log that are newer than this one, until the result is disposed of.
 *
 * @param generation The one that is rewritten.
 * @param totalBytes Bytes that it has.
 */
export function watchGrowth(
  { disk, clock }: { readonly disk: Disk; readonly clock: Clock },
  { folder, generation, totalBytes }: {
    readonly folder: string;
    readonly generation: number;
    readonly totalBytes: number;
  },
  onProgress: OnLogProgress,
): Disposable {
  let cancel = () => {};
  const look = () => {
    const bytes = newerBytes(disk, folder, generation);
    if (bytes > 0) onProgress(Math.min(bytes, totalBytes), totalBytes);
    cancel = clock.after(LOOK_MS, look);
  };
  cancel = clock.after(LOOK_MS, look);
  return { [Symbol.dispose]: () => cancel() };
}

function newerBytes(disk: Disk, folder: string, generation: number): number {
  let bytes = 0;
  try {
    for (const { name, isFolder } of disk.list(folder)) {
      if (!isFolder || !(Number(GENERATION.exec(name)?.[1] ?? 0) > generation)) continue;
      for (const file of ["idx", "dat"]) bytes += disk.sizeOf(`${folder}/${name}/${file}`) ?? 0;
    }
  } catch {
    // Nobody depends on it, and the rewrite itself tells of what is wrong with the disk.
    return 0;
  }
  return bytes;
}
