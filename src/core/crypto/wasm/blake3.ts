/**
 * Loads the BLAKE3 module, types its functions and names the places in its memory.
 *
 * The memory belongs to one call at a time: instances keep their state elsewhere between calls.
 */
import { BLAKE3_WASM_BASE64 } from "./blake3_wasm.ts";
import { createFixedMemory, instantiateWasm } from "./instantiate.ts";

/** Places of `assembly/blake3.as`. */
const BLAKE3_VALUE_OFFSET = 1600;
const BLAKE3_STACK_OFFSET = 2048;
const BLAKE3_LEVEL_OFFSET = 4096;
const BLAKE3_INPUT_OFFSET = 8192;
/** Most input of one call, in bytes. */
export const BLAKE3_INPUT_BYTES = 65536;
/** Most short messages of one call. */
export const BLAKE3_SHORTS_MAX = 64;
/** Behind the input: lanes without a chunk read up to three chunks of whatever lies there. */
const SLACK_BYTES = 4096;

/** Exports of `assembly/blake3.as`. */
export interface Blake3Functions {
  /**
   * Hashes whole chunks of the input onto the stack; returns the new stack length. With `until` not 0
   * they are part of a subtree of so many chunks, and nothing else is on the stack.
   */
  pushSubtree(
    chunks: number,
    counterLow: number,
    counterHigh: number,
    stacked: number,
    until: number,
  ): number;
  /** Puts the subtree whose value is in `level` on the stack; returns the new stack length. */
  pushValue(chunks: number, counterLow: number, counterHigh: number, stacked: number): number;
  /** Ends a message with the subtree whose value is in `level`; the stack is not empty. */
  finishValue(stacked: number): void;
  /** Hashes the last bytes of a message and everything on the stack. */
  finish(length: number, counterLow: number, counterHigh: number, stacked: number): void;
  /** Hashes messages of at most 1024 bytes in `input`, as `places` and `lengths` say, to `shortHashes`. */
  hashShorts(count: number): void;
}

/** The functions and the places in memory they work on. */
export interface Blake3Module extends Blake3Functions {
  /** Where input is copied to. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** The stack of chaining values during a call. */
  readonly stack: Uint8Array<ArrayBuffer>;
  /** Chaining value of a subtree that was hashed elsewhere. */
  readonly level: Uint8Array<ArrayBuffer>;
  /** The hash after `finish`. */
  readonly value: Uint8Array<ArrayBuffer>;
  /** Where short messages begin in `input`. */
  readonly places: Uint32Array<ArrayBuffer>;
  /** Bytes of short messages. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** Hashes of short messages after `hashShorts`. */
  readonly shortHashes: Uint8Array<ArrayBuffer>;
}

/** Instantiates the module with a memory of its own. */
export function instantiateBlake3(): Blake3Module {
  const { memory, bytes } = createFixedMemory(
    BLAKE3_INPUT_OFFSET + BLAKE3_INPUT_BYTES + SLACK_BYTES,
  );
  const wasm = instantiateWasm<Blake3Functions>(BLAKE3_WASM_BASE64, memory);
  return {
    input: bytes.subarray(BLAKE3_INPUT_OFFSET, BLAKE3_INPUT_OFFSET + BLAKE3_INPUT_BYTES),
    stack: bytes.subarray(BLAKE3_STACK_OFFSET, BLAKE3_LEVEL_OFFSET),
    level: bytes.subarray(BLAKE3_LEVEL_OFFSET, BLAKE3_LEVEL_OFFSET + 32),
    value: bytes.subarray(BLAKE3_VALUE_OFFSET, BLAKE3_VALUE_OFFSET + 32),
    places: new Uint32Array(bytes.buffer, BLAKE3_STACK_OFFSET, BLAKE3_SHORTS_MAX),
    lengths: new Uint32Array(bytes.buffer, BLAKE3_STACK_OFFSET + 512, BLAKE3_SHORTS_MAX),
    shortHashes: bytes.subarray(BLAKE3_LEVEL_OFFSET, BLAKE3_LEVEL_OFFSET + 32 * BLAKE3_SHORTS_MAX),
    pushSubtree: wasm.pushSubtree,
    pushValue: wasm.pushValue,
    finishValue: wasm.finishValue,
    finish: wasm.finish,
    hashShorts: wasm.hashShorts,
  };
}
