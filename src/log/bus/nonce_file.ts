/**
 * The number that a producer keeps over restarts, so that an engine can tell a batch it already has: nine bytes,
 * version 1 and the number (`storage.md` 2.1).
 */
import type { Disk, RandomBytes } from "../../base/mod.ts";
import { BusError } from "./error.ts";

const VERSION = 1;
const FILE_BYTES = 9;

/** A new number; 0 becomes 1. */
export function createNonce(random: RandomBytes): bigint {
  const bytes = random(8);
  const nonce = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return nonce === 0n ? 1n : nonce;
}

/**
 * The number in a file, made when there is none. It is on the device when this returns.
 *
 * @throws BusError `fatal` when the file is no such file, or cannot be read, written or synced.
 */
export function loadNonce(disk: Disk, path: string, random: RandomBytes): bigint {
  try {
    const kept = readNonce(disk, path);
    if (kept !== undefined) return kept;
    const nonce = createNonce(random);
    writeNonce(disk, path, nonce);
    return nonce;
  } catch (cause) {
    if (cause instanceof BusError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BusError("fatal", `Cannot keep producer number in "${path}": ${why}`, {
      cause,
      next: "make the folder writable, or configure another producerNoncePath",
    });
  }
}

function readNonce(disk: Disk, path: string): bigint | undefined {
  const size = disk.sizeOf(path);
  if (size === undefined) return undefined;
  if (size !== FILE_BYTES) {
    throw damaged(path, `it has ${size} bytes, must have ${FILE_BYTES}`);
  }
  const bytes = new Uint8Array(FILE_BYTES);
  const file = disk.open(path, { readOnly: true });
  try {
    if (file.readAt(0, bytes) !== FILE_BYTES) throw damaged(path, "it became shorter");
  } finally {
    file.close();
  }
  const view = new DataView(bytes.buffer);
  if (view.getUint8(0) !== VERSION) {
    throw damaged(path, `it is of version ${view.getUint8(0)}, must be ${VERSION}`);
  }
  const nonce = view.getBigUint64(1, true);
  return nonce === 0n ? 1n : nonce;
}

function writeNonce(disk: Disk, path: string, nonce: bigint): void {
  const bytes = new Uint8Array(FILE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setBigUint64(1, nonce, true);
  const temporary = `${path}.tmp`;
  // One that a crash left behind is written over.
  const file = disk.open(temporary, { create: true });
  try {
    file.truncate(0);
    file.writeAt(0, bytes);
    file.syncNow();
  } finally {
    file.close();
  }
  disk.rename(temporary, path);
  disk.syncFolder(folderOf(path));
}

function folderOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : end === 0 ? "/" : path.slice(0, end);
}

function damaged(path: string, why: string): BusError {
  return new BusError("fatal", `Cannot read producer number from "${path}": ${why}`, {
    next: "remove the file: the bus makes a new one, and engines take it for a new producer",
  });
}
