/**
 * A manifest of a directory that is written entry by entry, in the order of the paths (`dataforts.md` 14).
 *
 * Its bytes are those of {@linkcode encodeDirManifest}, which sorts and so needs all entries at once; a walk gives
 * them in order, and a million of them then take no more memory than their bytes: they are kept in parts.
 */
import { NetError, PostcardWriter, utf8 } from "../../base/mod.ts";
import { type BlobRef, encodeBlobRef } from "../blob_ref.ts";
import { DIR_ENTRIES_MAX, DIR_MANIFEST_BYTES_MAX, HASH_BYTES } from "../limits.ts";

const VERSION = 1;
const FILE = 0;
const DIR = 1;
const SYMLINK = 2;

/** A part is full from here on. */
const PART_BYTES = 256 * 1024;
/** Room for one more entry, so that a part need not grow: two paths, and a reference to a long file. */
const CAPACITY = PART_BYTES + 16 * 1024;
const SCHEME = utf8("mesh://");
const DIGITS = utf8("0123456789abcdef");

/** A reference to one chunk, with places for its hash, its size and its hash in hex (`dataforts.md` 2). */
const SMALL_HEAD = Uint8Array.of(0xb0, 0xb1, 0xb2, 0xb3, 1);
const SIZE_AT = SMALL_HEAD.length + HASH_BYTES;
const URI_AT = SIZE_AT + 8;
const SMALL_REF_BYTES = URI_AT + SCHEME.length + 2 * HASH_BYTES;

/** Gathers the entries of one folder. */
export class ManifestBuilder {
  readonly #writer = new PostcardWriter(CAPACITY);
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  readonly #smallRef = new Uint8Array(SMALL_REF_BYTES);
  readonly #view = new DataView(this.#smallRef.buffer);
  #entries = 0;
  #bytes = 0;

  constructor() {
    this.#smallRef.set(SMALL_HEAD);
    this.#smallRef.set(SCHEME, URI_AT);
  }

  /** Entries so far. */
  get entries(): number {
    return this.#entries;
  }

  /**
   * Adds a file of one chunk.
   *
   * @param path Relative, behind all paths before it by the bytes of its UTF-8.
   * @param mode As the file system has it, 32 bits.
   * @param hashes Where the BLAKE3 of the file is, from `hashAt` on.
   * @throws NetError `limit` when the manifest becomes longer than what others read.
   */
  addSmallFile(
    path: string,
    mode: number,
    hashes: Uint8Array,
    hashAt: number,
    size: number,
  ): void {
    const ref = this.#smallRef;
    this.#view.setUint32(SIZE_AT, size >>> 0, true);
    this.#view.setUint32(SIZE_AT + 4, Math.floor(size / 2 ** 32), true);
    let at = URI_AT + SCHEME.length;
    for (let i = 0; i < HASH_BYTES; i++) {
      const byte = hashes[hashAt + i] ?? 0;
      ref[SMALL_HEAD.length + i] = byte;
      ref[at++] = DIGITS[byte >>> 4] ?? 0;
      ref[at++] = DIGITS[byte & 15] ?? 0;
    }
    this.#begin(path, FILE).varint(mode).byteVector(ref);
    this.#end(path, ref.length);
  }

  /** Adds a file by its reference. */
  addFile(path: string, mode: number, ref: BlobRef): void {
    const blob = encodeBlobRef(ref);
    this.#begin(path, FILE).varint(mode).byteVector(blob);
    this.#end(path, blob.length);
  }

  /** Adds a folder. */
  addDir(path: string, mode: number): void {
    this.#begin(path, DIR).varint(mode);
    this.#end(path, 0);
  }

  /** Adds a link. */
  addSymlink(path: string, target: string): void {
    this.#begin(path, SYMLINK).text(target);
    this.#end(path, target.length);
  }

  /** The manifest in parts, one behind the other. */
  finish(): readonly Uint8Array<ArrayBuffer>[] {
    // The number of entries comes first and is known last.
    const head = new PostcardWriter().u8(VERSION).varint(this.#entries).finish();
    return [head, ...this.#parts, this.#writer.finish()];
  }

  #begin(path: string, kind: number): PostcardWriter {
    return this.#writer.text(path).u8(kind);
  }

  #end(path: string, bytes: number): void {
    this.#entries += 1;
    if (this.#writer.length >= PART_BYTES) this.#parts.push(this.#writer.take());
    // Of characters beyond ASCII there are more bytes; the exact length is checked when it is stored.
    this.#bytes += path.length + bytes;
    if (this.#entries > DIR_ENTRIES_MAX) throw tooMuch(`more than ${DIR_ENTRIES_MAX} entries`);
    if (this.#bytes > DIR_MANIFEST_BYTES_MAX) {
      throw tooMuch(`a manifest of more than ${DIR_MANIFEST_BYTES_MAX} bytes`);
    }
  }
}

function tooMuch(what: string): NetError {
  return new NetError("limit", `Cannot put folder: it has ${what}`, {
    next: "put its folders one by one, or pack it: tar c FOLDER | net blob put -",
  });
}
