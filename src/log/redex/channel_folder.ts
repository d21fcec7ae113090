/**
 * Where a channel lies below the folder of the log (`storage.md` 3.1): the parts of its name are folders,
 * and its own files are a `manifest` and folders of generations in the last of them.
 *
 * So `a` and `a/b` share a folder without seeing each other, but for names whose later parts are called
 * like the files of a channel: `a/v0000000001` would be removed with the old generations of `a`. Those are
 * refused. Removing a channel takes its own files and leaves what lies below it.
 */
import type { Disk } from "../../base/mod.ts";
import { requireChannelId } from "../../channel/mod.ts";
import { isOwnName } from "./disk/mod.ts";
import { RedexError } from "./error.ts";

const GENERATION = /^v[0-9]{10}$/;
const MANIFEST = /^manifest(\.tmp)?$/;
/** Files of the layout before there were generations. */
const FLAT_FILE = /^(idx|dat|ts)$/;
/** Names deeper than this are none: 255 characters are at most 128 parts. */
const DEPTH_MAX = 128;

/** Checks a channel's name. @throws RedexError `channel`. */
export function requireChannelName(name: string): void {
  try {
    requireChannelId(name);
  } catch (error) {
    throw new RedexError("channel", error instanceof Error ? error.message : String(error), {
      cause: error,
      next: "write names as room/lobby: a-z 0-9 - _ . in segments between single slashes",
    });
  }
}

/**
 * Folder of a channel that is kept on disk.
 *
 * @throws RedexError `channel` when a part of its name is called like a file of the channel above.
 */
export function channelFolder(folder: string, name: string): string {
  const parts = name.split("/");
  const taken = parts.slice(1).find((part) => GENERATION.test(part) || MANIFEST.test(part));
  if (taken !== undefined) {
    throw new RedexError(
      "channel",
      `Cannot keep channel "${name}" on disk: "${taken}" is the name of a file of the channel above`,
      { next: "choose another name for that part" },
    );
  }
  return `${folder}/${name}`;
}

/**
 * Makes the folder of a channel, for good: each name on the way is put on the device, because what is
 * synced in a folder that nobody finds is lost too.
 */
export function makeChannelFolder(disk: Disk, folder: string, name: string): void {
  const path = channelFolder(folder, name);
  // The manifest is the last thing made here, so the names above it are on the device.
  if (disk.sizeOf(`${path}/manifest`) !== undefined) return;
  disk.makeFolder(path);
  const parts = name.split("/");
  for (let depth = parts.length - 1; depth >= 0; depth--) {
    disk.syncFolder([folder, ...parts.slice(0, depth)].join("/"));
  }
  try {
    disk.syncFolder(folderAbove(folder));
  } catch (error) {
    // Who made the folder there could read the one above; where it was there before, nothing is to be done.
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

/** True when a channel of this name is kept below a folder. */
export function isChannelKept(disk: Disk, folder: string, name: string): boolean {
  return disk.list(channelFolder(folder, name)).some(isOwn);
}

/** Names of the channels that are kept below a folder, in order. */
export function listChannels(disk: Disk, folder: string): string[] {
  const names: string[] = [];
  const visit = (prefix: string, depth: number) => {
    const entries = disk.list(prefix === "" ? folder : `${folder}/${prefix}`);
    if (depth > 0 && entries.some(isOwn)) names.push(prefix);
    if (depth >= DEPTH_MAX) return;
    for (const { name, isFolder } of entries) {
      if (!isFolder || (depth > 0 && GENERATION.test(name)) || isOwnName(name)) continue;
      visit(prefix === "" ? name : `${prefix}/${name}`, depth + 1);
    }
  };
  visit("", 0);
  return names.sort();
}

/** A channel that is kept on disk. */
export interface ChannelFolder {
  readonly name: string;
  readonly folder: string;
}

/** The channels that are kept below a folder, by name; none of them is opened. */
export function listChannelFolders(disk: Disk, folder: string): ChannelFolder[] {
  return listChannels(disk, folder).map((name) => ({ name, folder: `${folder}/${name}` }));
}

/** Removes a channel's own files, and the folders that are empty then; false when there was nothing. */
export function removeChannel(disk: Disk, folder: string, name: string): boolean {
  const path = channelFolder(folder, name);
  const own = disk.list(path).filter(isOwn);
  // What a crash in between leaves is found by its names, and removed by the next try.
  for (const entry of own) disk.remove(`${path}/${entry.name}`);
  let left = folder;
  for (let parts = name.split("/"); parts.length > 0; parts = parts.slice(0, -1)) {
    const part = `${folder}/${parts.join("/")}`;
    if (disk.list(part).length > 0) {
      left = part;
      break;
    }
    disk.remove(part);
  }
  // What is removed stays so.
  if (own.length > 0) disk.syncFolder(left);
  return own.length > 0;
}

function folderAbove(path: string): string {
  const at = path.lastIndexOf("/");
  if (at < 0) return ".";
  return at === 0 ? "/" : path.slice(0, at);
}

function isOwn({ name, isFolder }: { readonly name: string; readonly isFolder: boolean }): boolean {
  if (isOwnName(name)) return true;
  return isFolder ? GENERATION.test(name) : MANIFEST.test(name) || FLAT_FILE.test(name);
}
