/**
 * Brings a channel's folder in order for good: what opening cuts off, and what it otherwise passes over at every
 * open, is taken out.
 */
import { type Clock, type Disk, NetError, systemClock } from "../../../base/mod.ts";
import { diskFailure } from "./disk_failure.ts";
import type { FolderReport } from "./folder_report.ts";
import { openForRepair } from "./open_store.ts";
import { Slices } from "./slices.ts";
import { takeOut } from "./take_out.ts";
import { verifyFolder } from "./verify_folder.ts";

/** Options of {@linkcode repairFolder}. */
export interface RepairFolderOptions {
  /** Copies what goes into a folder of the channel's folder first. */
  readonly isKeepingTaken?: boolean;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** Outcome of {@linkcode repairFolder}. */
export interface RepairReport {
  readonly before: FolderReport;
  readonly after: FolderReport;
  /** Folder with copies of what went; `undefined` when nothing went, or it was not asked for. */
  readonly taken: string | undefined;
}

/**
 * Repairs a channel's folder that nobody has open; one that is sound is left as it is.
 *
 * @throws NetError `not_found` when there is no channel in it.
 * @throws RedexError `io`, `no_space`, `seq_out_of_range`.
 */
export async function repairFolder(
  disk: Disk,
  folder: string,
  options: RepairFolderOptions = {},
): Promise<RepairReport> {
  const { clock = systemClock, signal, isKeepingTaken = false } = options;
  const before = await verifyFolder(disk, folder, { clock, signal });
  if (before.generation === undefined && before.segments.length === 0) {
    throw new NetError("not_found", `Cannot repair log "${folder}": there is none`, {
      next: "list the logs with net log ls",
    });
  }
  if (before.isSound) return { before, after: before, taken: undefined };
  try {
    const taken = isKeepingTaken
      ? await takeOut(disk, folder, before, new Slices(clock, signal))
      : undefined;
    const store = await openForRepair({ disk, clock, folder });
    try {
      await store.compact(store.firstSeq);
    } finally {
      await store.close();
    }
    const after = await verifyFolder(disk, folder, { clock, signal });
    return { before, after, taken };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof NetError) throw error;
    throw diskFailure(error, `Cannot repair log "${folder}"`);
  }
}
