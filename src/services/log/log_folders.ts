/**
 * Folders of logs that nobody has open: verified, and brought in order. Also those of the Rust core.
 *
 * A folder that belongs to a node is looked at under the node's lock, so that nobody changes it meanwhile.
 */
import { type Clock, type Disk, isMissing, NetError } from "../../base/mod.ts";
import { LOCK_FILE, takeDataFolder } from "../../kernel/mod.ts";
import {
  type ChannelFolder,
  type FolderReport,
  listChannelFolders,
  repairFolder,
  verifyFolder,
} from "../../log/mod.ts";

/** What {@linkcode checkLogFolders} needs. */
export interface CheckLogFoldersDeps {
  readonly disk: Disk;
  readonly clock: Clock;
}

/** Options of {@linkcode checkLogFolders}. */
export interface CheckLogFoldersOptions {
  /** Takes out what is damaged or torn, instead of only telling of it. */
  readonly isRepairing?: boolean;
  /** Copies what is taken out into a folder beside it. */
  readonly isKeepingTaken?: boolean;
  readonly signal?: AbortSignal;
  /** Told of each log when it is done. */
  readonly onChecked?: (check: LogFolderCheck) => void | Promise<void>;
}

/** What was found in one folder. */
export interface LogFolderCheck {
  /** Name of the channel below the folder that was given; empty for the folder itself. */
  readonly channel: string;
  /** What it is now. */
  readonly report: FolderReport;
  /** What it was, where it was repaired. */
  readonly before: FolderReport | undefined;
  /** Folder with copies of what was taken out. */
  readonly taken: string | undefined;
}

/** Folders above one of logs that may be a node's. */
const ABOVE_MAX = 256;

/**
 * Verifies, or repairs, the log in a folder and all logs below it.
 *
 * @throws NetError `not_found` without a log, `data_dir_locked` when a node runs on it; RedexError `io`.
 */
export async function checkLogFolders(
  { disk, clock }: CheckLogFoldersDeps,
  folder: string,
  options: CheckLogFoldersOptions = {},
): Promise<readonly LogFolderCheck[]> {
  const { isRepairing = false, isKeepingTaken, signal, onChecked } = options;
  const owner = await dataFolderOf(folder);
  const lock = owner === undefined ? undefined : await takeDataFolder(owner);
  try {
    const found = foldersIn(disk, folder);
    if (found.length === 0) {
      throw new NetError("not_found", `Cannot find a log in "${folder}"`, {
        next: "name the folder of a log, or one above several",
      });
    }
    const checks: LogFolderCheck[] = [];
    for (const { name, folder: path } of found) {
      signal?.throwIfAborted();
      const check: LogFolderCheck = isRepairing
        ? toCheck(name, await repairFolder(disk, path, { clock, signal, isKeepingTaken }))
        : {
          channel: name,
          report: await verifyFolder(disk, path, { clock, signal }),
          before: undefined,
          taken: undefined,
        };
      checks.push(check);
      await onChecked?.(check);
    }
    return checks;
  } finally {
    await lock?.release();
  }
}

function toCheck(
  channel: string,
  { before, after, taken }: Awaited<ReturnType<typeof repairFolder>>,
): LogFolderCheck {
  return { channel, report: after, before, taken };
}

const GENERATION = /^v[0-9]{10}(\/|$)/;

/** The folder itself, where it is that of a log, and those below it. */
function foldersIn(disk: Disk, folder: string): ChannelFolder[] {
  const isOwn = disk.list(folder).some(({ name, isFolder }) =>
    isFolder ? GENERATION.test(name) : name === "manifest" || name === "idx"
  );
  const below = listChannelFolders(disk, folder);
  if (!isOwn) return below;
  return [{ name: "", folder }, ...below.filter(({ name }) => !GENERATION.test(name))];
}

/** The data folder of a node that has this folder in it. */
async function dataFolderOf(folder: string): Promise<string | undefined> {
  let path = folder;
  for (let i = 0; i < ABOVE_MAX; i++) {
    if (await isThere(`${path}/${LOCK_FILE}`) && await isThere(`${path}/identity.key`)) return path;
    const above = path.slice(0, path.lastIndexOf("/"));
    if (above === "" || above === path) return undefined;
    path = above;
  }
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error) || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}
