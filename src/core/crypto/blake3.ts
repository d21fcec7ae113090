/**
 * BLAKE3, unkeyed: one-shot, streaming, and with output of any length.
 *
 * The work is done by `wasm/assembly/blake3.as` in one shared memory; an instance keeps what it has
 * between calls in plain arrays, so that any number of them can live and be dropped. Input stays in
 * that memory until later input overwrites it: this is for content, not for secrets.
 */
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { BLAKE3_INPUT_BYTES, instantiateBlake3 } from "./wasm/blake3.ts";
import type { Blake3Module } from "./wasm/blake3.ts";

const HASH_BYTES = 32;
const CHUNK_BYTES = 1024;
/** What an instance gathers before it hashes: 16 chunks fill the vector lanes twice. */
const BUFFER_BYTES = 16 * CHUNK_BYTES;
const BUFFER_BYTES_FIRST = CHUNK_BYTES;
/** Inputs below 2^53 bytes have fewer than 2^43 chunks, and the stack one entry per bit of that. */
const STACK_ENTRIES = 43;
/** The extended output is made by the reference; nobody needs more than a few hundred bytes. */
const XOF_BYTES_MAX = 1 << 20;

/** A hash in the making. */
export interface Blake3 {
  /**
   * Adds bytes; they are copied or hashed before the call returns.
   *
   * @throws TypeError after {@linkcode Blake3.digest}.
   */
  update(bytes: Uint8Array): this;
  /**
   * Ends the message and returns its 32-byte hash.
   *
   * @throws TypeError when called twice.
   */
  digest(): Uint8Array<ArrayBuffer>;
}

/**
 * Hashes `bytes` to 32 bytes.
 *
 * @example
 * ```ts
 * import { blake3 } from "./blake3.ts";
 * console.assert(blake3(new Uint8Array()).toHex().startsWith("af1349b9"));
 * ```
 */
export function blake3(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const wasm = sharedModule();
  if (bytes.length <= BLAKE3_INPUT_BYTES) {
    wasm.input.set(bytes);
    wasm.finish(bytes.length, 0, 0, 0);
    return new Uint8Array(wasm.value);
  }
  const progress = pushPieces(wasm, bytes, { chunks: 0, stacked: 0 }, BLAKE3_INPUT_BYTES);
  return finish(wasm, bytes.subarray(progress.chunks * CHUNK_BYTES), progress);
}

/**
 * Hashes `bytes` to `length` bytes of extended output; slow, by the reference implementation.
 *
 * @param length Output bytes, 0..1048576.
 * @throws RangeError when `length` is out of range.
 */
export function blake3Xof(bytes: Uint8Array, length: number): Uint8Array {
  if (!Number.isInteger(length) || length < 0 || length > XOF_BYTES_MAX) {
    throw new RangeError(`Cannot hash: output length is ${length}, must be 0..${XOF_BYTES_MAX}`);
  }
  return length === 0 ? new Uint8Array() : nobleBlake3(bytes, { dkLen: length });
}

/**
 * The keyed hash of a short input, such as a name that a key is made for; by the reference
 * implementation, because neither key nor input may stay in the shared memory.
 *
 * @param key 32 bytes.
 * @throws RangeError when the key has another length.
 */
export function blake3Keyed(key: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (key.length !== HASH_BYTES) {
    throw new RangeError(`Cannot use key: length is ${key.length}, must be ${HASH_BYTES}`);
  }
  return new Uint8Array(nobleBlake3(bytes, { key }));
}

/**
 * Starts a streaming hash. It holds at most 18 KiB, and nothing that must be freed.
 *
 * @example
 * ```ts
 * import { blake3, createBlake3 } from "./blake3.ts";
 * const bytes = new Uint8Array(5000).fill(1);
 * const hash = createBlake3().update(bytes.subarray(0, 9)).update(bytes.subarray(9)).digest();
 * console.assert(hash.toHex() === blake3(bytes).toHex());
 * ```
 */
