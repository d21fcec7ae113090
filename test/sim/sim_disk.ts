/**
 * A disk with a page cache that a test can crash.
 *
 * What was written is seen by every reader at once, and is on the device only after a sync: of a file its
 * bytes and size, of a folder its names. A crash keeps of all that was not synced what chance says: writes
 * are lost, cut anywhere, or kept while earlier ones are lost, each file by itself; names come and go in
 * order, each folder by itself, and a rename happened or did not. Operations fail on request.
 */
import type { Disk, DiskEntry, DiskFile, DiskOpenOptions } from "../../src/base/mod.ts";
import { type Chance, changeInode, createInode, Inode, syncInode } from "./sim_inode.ts";
import { Folder, missing, Names } from "./sim_names.ts";

/** What is done to the disk, before it is done. */
export interface DiskOperation {
  readonly kind:
    | "open"
    | "read"
    | "write"
    | "truncate"
    | "sync"
    | "rename"
    | "remove"
    | "makeFolder"
    | "syncFolder";
  readonly path: string;
  /** Bytes of a write. */
  readonly bytes: number;
}

/** Options of {@linkcode SimDisk}. */
export interface SimDiskOptions {
  /** What makes an operation fail; of a write, `keep` bytes are written before. */
  readonly fault?: (operation: DiskOperation) => SimFault | undefined;
}

/** A failure of an operation. */
export interface SimFault {
  readonly error: Error;
  readonly keep?: number;
}

/** Thrown by every operation after the crash. */
export class CrashedError extends Error {
  constructor() {
    super("the machine has crashed");
  }
}

/** A file system in memory. */
export class SimDisk implements Disk {
  fault: ((operation: DiskOperation) => SimFault | undefined) | undefined;
  /** Operations that change something, so far. */
  operations = 0;
  /** The machine crashes in the middle of this operation. */
  crashAt = Infinity;
  #isCrashed = false;
  readonly #names: Names;
  #openFiles = 0;
  #locks = new Set<string>();
  /** Number of the program that runs; files of earlier ones are closed. */
  #program = 0;

