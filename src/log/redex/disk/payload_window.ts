/** Reads payloads that lie one behind the other with few reads. */
import type { DiskFile } from "../../../base/mod.ts";
import { READ_WINDOW_BYTES } from "./limits.ts";

const EMPTY = new Uint8Array(0);

/** A moving part of a payload file. */
export class PayloadWindow {
  readonly #file: DiskFile;
  readonly #buffer = new Uint8Array(READ_WINDOW_BYTES);
  #start = 0;
  #length = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** Bytes of the file until the next call; fewer than asked for at the end of the file. */
  view(offset: number, length: number): Uint8Array {
    if (length === 0) return EMPTY;
    if (length > this.#buffer.length) {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, this.#file.readAt(offset, bytes));
    }
    if (offset < this.#start || offset + length > this.#start + this.#length) {
      this.#start = offset;
      this.#length = this.#file.readAt(offset, this.#buffer);
    }
    const at = offset - this.#start;
    return this.#buffer.subarray(at, Math.min(at + length, this.#length));
  }
}
