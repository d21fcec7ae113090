/** Whether the files that are open are the ones that the next open will find. */
import type { Disk } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import { generationName, INDEX_BYTES } from "./record_format.ts";
import type { Segment } from "./segment.ts";

/**
 * Files that somebody removed or moved take writes and syncs as before, and nobody will find them again. Nothing
 * can be appended then.
 *
 * @throws RedexError `io`.
 */
export function requireThere(
  { disk, folder }: { readonly disk: Disk; readonly folder: string },
  generation: number,
  live: Segment,
  action: string,
): void {
  const size = disk.sizeOf(`${folder}/${generationName(generation)}/idx`) ?? -1;
  if (size >= live.records * INDEX_BYTES) return;
  const why = "its files were removed or replaced while it was open";
  live.poison(why);
  throw new RedexError("io", `${action}: ${why}`, {
    next: "put them back if there is a copy, then close the log and open it again",
  });
}
