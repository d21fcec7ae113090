/** Loads the XXH3 module and types its functions. */
import { createFixedMemory, instantiateWasm } from "./instantiate.ts";
import { XXH3_WASM_BASE64 } from "./xxh3_wasm.ts";

/** First byte of memory that belongs to the caller. */
export const XXH3_FREE_OFFSET = 1024;
/** Bytes of a block of a long input. */
export const XXH3_BLOCK_BYTES = 1024;

/** Exports of `assembly/xxh3.as`; halves of hashes are signed. */
export interface Xxh3Functions {
  hash(at: number, length: number): number;
  high(): number;
  bucket(at: number, length: number, buckets: number): number;
  startLanes(): void;
  addBlocks(at: number, blocks: number): void;
  finishLanes(at: number, length: number, totalLow: number, totalHigh: number): number;
  makeRecords(
    lengths: number,
    payload: number,
    records: number,
    times: number,
    count: number,
    seqLow: number,
    seqHigh: number,
    offset: number,
    timeLow: number,
    timeHigh: number,
    isInline: number,
  ): void;
}

/** The functions and the memory they work on. */
export interface Xxh3Module {
  readonly wasm: Xxh3Functions;
  readonly memory: Uint8Array<ArrayBuffer>;
}

/** Instantiates the module with a memory of its own, of which `byteLength` bytes are the caller's. */
export function instantiateXxh3(byteLength: number): Xxh3Module {
  const { memory, bytes } = createFixedMemory(XXH3_FREE_OFFSET + byteLength);
  return { wasm: instantiateWasm<Xxh3Functions>(XXH3_WASM_BASE64, memory), memory: bytes };
}