  constructor({ fault }: SimDiskOptions = {}, names: Names = new Names()) {
    this.fault = fault;
    this.#names = names;
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  /** Files that were opened and not closed. */
  get openFiles(): number {
    return this.#openFiles;
  }

  /** Bytes of all files. */
  get bytes(): number {
    let sum = 0;
    for (const [, node] of this.#names.walk()) if (node instanceof Inode) sum += node.cached.length;
    return sum;
  }

  /** Paths of all files. */
  get paths(): string[] {
    return [...this.#names.walk()].filter(([, node]) => node instanceof Inode)
      .map(([path]) => path).sort();
  }

  open(path: string, { create, createNew, readOnly }: DiskOpenOptions = {}): DiskFile {
    let node = this.#names.find(path);
    const isNew = node === undefined && (create === true || createNew === true);
    this.#begin(isNew ? "open" : undefined, path);
    if (node instanceof Folder) throw new Deno.errors.IsADirectory("Is a directory (os error 21)");
    if (node !== undefined && createNew) {
      throw new Deno.errors.AlreadyExists("File exists (os error 17)");
    }
    if (node === undefined) {
      if (!isNew) throw missing();
      node = createInode();
      this.#names.set(path, node);
    }
    this.#openFiles += 1;
    return this.#file(path, node, readOnly === true);
  }

  sizeOf(path: string): number | undefined {
    this.#begin(undefined, path);
    const node = this.#names.find(path);
    return node instanceof Inode ? node.cached.length : undefined;
  }

  list(path: string): readonly DiskEntry[] {
    this.#begin(undefined, path);
    const folder = this.#names.find(path);
    if (!(folder instanceof Folder)) return [];
    return [...folder.cached].map(([name, node]) => ({ name, isFolder: node instanceof Folder }))
      .sort((left, right) => left.name < right.name ? -1 : 1);
  }

  makeFolder(path: string): void {
    const parts = path.split("/");
    for (let count = 1; count <= parts.length; count++) {
      const part = parts.slice(0, count).join("/");
      const node = this.#names.find(part);
      if (node instanceof Folder) continue;
      if (node !== undefined) throw new Deno.errors.NotADirectory("Not a directory (os error 20)");
      this.#begin("makeFolder", part);
      this.#names.set(part, new Folder());
    }
  }

  rename(from: string, to: string): void {
    this.#begin("rename", from);
    this.#names.move(from, to);
  }

  remove(path: string): void {
    const node = this.#names.find(path);
    if (node === undefined) return;
    // As the operating system does it: one name after the other, from the bottom.
    if (node instanceof Folder) {
      for (const { name } of this.list(path)) this.remove(`${path}/${name}`);
    }
    this.#begin("remove", path);
    this.#names.set(path, undefined);
  }

  syncFolder(path: string): void {
    const folder = this.#names.find(path);
    if (!(folder instanceof Folder)) throw missing();
    this.#begin("syncFolder", path);
    this.#names.sync(folder);
  }

  lock(path: string): (() => void) | undefined {
    this.#begin(undefined, path);
    this.#names.place(path);
    if (this.#locks.has(path)) return undefined;
    const locks = this.#locks;
    locks.add(path);
    return () => void locks.delete(path);
  }

  /** The disk as the machine finds it when it is on again. */
  afterCrash(chance: Chance): SimDisk {
    this.#isCrashed = true;
    return new SimDisk({}, this.#names.afterCrash(chance));
  }

  /** The program was killed: what it has open is closed, and nothing is lost for the next one. */
  kill(): void {
    this.#isCrashed = false;
    this.crashAt = Infinity;
    this.#program += 1;
    this.#openFiles = 0;
    this.#locks = new Set();
  }

  #file(path: string, inode: Inode, isReadOnly: boolean): DiskFile {
    let isOpen = true;
    const program = this.#program;
    const begin = (kind: DiskOperation["kind"] | undefined, bytes = 0) => {
      if (program !== this.#program) throw new CrashedError();
      if (!isOpen) throw new Deno.errors.BadResource("Bad resource ID");
      return this.#begin(kind, path, bytes);
    };
    const change = (kind: "write" | "truncate", bytes: number) => {
      if (isReadOnly) throw new Error("Bad file descriptor (os error 9)");
      return begin(kind, bytes);
    };
    return {
      size: () => {
        begin(undefined);
        return inode.cached.length;
      },
      readAt: (offset, into) => {
        begin(undefined);
        this.#fail({ kind: "read", path, bytes: into.length });
        const part = inode.cached.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      writeAt: (offset, bytes) => {
        const fault = change("write", bytes.length);
        const keep = fault === undefined ? bytes.length : Math.min(fault.keep ?? 0, bytes.length);
        if (keep > 0) {
          changeInode(inode, { kind: "write", offset, bytes: bytes.slice(0, keep), isLost: false });
        }
        if (fault !== undefined) throw fault.error;
      },
      truncate: (size) => {
        const fault = change("truncate", 0);
        if (fault !== undefined) throw fault.error;
        changeInode(inode, { kind: "truncate", size, isLost: false });
      },
      sync: async () => {
        begin(undefined);
        const upTo = inode.changes.length;
        // Another thread does it; what is written meanwhile need not be part of it.
        for (let i = 0; i < 3; i++) await Promise.resolve();
        if (program !== this.#program) throw new CrashedError();
        this.#sync(inode, path, upTo);
      },
      syncNow: () => {
        begin(undefined);
        this.#sync(inode, path, inode.changes.length);
      },
      close: () => {
        if (!isOpen || program !== this.#program) return;
        isOpen = false;
        this.#openFiles -= 1;
      },
    };
  }

  #sync(inode: Inode, path: string, upTo: number): void {
    const changes = inode.changes.slice(0, upTo);
    try {
      this.#begin("sync", path);
    } catch (error) {
      // Linux takes the pages for clean after a failed sync: nobody writes them any more.
      for (const change of changes) change.isLost = true;
      throw error;
    }
    syncInode(inode, changes);
  }

  /** Counts an operation that changes something, and fails or crashes as was asked for. */
  #begin(kind: DiskOperation["kind"] | undefined, path: string, bytes = 0): SimFault | undefined {
    if (this.#isCrashed) throw new CrashedError();
    if (kind === undefined) return undefined;
    this.operations += 1;
    if (this.operations >= this.crashAt) {
      this.#isCrashed = true;
      // The write had begun; how much of it is left is a matter of chance, as with every write.
      if (kind === "write") return { error: new CrashedError(), keep: Infinity };
      throw new CrashedError();
    }
    if (kind === "write" || kind === "truncate") return this.fault?.({ kind, path, bytes });
    this.#fail({ kind, path, bytes });
    return undefined;
  }

  #fail(operation: DiskOperation): void {
    const fault = this.fault?.(operation);
    if (fault !== undefined) throw fault.error;
  }
}