export function createBlake3(): Blake3 {
  const wasm = sharedModule();
  let buffer = new Uint8Array(BUFFER_BYTES_FIRST);
  let buffered = 0;
  const stack = new Uint8Array(STACK_ENTRIES * HASH_BYTES);
  let progress: Progress = { chunks: 0, stacked: 0 };
  let isDone = false;

  function gather(bytes: Uint8Array): void {
    const needed = buffered + bytes.length;
    if (needed > buffer.length) {
      const grown = new Uint8Array(Math.min(BUFFER_BYTES, Math.max(needed, buffer.length * 4)));
      grown.set(buffer.subarray(0, buffered));
      buffer = grown;
    }
    buffer.set(bytes, buffered);
    buffered = needed;
  }

  function loadStack(): void {
    wasm.stack.set(stack.subarray(0, progress.stacked * HASH_BYTES));
  }

  function saveStack(): void {
    stack.set(wasm.stack.subarray(0, progress.stacked * HASH_BYTES));
  }

  return {
    update(bytes) {
      if (isDone) throw new TypeError("Cannot update hash: it was finished");
      if (buffered + bytes.length <= BUFFER_BYTES) {
        // A full buffer waits until more input proves that it is not the end.
        gather(bytes);
        return this;
      }
      loadStack();
      let rest = bytes;
      if (buffered > 0) {
        const fill = BUFFER_BYTES - buffered;
        gather(rest.subarray(0, fill));
        rest = rest.subarray(fill);
        progress = pushPiece(wasm, buffer, progress);
        buffered = 0;
      }
      const first = progress.chunks;
      progress = pushPieces(wasm, rest, progress, BUFFER_BYTES);
      saveStack();
      gather(rest.subarray((progress.chunks - first) * CHUNK_BYTES));
      return this;
    },
    digest() {
      if (isDone) throw new TypeError("Cannot finish hash: it was finished");
      isDone = true;
      loadStack();
      const hash = finish(wasm, buffer.subarray(0, buffered), progress);
      buffer = new Uint8Array(0);
      return hash;
    },
  };
}

/** How far a message was hashed: whole chunks, and the chaining values on the stack for them. */
interface Progress {
  readonly chunks: number;
  readonly stacked: number;
}

/** Hashes one subtree onto the stack; its size divides what came before, and more follows. */
function pushPiece(wasm: Blake3Module, piece: Uint8Array, { chunks, stacked }: Progress): Progress {
  const count = piece.length / CHUNK_BYTES;
  wasm.input.set(piece);
  return {
    chunks: chunks + count,
    stacked: wasm.pushSubtree(count, chunks >>> 0, Math.floor(chunks / 2 ** 32), stacked),
  };
}

/** Hashes pieces as large as their place allows until at most `keepBytes` are left. */
function pushPieces(
  wasm: Blake3Module,
  bytes: Uint8Array,
  progress: Progress,
  keepBytes: number,
): Progress {
  const chunksLarge = BLAKE3_INPUT_BYTES / CHUNK_BYTES;
  let from = 0;
  while (bytes.length - from > keepBytes) {
    const isLarge = bytes.length - from > BLAKE3_INPUT_BYTES && progress.chunks % chunksLarge === 0;
    const until = from + (isLarge ? BLAKE3_INPUT_BYTES : BUFFER_BYTES);
    progress = pushPiece(wasm, bytes.subarray(from, until), progress);
    from = until;
  }
  return progress;
}

/** Hashes the end of a message, at most as much as the module takes at once. */
function finish(
  wasm: Blake3Module,
  rest: Uint8Array,
  { chunks, stacked }: Progress,
): Uint8Array<ArrayBuffer> {
  wasm.input.set(rest);
  wasm.finish(rest.length, chunks >>> 0, Math.floor(chunks / 2 ** 32), stacked);
  return new Uint8Array(wasm.value);
}

let shared: Blake3Module | undefined;

/** The one module all hashes work in, made on first use; calls never overlap. */
function sharedModule(): Blake3Module {
  shared ??= instantiateBlake3();
  return shared;
}
