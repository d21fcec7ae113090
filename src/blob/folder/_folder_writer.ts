/**
 * Writes files, folders and links into a new folder that nobody else may enter yet (`dataforts.md` 14).
 *
 * Files are made with `O_EXCL`: should something be in their place, were it a link, it is an error and is not
 * followed. Links are made last, so that no path written to leads through one.
 */
import { syncFileSystem } from "../../base/mod.ts";
import { syncFolder } from "../file_chunk_store.ts";

/** Files that are synced at the same time where each must be. */
const SYNCS_MAX = 16;

/** More files than this are synced with all that is on their file system; fewer must not wait for that. */
const FILES_FEW = 64;

/** Makes a file of bytes in memory. */
export function writeSmallFile(path: string, bytes: Uint8Array, mode: number | undefined): void {
  // With a mode the runtime sets exactly that, whatever the mask of the process.
  Deno.writeFileSync(path, bytes, { createNew: true, mode });
}

/** A file that is written piece by piece. */
export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** Sets the permissions, where there are any. */
  finish(): Promise<void>;
  close(): void;
}

/** Makes a file to be written piece by piece. */
export async function openFileWriter(path: string, mode: number | undefined): Promise<FileWriter> {
  const file = await Deno.open(path, { createNew: true, write: true });
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    },
    finish: async () => {
      if (mode !== undefined) await Deno.chmod(path, mode);
    },
    close: () => file.close(),
  };
}

/** Makes a link; false when the file system does not take it. */
export function makeLink(path: string, target: string): boolean {
  try {
    Deno.symlinkSync(target, path);
    return true;
  } catch {
    // The reference makes what it can, and so do we: no privilege, or no links here.
    return false;
  }
}

/** Puts files and folders on the device, with all their names; paths are relative to `root`. */
export async function syncAll(
  root: string,
  dirs: readonly string[],
  files: readonly string[],
): Promise<void> {
  if (files.length > FILES_FEW && await syncFileSystem(root)) return;
  const left = files.values();
  const sync = async () => {
    for (let next = left.next(); !next.done; next = left.next()) {
      using file = await Deno.open(`${root}/${next.value}`);
      await file.sync();
    }
  };
  await Promise.all(Array.from({ length: SYNCS_MAX }, sync));
  for (const dir of dirs) await syncFolder(`${root}/${dir}`);
  await syncFolder(root);
}

/** True when names that differ in case or composition are one here, as seen in a new folder of ours. */
export function foldsNames(root: string): boolean {
  // U+00E9 in one and in two code points; the letter before it in both cases.
  const [probe, others] = ["probe-\u00e9", ["PROBE-\u00e9", "probe-e\u0301", "PROBE-\u00c9"]];
  Deno.writeFileSync(`${root}/${probe}`, new Uint8Array(0), { createNew: true });
  try {
    return others.some((name) => {
      try {
        Deno.lstatSync(`${root}/${name}`);
        return true;
      } catch {
        return false;
      }
    });
  } finally {
    Deno.removeSync(`${root}/${probe}`);
  }
}
