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
  if (bytes.length > PIECE_BYTES) return hashPieces(bytes);
  copyInto(module.memory, bytes);
  return module.wasm.hash(INPUT_OFFSET, bytes.length) >>> 0;
}

/** XXH3-64 of two byte arrays, one behind the other. */
export function xxh3Joined(head: Uint8Array, tail: Uint8Array): bigint {
  const { wasm, memory } = sharedModule();
  const length = head.length + tail.length;
  let low: number;
  if (length <= PIECE_BYTES) {
    memory.set(head, INPUT_OFFSET);
    memory.set(tail, INPUT_OFFSET + head.length);
    low = wasm.hash(INPUT_OFFSET, length) >>> 0;
  } else {
    low = xxh3Low32Of(length, (at, into) => {
      const inHead = head.subarray(at, at + into.length);
      into.set(inHead);
      const inTail = Math.max(0, at - head.length);
      into.set(tail.subarray(inTail, inTail + into.length - inHead.length), inHead.length);
      return into.length;
    }) ?? 0;
  }
  return (BigInt(wasm.high() >>> 0) << 32n) | BigInt(low);
}

/** `floor(xxh3 * buckets / 2^64)`: which of `buckets` (1..65535) the bytes belong to. */
export function xxh3Bucket(bytes: Uint8Array, buckets: number): number {
  const module = sharedModule();
  if (bytes.length > PIECE_BYTES) {
    const low = hashPieces(bytes);
    return bucketOf(low, module.wasm.high() >>> 0, buckets);
  }
  copyInto(module.memory, bytes);
  return module.wasm.bucket(INPUT_OFFSET, bytes.length, buckets) >>> 0;
}

/**
 * Low 32 bits of XXH3-64 of `length` bytes that are fetched piece by piece, straight into the memory where they
 * are hashed; `undefined` when there are fewer.
 *
 * @param fetch Fills all of `into` with the bytes from `at` on, or returns fewer.
 */
export function xxh3Low32Of(
  length: number,
  fetch: (at: number, into: Uint8Array) => number,
): number | undefined {
  const { wasm, memory } = sharedModule();
  const take = (at: number, from: number, to: number) => {
    const into = memory.subarray(from, to);
    return fetch(at, into) === into.length;
  };
  if (length <= PIECE_BYTES) {
    if (!take(0, INPUT_OFFSET, INPUT_OFFSET + length)) return undefined;
    return wasm.hash(INPUT_OFFSET, length) >>> 0;
  }
  wasm.startLanes();
  let at = 0;
  for (let blocks = 0; length - at > XXH3_BLOCK_BYTES; at += blocks * XXH3_BLOCK_BYTES) {
    blocks = blocksOfPiece(length - at);
    if (!take(at, INPUT_OFFSET, INPUT_OFFSET + blocks * XXH3_BLOCK_BYTES)) return undefined;
    wasm.addBlocks(INPUT_OFFSET, blocks);
  }
  if (!take(at - CARRY_BYTES, XXH3_FREE_OFFSET, INPUT_OFFSET + length - at)) return undefined;
  return wasm.finishLanes(INPUT_OFFSET, length - at, length, Math.floor(length / TWO_32)) >>> 0;
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
function hashPieces(bytes: Uint8Array): number {
  return xxh3Low32Of(bytes.length, (at, into) => {
    into.set(bytes.subarray(at, at + into.length));
    return into.length;
  }) ?? 0;
}

/** Blocks that are taken at once of so many bytes; the last 1 to 1024 bytes are left for the end. */
function blocksOfPiece(bytesLeft: number): number {
  const blocks = Math.ceil(bytesLeft / XXH3_BLOCK_BYTES) - 1;
  return Math.min(PIECE_BYTES / XXH3_BLOCK_BYTES, blocks);
}

/** The product has 48 bits of the high half, so it is exact; of the low one only the carry counts. */
function bucketOf(low: number, high: number, buckets: number): number {
  return Math.floor((high * buckets + Math.floor(low * buckets / TWO_32)) / TWO_32);
}
