/** Reads payloads that lie one behind the other with few reads. */
import type { DiskFile } from "../../../base/mod.ts";
import { xxh3Low32Of } from "../../../core/crypto/mod.ts";
import { READ_WINDOW_BYTES } from "./limits.ts";
import { CHECKSUM_MASK, payloadChecksum } from "./record_format.ts";

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

  /** Checksum of a payload; `undefined` when the file ends before it does. Large ones are not held in memory. */
  checksum(offset: number, length: number): number | undefined {
    if (length <= this.#buffer.length) {
      const payload = this.view(offset, length);
      return payload.length === length ? payloadChecksum(payload) : undefined;
    }
    const low = xxh3Low32Of(length, (at, into) => this.#file.readAt(offset + at, into));
    return low === undefined ? undefined : low & CHECKSUM_MASK;
  }
}
