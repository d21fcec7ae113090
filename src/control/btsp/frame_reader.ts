/**
 * Cuts a byte stream into BTSP frames: four bytes of length, then as many bytes (`validation.md` 8).
 *
 * A length is believed only as far as its bytes arrive: the buffer doubles when it is full, never because of
 * what a header says.
 */
import { NetError } from "../../base/mod.ts";
import type { ByteBudget } from "../byte_budget.ts";
import type { ByteStream } from "./stream.ts";

const START_BYTES = 2048;
const HEADER_BYTES = 4;

/** Frames of one connection. */
export class FrameReader {
  readonly #stream: ByteStream;
  readonly #budget: ByteBudget | undefined;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(START_BYTES);
  #start = 0;
  #end = 0;
  #taken = 0;

  /**
   * @param first Bytes that were read already.
   * @param budget What all buffers of a kind may take beyond their first 2 KiB.
   */
  constructor(stream: ByteStream, first: Uint8Array = new Uint8Array(), budget?: ByteBudget) {
    this.#stream = stream;
    this.#budget = budget;
    while (this.#bytes.length < first.length) this.#grow();
    this.#bytes.set(first);
    this.#end = first.length;
  }

  /**
   * Payload of the next frame, `undefined` at the end; a view that is valid until the next call.
   *
   * @throws NetError `limit` when it is longer than `bytesMax`, `integrity` when the stream ends in it,
   * `backpressure` when there is no more room.
   */
  async read(bytesMax: number): Promise<Uint8Array | undefined> {
    if (!await this.#fill(HEADER_BYTES)) {
      if (this.#end === this.#start) return undefined;
      throw cutOff();
    }
    const header = this.#bytes.subarray(this.#start, this.#start + HEADER_BYTES);
    const length = new DataView(header.buffer, header.byteOffset).getUint32(0);
    if (length > bytesMax) {
      throw new NetError(
        "limit",
        `Frame is too long: ${length} bytes, must be at most ${bytesMax}`,
      );
    }
    if (!await this.#fill(HEADER_BYTES + length)) throw cutOff();
    const payload = this.#bytes.subarray(
      this.#start + HEADER_BYTES,
      this.#start + HEADER_BYTES + length,
    );
    this.#start += HEADER_BYTES + length;
    return payload;
  }

  /** Gives its room back; nothing may be read any more. */
  release(): void {
    this.#budget?.give(this.#taken);
    this.#taken = 0;
    this.#bytes = new Uint8Array();
    this.#start = this.#end = 0;
  }

  /** True once `count` bytes are there, false at the end of the stream. */
  async #fill(count: number): Promise<boolean> {
    while (this.#end - this.#start < count) {
      this.#makeRoom();
      const length = await this.#stream.read(this.#bytes.subarray(this.#end));
      if (length === null) return false;
      this.#end += length;
    }
    return true;
  }

  #makeRoom(): void {
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#end === 0 && this.#taken > 0) {
      this.#budget?.give(this.#taken);
      this.#taken = 0;
      this.#bytes = new Uint8Array(START_BYTES);
    }
    if (this.#end === this.#bytes.length) this.#grow();
  }

  #grow(): void {
    const extra = this.#bytes.length;
    if (this.#budget?.take(extra) === false) {
      throw new NetError("backpressure", "Too much unread input");
    }
    this.#taken += extra;
    const grown = new Uint8Array(this.#bytes.length * 2);
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }
}

function cutOff(): NetError {
  return new NetError("integrity", "Cannot read BTSP frame: the connection ended in it");
}
