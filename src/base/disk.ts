/**
 * Files as the log needs them: synchronous writes, because an await per write costs fifty times as
 * much, and handed in, because tests tear, drop and refuse what was written.
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
  /**
   * Takes a file, which is made if there is none, for one holder among all programs of the machine; the result
   * gives it back, and the end of the program does. `undefined` when somebody has it. A disk that nobody else can
   * reach has no need of this.
   */
  lock?(path: string): (() => void) | undefined;
}
