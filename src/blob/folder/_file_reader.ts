/**
 * Reads files of a folder that others may be changing (`dataforts.md` 14).
 *
 * A path that became a link or a pipe is not followed and not waited for. A file counts as read only when it is the
 * same before and behind the reading: same file, size, and times to the millisecond. What is written twice within one
 * millisecond, the second time into the file being read and to the same length, is not noticed.
 */
import { Buffer } from "node:buffer";
import {
  closeSync,
  constants,
  open as openFile,
  openSync,
  read as readFile,
  readSync,
} from "node:fs";
import type { ByteSource } from "../byte_source.ts";

/** How a file was at some moment. */
export interface FileState {
  readonly mode: number;
  readonly size: number;
  readonly device: number;
  readonly number: number;
  /** Unix milliseconds; 0 where the system does not say. */
  readonly writtenAtMs: number;
  readonly changedAtMs: number;
}

/** Neither follows a link nor waits for the other end of a pipe; both are nothing on Windows. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** How a path is; `undefined` when it is no file. */
export function stateOfFile(path: string): FileState | undefined {
  const { isFile, mode, size, dev, ino, mtime, ctime } = Deno.lstatSync(path);
  if (!isFile) return undefined;
  return {
    mode: mode ?? 0,
    size,
    device: dev,
    number: ino ?? 0,
    writtenAtMs: mtime?.getTime() ?? 0,
    changedAtMs: ctime?.getTime() ?? 0,
  };
}

/** True when nothing shows that something happened to a file. */
export function isSameState(left: FileState, right: FileState): boolean {
  return left.size === right.size && left.changedAtMs === right.changedAtMs &&
    left.writtenAtMs === right.writtenAtMs && left.number === right.number &&
    left.device === right.device && left.mode === right.mode;
}

/**
 * Reads a file into `into`.
 *
 * @returns Bytes read; as many as `into` has when there may be more.
 */
export function readWholeFile(path: string, into: Uint8Array): number {
  const file = openSync(path, FLAGS);
  try {
    let length = 0;
    while (length < into.length) {
      const count = readSync(file, into, length, into.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return length;
  } finally {
    closeSync(file);
  }
}

/** Opens a file to be read on another thread. */
export async function openFileSource(path: string): Promise<ByteSource & { close(): void }> {
  const file = await new Promise<number>((resolve, reject) => {
    openFile(path, FLAGS, (error, opened) => error ? reject(error) : resolve(opened));
  });
  return {
    read: (into) =>
      new Promise((resolve, reject) => {
        const view = Buffer.from(into.buffer, into.byteOffset, into.length);
        readFile(file, view, 0, view.length, null, (error, count) => {
          if (error) reject(error);
          else resolve(count === 0 ? null : count);
        });
      }),
    close: () => closeSync(file),
  };
}
