/**
 * The files of packs, `packs/<number>.pack`: one is appended to, the others are read.
 *
 * Knows places and bytes, not what they mean.
 */
import { type Disk, type DiskFile, syncFolderAside } from "../../base/mod.ts";
import { decodeHeader, type PackRecord, RECORD_HEADER_BYTES } from "./pack_record.ts";

/** Packs open for reading; each is one descriptor. */
const OPEN_MAX = 16;

/** The pack files of one folder. */
export class PackFiles {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #bytesMax: number;
  /** Open files, the one used last at the end. */
  readonly #open = new Map<number, DiskFile>();
  /** Bytes of every pack. */
  readonly #sizes = new Map<number, number>();
  /** Packs with bytes that were not synced. */
  readonly #dirty = new Set<number>();
  #nextNumber = 1;
  #current: number | undefined;
  #hasNewNames = false;

  /** @param bytesMax A pack this large is not appended to. */
  constructor(disk: Disk, folder: string, bytesMax: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  /** Makes the folder, and finds what is in it. */
  open(): void {
    this.#disk.makeFolder(this.#folder);
    this.#disk.syncFolder(this.#folder.slice(0, this.#folder.lastIndexOf("/")));
    for (const { name, isFolder } of this.#disk.list(this.#folder)) {
      const [, digits] = /^(\d{1,12})\.pack$/.exec(name) ?? [];
      if (digits === undefined || isFolder) continue;
      const number = Number(digits);
      this.#sizes.set(number, this.#disk.sizeOf(this.#path(number)) ?? 0);
      this.reserve(number);
    }
  }

  /** Numbers up to this one are used up. */
  reserve(number: number): void {
    this.#nextNumber = Math.max(this.#nextNumber, number + 1);
  }

  /** All packs with their sizes. */
  get sizes(): ReadonlyMap<number, number> {
    return this.#sizes;
  }

  /** The pack that is appended to. */
  get current(): number | undefined {
    return this.#current;
  }

  /**
   * Appends; where it is.
   *
   * @throws what the disk says; then the pack is as long as before, or is not appended to any more.
   */
  append(bytes: Uint8Array): { readonly pack: number; readonly at: number } {
    const pack = this.#writable();
    const at = this.#sizes.get(pack) ?? 0;
    const file = this.#file(pack);
    try {
      file.writeAt(at, bytes);
    } catch (error) {
      try {
        file.truncate(at);
      } catch {
        this.closeCurrent(); // Half a record at its end, which a scan passes over.
      }
      throw error;
    }
    this.#sizes.set(pack, at + bytes.length);
    this.#dirty.add(pack);
    return { pack, at };
  }

  /** Appends to another pack from now on. */
  closeCurrent(): void {
    this.#current = undefined;
  }

  /** The header of a record and the bytes behind it; `undefined` when it is not there. */
  read(
    pack: number,
    at: number,
    storedBytes: number,
  ): { readonly record: PackRecord; readonly stored: Uint8Array<ArrayBuffer> } | undefined {
    if (!this.#sizes.has(pack)) return undefined;
    const bytes = new Uint8Array(RECORD_HEADER_BYTES + storedBytes);
    if (this.#file(pack).readAt(at, bytes) < bytes.length) return undefined;
    const record = decodeHeader(bytes, at);
    if (record?.storedBytes !== storedBytes) return undefined;
    return { record, stored: bytes.subarray(RECORD_HEADER_BYTES) };
  }

  /** Reads what there is of a pack from a place on; how many bytes. */
  readSome(pack: number, at: number, into: Uint8Array): number {
    return this.#sizes.has(pack) ? this.#file(pack).readAt(at, into) : 0;
  }

  /** A pack to scan, for the caller to close. */
  openToScan(pack: number): DiskFile {
    return this.#disk.open(this.#path(pack), { readOnly: true });
  }

  /**
   * Puts everything appended so far on the device; the sizes that are safe then. A pack whose sync failed is not
   * appended to any more.
   */
  async sync(): Promise<ReadonlyMap<number, number>> {
    const safe = new Map<number, number>();
    for (const pack of [...this.#dirty]) {
      const size = this.#sizes.get(pack) ?? 0;
      this.#dirty.delete(pack);
      try {
        await this.#synced(pack);
      } catch (error) {
        if (this.#current === pack) this.closeCurrent();
        throw new SyncFailure(pack, error);
      }
      safe.set(pack, size);
    }
    if (this.#hasNewNames) {
      await syncFolderAside(this.#disk, this.#folder);
      this.#hasNewNames = false;
    }
    return safe;
  }

  /** Cuts a pack, or removes it when nothing is left. */
  cut(pack: number, bytes: number): void {
    if (this.#current === pack) this.closeCurrent();
    this.#dirty.delete(pack);
    this.#close(pack);
    if (bytes === 0) {
      this.#disk.remove(this.#path(pack));
      this.#sizes.delete(pack);
      return;
    }
    const file = this.#disk.open(this.#path(pack));
    try {
      file.truncate(bytes);
    } finally {
      file.close();
    }
    this.#sizes.set(pack, bytes);
  }

  writtenAtMs(pack: number): number | undefined {
    return this.#disk.writtenAtMs?.(this.#path(pack));
  }

  close(): void {
    for (const pack of [...this.#open.keys()]) this.#close(pack);
  }

  /** A file of its own for the sync, which takes long: nothing else may be done with one meanwhile. */
  async #synced(pack: number): Promise<void> {
    const file = this.#disk.open(this.#path(pack));
    try {
      await file.sync();
    } finally {
      file.close();
    }
  }

  #writable(): number {
    if (this.#current !== undefined && (this.#sizes.get(this.#current) ?? 0) < this.#bytesMax) {
      return this.#current;
    }
    const number = this.#nextNumber;
    const file = this.#disk.open(this.#path(number), { createNew: true });
    this.#nextNumber += 1;
    this.#sizes.set(number, 0);
    this.#keepOpen(number, file);
    this.#hasNewNames = true;
    this.#current = number;
    return number;
  }

  #file(pack: number): DiskFile {
    const known = this.#open.get(pack);
    if (known !== undefined) {
      this.#open.delete(pack);
      this.#open.set(pack, known);
      return known;
    }
    // A file system that has become read-only can be read all the same.
    const readOnly = pack !== this.#current;
    return this.#keepOpen(pack, this.#disk.open(this.#path(pack), { readOnly }));
  }

  #keepOpen(pack: number, file: DiskFile): DiskFile {
    this.#open.set(pack, file);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= OPEN_MAX) break;
      this.#close(oldest);
    }
    return file;
  }

  #close(pack: number): void {
    this.#open.get(pack)?.close();
    this.#open.delete(pack);
  }

  #path(pack: number): string {
    return `${this.#folder}/${pack}.pack`;
  }
}

/** A pack that the device may not have, though it was written. */
export class SyncFailure extends Error {
  constructor(readonly pack: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
