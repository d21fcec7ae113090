/** One file with chunks that are not in the store yet, and its list. */
import { type DirectFile, openDirectFile, toHex } from "../../base/mod.ts";
import { TRANSFER_BYTES_MAX } from "../limits.ts";
import { formatLentPath, formatLentPlace, type LentPlace } from "./lent_list.ts";

/** A file that chunks are read from, whatever it is called meanwhile. */
export class LentFile implements Disposable {
  /** True for a file that nobody else wants: it goes with its last chunk. */
  isOurs = false;
  readonly listPath: string;
  #path: string;
  readonly #file: Deno.FsFile;
  readonly #places = new Map<string, LentPlace>();
  #direct: DirectFile | undefined;
  #isClosed = false;
  /** The end of the read under way: reads share the place where the file stands. */
  #reading: Promise<unknown> = Promise.resolve();

  /** @param file Open for reading; belongs to this from now on. */
  constructor(
    listPath: string,
    path: string,
    file: Deno.FsFile,
    places: readonly LentPlace[] = [],
  ) {
    this.listPath = listPath;
    this.#path = path;
    this.#file = file;
    for (const place of places) this.#places.set(toHex(place.hash), place);
  }

  /** Where the file is, as far as this knows. */
  get path(): string {
    return this.#path;
  }

  /** Chunks in it. */
  get places(): readonly LentPlace[] {
    return [...this.#places.values()];
  }

  /** Adds a chunk whose bytes are written. */
  add(place: LentPlace): void {
    Deno.writeTextFileSync(this.listPath, formatLentPlace(place), { append: true });
    this.#places.set(toHex(place.hash), place);
  }

  /** Says that the file is about to be somewhere else. */
  moves(path: string): void {
    Deno.writeTextFileSync(this.listPath, formatLentPath(path), { append: true });
    this.#path = path;
  }

  /** Where a chunk is; `undefined` when it is not here. */
  find(key: string): LentPlace | undefined {
    return this.#places.get(key);
  }

  /** Forgets a chunk. */
  remove(key: string): void {
    this.#places.delete(key);
  }

  /** The bytes of a chunk, not verified; `undefined` when the file is shorter. */
  read(place: LentPlace, into?: Uint8Array): Promise<Uint8Array | undefined> {
    const read = this.#reading.then(() => this.#read(place, into));
    this.#reading = read.catch(() => {}); // Whoever asked is told.
    return read;
  }

  /** From now on what is read need not stay in the system's memory: it is read once, to be stored elsewhere. */
  readPast(): void {
    if (!this.#isClosed) this.#direct ??= openDirectFile(this.#path, "read");
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#direct?.[Symbol.dispose]();
    this.#file.close();
  }

  async #read({ offset, size }: LentPlace, into?: Uint8Array): Promise<Uint8Array | undefined> {
    if (size > TRANSFER_BYTES_MAX) return undefined;
    const bytes = into !== undefined && into.length >= size
      ? into.subarray(0, size)
      : new Uint8Array(size);
    let done = await this.#direct?.move(offset, bytes) ?? 0;
    if (done < size) await this.#file.seek(offset + done, Deno.SeekMode.Start);
    while (done < size) {
      const count = await this.#file.read(bytes.subarray(done));
      if (count === null || count === 0) return undefined;
      done += count;
    }
    return bytes;
  }
}
