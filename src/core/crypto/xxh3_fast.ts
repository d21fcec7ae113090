/**
 * XXH3-64 where it runs per event: checksums of log records and shards of the event bus (`storage.md` 1).
 *
 * `wasm/assembly/xxh3.as` does the work. The functions copy the bytes into its memory; who fills memory
 * anyway, takes a {@linkcode Xxh3Memory} and hashes in place. Not a cryptographic hash.
 */
import { instantiateXxh3, XXH3_BLOCK_BYTES, XXH3_FREE_OFFSET } from "./wasm/xxh3.ts";
import type { Xxh3Functions, Xxh3Module } from "./wasm/xxh3.ts";

/** Input that is hashed at once; longer input goes through in pieces of this size. */
const PIECE_BYTES = 64 * XXH3_BLOCK_BYTES;
/** Bytes before the last piece that its end reaches back to. */
const CARRY_BYTES = 64;
const INPUT_OFFSET = XXH3_FREE_OFFSET + CARRY_BYTES;
/** Below this a loop copies faster than a call. */
const LOOP_BYTES_MAX = 24;
const TWO_32 = 0x1_0000_0000;

let shared: Xxh3Module | undefined;

/** Low 32 bits of XXH3-64. */
export function xxh3Low32(bytes: Uint8Array): number {
  const module = sharedModule();
  if (bytes.length > PIECE_BYTES) return hashPieces(module, bytes);
  copyInto(module.memory, bytes);
  return module.wasm.hash(INPUT_OFFSET, bytes.length) >>> 0;
}

/** `floor(xxh3 * buckets / 2^64)`: which of `buckets` (1..65535) the bytes belong to. */
export function xxh3Bucket(bytes: Uint8Array, buckets: number): number {
  const module = sharedModule();
  if (bytes.length > PIECE_BYTES) {
    const low = hashPieces(module, bytes);
    return bucketOf(low, module.wasm.high() >>> 0, buckets);
  }
  copyInto(module.memory, bytes);
  return module.wasm.bucket(INPUT_OFFSET, bytes.length, buckets) >>> 0;
}

/** Bytes that are hashed where they lie. */
export class Xxh3Memory {
  /** Filled by the owner. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #wasm: Xxh3Functions;

  /** @param byteLength Bytes it holds; the memory is made at once. */
  constructor(byteLength: number) {
    const { wasm, memory } = instantiateXxh3(byteLength);
    this.#wasm = wasm;
    this.bytes = memory.subarray(XXH3_FREE_OFFSET, XXH3_FREE_OFFSET + byteLength);
  }

  /** Low 32 bits of XXH3-64 of `length` bytes at `at`, which lie inside. */
  low32(at: number, length: number): number {
    return this.#wasm.hash(XXH3_FREE_OFFSET + at, length) >>> 0;
  }

  /** As {@linkcode xxh3Bucket}. */
  bucket(at: number, length: number, buckets: number): number {
    return this.#wasm.bucket(XXH3_FREE_OFFSET + at, length, buckets) >>> 0;
  }
}

function sharedModule(): Xxh3Module {
  return shared ??= instantiateXxh3(CARRY_BYTES + PIECE_BYTES);
}

function copyInto(memory: Uint8Array, bytes: Uint8Array): void {
  const { length } = bytes;
  if (length > LOOP_BYTES_MAX) {
    memory.set(bytes, INPUT_OFFSET);
    return;
  }
  for (let i = 0; i < length; i++) memory[INPUT_OFFSET + i] = bytes[i] as number;
}

/** Low half; the module keeps the high one. */
function hashPieces({ wasm, memory }: Xxh3Module, bytes: Uint8Array): number {
  wasm.startLanes();
  let at = 0;
  // The last 1 to 1024 bytes are for the end.
  while (bytes.length - at > XXH3_BLOCK_BYTES) {
    const blocks = Math.min(
      PIECE_BYTES / XXH3_BLOCK_BYTES,
      Math.ceil((bytes.length - at) / XXH3_BLOCK_BYTES) - 1,
    );
    const end = at + blocks * XXH3_BLOCK_BYTES;
    memory.set(bytes.subarray(at, end), INPUT_OFFSET);
    wasm.addBlocks(INPUT_OFFSET, blocks);
    at = end;
  }
  memory.set(bytes.subarray(at - CARRY_BYTES), XXH3_FREE_OFFSET);
  const high = Math.floor(bytes.length / TWO_32);
  return wasm.finishLanes(INPUT_OFFSET, bytes.length - at, bytes.length, high) >>> 0;
}

/** The product has 48 bits of the high half, so it is exact; of the low one only the carry counts. */
function bucketOf(low: number, high: number, buckets: number): number {
  return Math.floor((high * buckets + Math.floor(low * buckets / TWO_32)) / TWO_32);
}
