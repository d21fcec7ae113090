/**
 * Index records of a log, made for many payloads with one call (`storage.md` 3.1).
 *
 * A batch is one piece of memory with places for payloads, their lengths, index records and times;
 * what it gives are views of that memory, valid until it is used again.
 */
import { instantiateXxh3, XXH3_FREE_OFFSET } from "./wasm/xxh3.ts";
import type { Xxh3Functions } from "./wasm/xxh3.ts";

/** Payloads of one batch at most. */
export const BATCH_RECORDS_MAX = 4096;
/** Payload bytes of one batch at most. */
export const BATCH_BYTES_MAX = 512 * 1024;

const INDEX_BYTES = 20;
const TIME_BYTES = 8;
const RECORDS_OFFSET = XXH3_FREE_OFFSET + BATCH_RECORDS_MAX * 4;
const TIMES_OFFSET = RECORDS_OFFSET + BATCH_RECORDS_MAX * INDEX_BYTES;
const PAYLOAD_OFFSET = TIMES_OFFSET + BATCH_RECORDS_MAX * TIME_BYTES;
const TOTAL_BYTES = PAYLOAD_OFFSET + BATCH_BYTES_MAX - XXH3_FREE_OFFSET;
const TWO_32 = 0x1_0000_0000;
/** Below this a loop copies faster than a call. */
const LOOP_BYTES_MAX = 24;

/** What the records of a batch have in common. */
export interface BatchPlace {
  /** Number of the first record, below 2^53. */
  readonly firstSeq: number;
  /** Where the first payload goes in the payload file, below 2^32. */
  readonly offset: number;
  readonly timeLow: number;
  readonly timeHigh: number;
  /** Payloads of 8 bytes go into their records. */
  readonly isInline: boolean;
}

/** Memory for one batch at a time. */
export class RecordBatch {
  readonly #wasm: Xxh3Functions;
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #lengths: Uint32Array;
  #count = 0;
  #bytes = 0;

  constructor() {
    const { wasm, memory } = instantiateXxh3(TOTAL_BYTES);
    this.#wasm = wasm;
    this.#memory = memory;
    this.#lengths = new Uint32Array(memory.buffer, XXH3_FREE_OFFSET, BATCH_RECORDS_MAX);
  }

  /** Payloads put in. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of these. */
  get byteLength(): number {
    return this.#bytes;
  }

  /**
   * Empties the batch and copies in as many payloads, from `payloads[from]` on, as it has room for;
   * the index of the first that is left. A payload above {@linkcode BATCH_BYTES_MAX} finds no room.
   */
  fill(payloads: readonly Uint8Array[], from: number): number {
    const memory = this.#memory;
    const lengths = this.#lengths;
    const to = Math.min(payloads.length, from + BATCH_RECORDS_MAX);
    let at = PAYLOAD_OFFSET;
    let index = from;
    for (; index < to; index++) {
      const payload = payloads[index] as Uint8Array;
      const { length } = payload;
      if (at + length > PAYLOAD_OFFSET + BATCH_BYTES_MAX) break;
      lengths[index - from] = length;
      if (length > LOOP_BYTES_MAX) memory.set(payload, at);
      else for (let i = 0; i < length; i++) memory[at + i] = payload[i] as number;
      at += length;
    }
    this.#count = index - from;
    this.#bytes = at - PAYLOAD_OFFSET;
    return index;
  }

  /** Makes the index records and the times of what was put in. */
  make({ firstSeq, offset, timeLow, timeHigh, isInline }: BatchPlace): void {
    this.#wasm.makeRecords(
      XXH3_FREE_OFFSET,
      PAYLOAD_OFFSET,
      RECORDS_OFFSET,
      TIMES_OFFSET,
      this.#count,
      firstSeq,
      Math.floor(firstSeq / TWO_32),
      offset,
      timeLow,
      timeHigh,
      isInline ? 1 : 0,
    );
  }

  /** The payloads, one behind the other. */
  get payloads(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(PAYLOAD_OFFSET, PAYLOAD_OFFSET + this.#bytes);
  }

  /** The index records, 20 bytes each. */
  get records(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(RECORDS_OFFSET, RECORDS_OFFSET + this.#count * INDEX_BYTES);
  }

  /** The times, 8 bytes each. */
  get times(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(TIMES_OFFSET, TIMES_OFFSET + this.#count * TIME_BYTES);
  }
}
