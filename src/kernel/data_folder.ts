/**
 * Exclusive use of a data folder: a lock file that names its owner (`decisions.md` 6).
 *
 * The operating system holds the lock, so it is gone the moment its owner is, however that ended.
 */

import { NetError, toNetError } from "../base/mod.ts";

/** Name of the lock file inside the data folder. */
export const LOCK_FILE = "lock";
/** Where a running node says how to reach it. */
export const NODE_FILE = "node.json";

/** A data folder in use by this process. */
export interface DataFolder {
  readonly path: string;
  /** Says where the node's control socket is, for commands that name only the folder. */
  announce(socketPath: string): Promise<void>;
  /** Gives the folder up; idempotent. */
  release(): Promise<void>;
}

/**
 * Takes a data folder for this process; the folder is made with mode 0700 when it is missing.
 *
 * @throws NetError `data_dir_locked` when another process has it, `data_dir_unusable` when it cannot be
 * used at all.
 */
export async function takeDataFolder(path: string): Promise<DataFolder> {
  let file: Deno.FsFile;
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    file = await Deno.open(`${path}/${LOCK_FILE}`, {
      create: true,
      read: true,
      write: true,
      mode: 0o600,
    });
  } catch (error) {
    const known = toNetError(error, "Cannot use data folder");
    if (known.code === "no_space") throw known;
    throw new NetError(
      "data_dir_unusable",
      `Cannot use data folder "${path}": ${(error as Error).message}`,
      { cause: error, next: "give a folder that you may write to with --data-dir" },
    );
  }
  if (!await file.tryLock(true)) {
    const owner = (await Deno.readTextFile(`${path}/${LOCK_FILE}`).catch(() => "")).trim();
    file.close();
    throw new NetError(
      "data_dir_locked",
      `Cannot use data folder "${path}": ${
        owner === "" ? "another process" : `process ${owner}`
      } has it`,
      { next: "talk to that node with the same --data-dir, or stop it with net node stop" },
    );
  }
  const nodeFile = `${path}/${NODE_FILE}`;
  try {
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    await Deno.remove(nodeFile).catch(() => {}); // Left by an owner that was killed.
  } catch (error) {
    file.close();
    throw toNetError(error, `Cannot use data folder "${path}"`);
  }
  let isReleased = false;
  return {
    path,
    announce: async (socketPath) => {
      const text = JSON.stringify({ pid: Deno.pid, socket: socketPath }) + "\n";
      await Deno.writeTextFile(`${nodeFile}.new`, text, { mode: 0o600 });
      await Deno.rename(`${nodeFile}.new`, nodeFile);
    },
    release: async () => {
      if (isReleased) return;
      isReleased = true;
      await Deno.remove(nodeFile).catch(() => {});
      await file.truncate(0).catch(() => {});
      file.close();
    },
  };
}
