/**
 * Files as the log and the chunk store need them: synchronous writes, because an await per small write
 * costs fifty times as much, and handed in, because tests tear, drop and refuse what was written.
 *
 * What takes long on a slow device has a twin on another thread (`…Aside`). A disk without it is asked the
 * plain way, by the functions of the same names.
 *
 * Every call throws what the operating system says, as the `Deno.errors` of the same name; whoever
 * calls turns it into a typed error with `toNetError`.
 */

/** How a file is opened; it is always readable and writable. */
export interface DiskOpenOptions {
  /** Makes the file if there is none. */
  readonly create?: boolean;
  /** Makes the file, and fails if there is one. */
  readonly createNew?: boolean;
  /** Only reads: works on a read-only file system too. */
  readonly readOnly?: boolean;
}

/** An open file. */
export interface DiskFile {
  /** Bytes it has now. */
  size(): number;
  /** Reads from `offset` into `into`; the bytes read, fewer than asked for at the end only. */
  readAt(offset: number, into: Uint8Array): number;
  /** Writes all of `bytes` at `offset`, or throws; then a prefix of them may have been written. */
  writeAt(offset: number, bytes: Uint8Array): void;
  /** As {@linkcode DiskFile.readAt}; nothing else is done with the file until it is done. */
  readAside?(offset: number, into: Uint8Array): Promise<number>;
  /** As {@linkcode DiskFile.writeAt}; nothing else is done with the file, or the bytes, until it is done. */
  writeAside?(offset: number, bytes: Uint8Array): Promise<void>;
  /** As {@linkcode DiskFile.writeAside}, for what is not read soon: it need not stay in the system's memory. */
  writePast?(offset: number, bytes: Uint8Array): Promise<void>;
  truncate(size: number): void;
  /** Puts data and size on the device, on another thread. */
  sync(): Promise<void>;
  syncNow(): void;
  close(): void;
}

/** What a folder has. */
export interface DiskEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** Bytes of a file system. */
export interface DiskRoom {
  /** Bytes that this user may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** A file system. */
export interface Disk {
  open(path: string, options?: DiskOpenOptions): DiskFile;
  /** Size of a file; `undefined` when there is none. */
  sizeOf(path: string): number | undefined;
  /** Entries of a folder by name; none when there is no such folder. */
  list(path: string): readonly DiskEntry[];
  /** Makes a folder and those above it (mode 0700); fine when it is there. */
  makeFolder(path: string): void;
  /** Replaces `to`. */
  rename(from: string, to: string): void;
  /** Removes a file, or a folder with all that is in it; fine when there is none. */
  remove(path: string): void;
  /** The same on another thread: giving gigabytes back takes seconds. Left out where it makes no difference. */
  removeAside?(path: string): Promise<void>;
  /** Puts the names in a folder on the device. */
  syncFolder(path: string): void;
  /** The same on another thread. */
  syncFolderAside?(path: string): Promise<void>;
  /** As {@linkcode Disk.list}, in no particular order. */
  listAside?(path: string): Promise<readonly DiskEntry[]>;
  /** False when there is nothing at a path, or nothing that may be seen; quicker than {@linkcode Disk.sizeOf}. */
  mayHave?(path: string): boolean;
  /** When a file was written last, in Unix milliseconds; `undefined` when nobody knows. */
  writtenAtMs?(path: string): number | undefined;
  /** Room of the file system that a folder is on; `undefined` when nobody knows. */
  roomOf?(path: string): DiskRoom | undefined;
  /**
   * Takes a file, which is made if there is none, for one holder among all programs of the machine; the result
   * gives it back, and the end of the program does. `undefined` when somebody has it. A disk that nobody else can
   * reach has no need of this.
   */
  lock?(path: string): (() => void) | undefined;
}

/** Reads from a file, on another thread where the disk can. */
export function readAside(file: DiskFile, offset: number, into: Uint8Array): Promise<number> {
  return file.readAside?.(offset, into) ?? attempt(() => file.readAt(offset, into));
}

/** Writes to a file, on another thread where the disk can. */
export function writeAside(file: DiskFile, offset: number, bytes: Uint8Array): Promise<void> {
  return file.writeAside?.(offset, bytes) ?? attempt(() => file.writeAt(offset, bytes));
}

/** Writes what is not read soon. */
export function writePast(file: DiskFile, offset: number, bytes: Uint8Array): Promise<void> {
  return file.writePast?.(offset, bytes) ?? writeAside(file, offset, bytes);
}

/** Puts the names in a folder on the device, on another thread where the disk can. */
export function syncFolderAside(disk: Disk, path: string): Promise<void> {
  return disk.syncFolderAside?.(path) ?? attempt(() => disk.syncFolder(path));
}

/** Entries of a folder, looked up on another thread where the disk can. */
export function listAside(disk: Disk, path: string): Promise<readonly DiskEntry[]> {
  return disk.listAside?.(path) ?? attempt(() => disk.list(path));
}

/** What `action` throws becomes a rejection, as of a disk that works aside. */
function attempt<T>(action: () => T): Promise<T> {
  return new Promise((resolve) => resolve(action()));
}
