/**
 * A disk with a page cache that a test can crash.
 *
 * What was written is seen by every reader at once, and is on the device only after a sync: of a file its
 * bytes and size, of a folder its names. A crash keeps of all that was not synced what chance says: writes
 * are lost, cut anywhere, or kept while earlier ones are lost, each file by itself; names come and go in
 * order, each folder by itself, and a rename happened or did not. Operations fail on request.
 */
import type { Disk, DiskEntry, DiskFile, DiskOpenOptions } from "../../src/base/mod.ts";
import {
  bytesAfterCrash,
  type Chance,
  changeInode,
  createInode,
  type Inode,
  syncInode,
} from "./sim_inode.ts";

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

/** A change of names that is not on the device. */
interface NameChange {
  readonly folders: readonly string[];
  readonly apply: (names: Map<string, Inode | "folder">) => void;
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
  /** Path to what is there, as readers see it. */
  #names = new Map<string, Inode | "folder">();
  readonly #storedNames: Map<string, Inode | "folder">;
  #nameChanges: NameChange[] = [];
  #openFiles = 0;
  /** Number of the program that runs; files of earlier ones are closed. */
  #program = 0;

  constructor(
    { fault }: SimDiskOptions = {},
    names: Map<string, Inode | "folder"> = new Map([["", "folder"]]),
  ) {
    this.fault = fault;
    this.#names = names;
    this.#storedNames = new Map(names);
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
    for (const inode of this.#names.values()) if (inode !== "folder") sum += inode.cached.length;
    return sum;
  }

  /** Paths of all files. */
  get paths(): string[] {
    return [...this.#names].filter(([, inode]) => inode !== "folder").map(([path]) => path).sort();
  }

  open(path: string, { create, createNew, readOnly }: DiskOpenOptions = {}): DiskFile {
    let inode = this.#names.get(path);
    const isNew = inode === undefined && (create === true || createNew === true);
    this.#begin(isNew ? "open" : undefined, path);
    if (inode === "folder") throw new Deno.errors.IsADirectory("Is a directory (os error 21)");
    if (inode !== undefined && createNew) {
      throw new Deno.errors.AlreadyExists("File exists (os error 17)");
    }
    if (inode === undefined) {
      if (!isNew) throw missing();
      this.#requireFolder(folderOf(path));
      const created = createInode();
      inode = created;
      this.#change([folderOf(path)], (names) => names.set(path, created));
    }
    this.#openFiles += 1;
    return this.#file(path, inode, readOnly === true);
  }

  sizeOf(path: string): number | undefined {
    this.#begin(undefined, path);
    const inode = this.#names.get(path);
    return inode === undefined || inode === "folder" ? undefined : inode.cached.length;
  }

  list(path: string): readonly DiskEntry[] {
    this.#begin(undefined, path);
    const entries: DiskEntry[] = [];
    for (const [other, inode] of this.#names) {
      if (other === "" || folderOf(other) !== path) continue;
      entries.push({ name: other.slice(path.length + 1), isFolder: inode === "folder" });
    }
    return entries.sort((left, right) => left.name < right.name ? -1 : 1);
  }

  makeFolder(path: string): void {
    const parts = path.split("/");
    for (let count = 1; count <= parts.length; count++) {
      const part = parts.slice(0, count).join("/");
      const inode = this.#names.get(part);
      if (inode === "folder") continue;
      if (inode !== undefined) throw new Deno.errors.NotADirectory("Not a directory (os error 20)");
      this.#begin("makeFolder", part);
      this.#change([folderOf(part)], (names) => names.set(part, "folder"));
    }
  }

  rename(from: string, to: string): void {
    this.#begin("rename", from);
    const inode = this.#names.get(from);
    if (inode === undefined) throw missing();
    this.#requireFolder(folderOf(to));
    if (inode === "folder") {
      this.#moveFolder(from, to);
      return;
    }
    this.#change([folderOf(from), folderOf(to)], (names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  remove(path: string): void {
    const inode = this.#names.get(path);
    if (inode === undefined) return;
    // As the operating system does it: one name after the other, from the bottom.
    if (inode === "folder") {
      for (const { name } of this.list(path)) this.remove(`${path}/${name}`);
    }
    this.#begin("remove", path);
    this.#change([folderOf(path)], (names) => names.delete(path));
  }

  syncFolder(path: string): void {
    this.#requireFolder(path);
    this.#begin("syncFolder", path);
    // A journal puts earlier changes of the other folder of a rename on the device too.
    const folders = new Set([path]);
    const isKept = (change: NameChange) => change.folders.some((folder) => folders.has(folder));
    for (let at = this.#nameChanges.length - 1; at >= 0; at--) {
      const change = this.#nameChanges[at] as NameChange;
      if (isKept(change)) { for (const folder of change.folders) folders.add(folder); }
    }
    for (const change of this.#nameChanges) if (isKept(change)) change.apply(this.#storedNames);
    this.#nameChanges = this.#nameChanges.filter((change) => !isKept(change));
  }

  /** The disk as the machine finds it when it is on again. */
  afterCrash(chance: Chance): SimDisk {
    this.#isCrashed = true;
    const names = this.#namesAfterCrash(chance);
    const inodes = new Map<Inode, Inode>();
    const kept = new Map<string, Inode | "folder">();
    for (const [path, inode] of names) {
      // What is in a folder that is lost, is lost.
      if (path !== "" && !hasFolders(names, path)) continue;
      if (inode === "folder") {
        kept.set(path, inode);
        continue;
      }
      let fresh = inodes.get(inode);
      if (fresh === undefined) {
        fresh = createInode(bytesAfterCrash(inode, chance));
        inodes.set(inode, fresh);
      }
      kept.set(path, fresh);
    }
    return new SimDisk({}, kept);
  }

  /** The program was killed: what it has open is closed, and nothing is lost for the next one. */
  kill(): void {
    this.#isCrashed = false;
    this.crashAt = Infinity;
    this.#program += 1;
    this.#openFiles = 0;
  }

  #namesAfterCrash(chance: Chance): Map<string, Inode | "folder"> {
    const names = new Map(this.#storedNames);
    const cuts = new Map<string, number>();
    const lost = new Set<string>();
    const all = chance() < 0.3;
    for (const [at, { folders, apply }] of this.#nameChanges.entries()) {
      for (const folder of folders) {
        if (!cuts.has(folder)) {
          cuts.set(folder, all ? Infinity : Math.floor(chance() * (this.#nameChanges.length + 1)));
        }
        if (at >= (cuts.get(folder) ?? 0)) lost.add(folder);
      }
      if (folders.some((folder) => lost.has(folder))) {
        for (const folder of folders) lost.add(folder);
      } else apply(names);
    }
    return names;
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

  /** What was named in it before is on the device when its new name is. */
  #moveFolder(from: string, to: string): void {
    const inside = [...this.#names.keys()].filter((path) => path.startsWith(`${from}/`));
    const folders = inside.filter((path) => this.#names.get(path) === "folder");
    this.#change([folderOf(from), folderOf(to), from, ...folders], (names) => {
      for (const [path, inode] of [...names]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        names.delete(path);
        names.set(to + path.slice(from.length), inode);
      }
    });
  }

  #change(folders: readonly string[], apply: NameChange["apply"]): void {
    apply(this.#names);
    this.#nameChanges.push({ folders: [...new Set(folders)], apply });
  }

  #requireFolder(path: string): void {
    if (this.#names.get(path) !== "folder") throw missing();
  }
}

function hasFolders(names: ReadonlyMap<string, unknown>, path: string): boolean {
  for (let above = folderOf(path); above !== ""; above = folderOf(above)) {
    if (names.get(above) !== "folder") return false;
  }
  return true;
}

function folderOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : path.slice(0, at);
}

function missing(): Error {
  return new Deno.errors.NotFound("No such file or directory (os error 2)");
}
