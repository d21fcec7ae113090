/**
 * Puts the events of one reply in order (`dataforts.md` 12). Pure; knows no streams and no time.
 *
 * Events come in any order and may come twice. What is ahead of its turn is kept up to a bound; what
 * contradicts the header ends the transfer.
 */
import { REORDER_EVENTS_MAX, TRANSFER_BYTES_MAX } from "./limits.ts";
import { decodeTransferHeader } from "./transfer_wire.ts";

/** What one event did. */
export type AssemblyStep =
  /** Nothing: seen before, or too far ahead. */
  | "dropped"
  /** Kept for later. */
  | "kept"
  /** It, and maybe others, found their place. */
  | "progress"
  | "complete"
  | "not_found"
  /** The holder breaks the rules. */
  | "bad_header"
  | "bad_size"
  | "too_many_bytes";

/** A reply in the making. */
export class ReplyAssembly {
  readonly #expectedBytes: number | undefined;
  readonly #bytesMax: number;
  readonly #takeBuffer: (length: number) => Uint8Array;
  #bytes: Uint8Array | undefined;
  #received = 0;
  #next = 0;
  #ahead = new Map<number, Uint8Array>();

  /**
   * @param expectedBytes What the chunk must measure; any size up to `bytesMax` when left out.
   * @param bytesMax The most a reply may announce.
   * @param takeBuffer Gives room for the chunk, of that length or more.
   */
  constructor(
    expectedBytes?: number,
    bytesMax = TRANSFER_BYTES_MAX,
    takeBuffer: (length: number) => Uint8Array = (length) => new Uint8Array(length),
  ) {
    this.#expectedBytes = expectedBytes;
    this.#bytesMax = bytesMax;
    this.#takeBuffer = takeBuffer;
  }

  /** Bytes in place so far. */
  get receivedBytes(): number {
    return this.#received;
  }

  /** What the header says the chunk measures; `undefined` before it came. */
  get totalBytes(): number | undefined {
    return this.#bytes?.length;
  }

  /** True once the header was read. */
  get hasHeader(): boolean {
    return this.#bytes !== undefined;
  }

  /** The chunk of a complete reply, not verified. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  /**
   * Takes one event.
   *
   * @param payload Copied if it is needed later.
   */
  push(sequence: number, payload: Uint8Array): AssemblyStep {
    if (sequence < this.#next || this.#ahead.has(sequence)) return "dropped";
    if (sequence > this.#next) {
      if (sequence - this.#next >= REORDER_EVENTS_MAX) return "dropped";
      this.#ahead.set(sequence, payload.slice());
      return "kept";
    }
    let step = this.#place(payload);
    while (step === "progress") {
      const waiting = this.#ahead.get(this.#next);
      if (waiting === undefined) break;
      this.#ahead.delete(this.#next);
      step = this.#place(waiting);
    }
    return step;
  }

  #place(payload: Uint8Array): AssemblyStep {
    this.#next += 1;
    const bytes = this.#bytes;
    if (bytes === undefined) return this.#readHeader(payload);
    if (this.#received + payload.length > bytes.length) return "too_many_bytes";
    bytes.set(payload, this.#received);
    this.#received += payload.length;
    return this.#received === bytes.length ? "complete" : "progress";
  }

  #readHeader(payload: Uint8Array): AssemblyStep {
    const header = decodeTransferHeader(payload);
    if (header === undefined) return "bad_header";
    if (!header.isFound) return "not_found";
    if (header.totalBytes > BigInt(this.#bytesMax)) return "bad_size";
    const totalBytes = Number(header.totalBytes);
    if (this.#expectedBytes !== undefined && totalBytes !== this.#expectedBytes) return "bad_size";
    this.#bytes = this.#takeBuffer(totalBytes).subarray(0, totalBytes);
    return totalBytes === 0 ? "complete" : "progress";
  }
}
