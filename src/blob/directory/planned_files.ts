/**
 * The files of a plan, as many as a manifest has: of each its path as a text and the rest as numbers. As objects a
 * hundred thousand of them would take 20 MB more.
 */
import type { PlannedFile } from "./extraction_plan.ts";

const CAPACITY_MIN = 64;
/** Stands for the permissions of new files; others have nine bits. */
const NO_MODE = 0xffff;

/** Files in the order in which they were added. */
export class PlannedFiles implements Iterable<PlannedFile> {
  readonly paths: string[] = [];
  #modes = new Uint16Array(CAPACITY_MIN);
  #sizes = new Float64Array(CAPACITY_MIN);
  /** Where each reference begins in the memory that the first one was in, and its bytes. */
  #starts = new Float64Array(CAPACITY_MIN);
  #lengths = new Uint32Array(CAPACITY_MIN);
  #buffer: ArrayBufferLike | undefined;
  /** References that lie elsewhere, by number. */
  readonly #others = new Map<number, Uint8Array>();
  #totalBytes = 0;

  get length(): number {
    return this.paths.length;
  }

  /** Bytes of all. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Adds a file; its reference is kept as a view. */
  add({ path, mode, size, blob }: PlannedFile): void {
    const number = this.paths.length;
    if (number === this.#sizes.length) this.#grow();
    this.paths.push(path);
    this.#modes[number] = mode ?? NO_MODE;
    this.#sizes[number] = size;
    this.#totalBytes += size;
    this.#buffer ??= blob.buffer;
    this.#starts[number] = blob.byteOffset;
    this.#lengths[number] = blob.length;
    if (blob.buffer !== this.#buffer) this.#others.set(number, blob);
  }

  *[Symbol.iterator](): IterableIterator<PlannedFile> {
    for (let number = 0; number < this.paths.length; number++) {
      const mode = this.#modes[number] ?? NO_MODE;
      yield {
        path: this.paths[number] ?? "",
        mode: mode === NO_MODE ? undefined : mode,
        size: this.#sizes[number] ?? 0,
        blob: this.#blobOf(number),
      };
    }
  }

  #blobOf(number: number): Uint8Array {
    const other = this.#others.get(number);
    if (other !== undefined || this.#buffer === undefined) return other ?? new Uint8Array(0);
    return new Uint8Array(this.#buffer, this.#starts[number] ?? 0, this.#lengths[number] ?? 0);
  }

  #grow(): void {
    const capacity = 2 * this.#sizes.length;
    this.#modes = new Uint16Array(this.#modes.buffer.transfer(2 * capacity));
    this.#sizes = new Float64Array(this.#sizes.buffer.transfer(8 * capacity));
    this.#starts = new Float64Array(this.#starts.buffer.transfer(8 * capacity));
    this.#lengths = new Uint32Array(this.#lengths.buffer.transfer(4 * capacity));
  }
}
