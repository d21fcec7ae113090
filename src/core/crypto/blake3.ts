/**
 * BLAKE3, unkeyed: one-shot, streaming, and with output of any length.
 *
 * The work is done by `wasm/assembly/blake3.as` in one shared memory; an instance keeps what it has
 * between calls in plain arrays, so that any number of them can live and be dropped. Input stays in
 * that memory until later input overwrites it: this is for content, not for secrets.
 */
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { BLAKE3_INPUT_BYTES, BLAKE3_SHORTS_MAX, instantiateBlake3 } from "./wasm/blake3.ts";
import type { Blake3Module } from "./wasm/blake3.ts";

const HASH_BYTES = 32;
const CHUNK_BYTES = 1024;
/** What an instance gathers before it hashes: 16 chunks fill the vector lanes twice. */
const BUFFER_BYTES = 16 * CHUNK_BYTES;
const BUFFER_BYTES_FIRST = CHUNK_BYTES;
/** Inputs below 2^53 bytes have fewer than 2^43 chunks, and the stack one entry per bit of that. */
const STACK_ENTRIES = 43;
/** Number of chunks of a subtree is passed as 32 bits; this is far below. */
const SUBTREE_BYTES_MAX = 2 ** 30;
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
   * Adds bytes that were hashed elsewhere by {@linkcode blake3Subtree}.
   *
   * @param value What that gave.
   * @param length How many they are; must divide the number of bytes before them.
   * @throws RangeError when it does not; TypeError after {@linkcode Blake3.digest}.
   */
  addSubtree(value: Uint8Array, length: number): this;
  /**
   * Ends the message and returns its 32-byte hash.
   *
   * @throws TypeError when called twice, and when the message is one subtree: its hash is that of its
   * bytes, which are not here.
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
 * Hashes messages that lie one behind the other, short ones several times as fast as one by one.
 *
 * @param sizes Bytes of each.
 * @param count How many there are.
 * @returns Their hashes, one behind the other.
 *
 * @example
 * ```ts
 * import { blake3, blake3Many } from "./blake3.ts";
 * const bytes = new Uint8Array(30).fill(1);
 * const hashes = blake3Many(bytes, [10, 20], 2);
 * console.assert(hashes.subarray(32).toHex() === blake3(bytes.subarray(10)).toHex());
 * ```
 */
export function blake3Many(
  bytes: Uint8Array,
  sizes: ArrayLike<number>,
  count: number,
): Uint8Array<ArrayBuffer> {
  const wasm = sharedModule();
  const hashes = new Uint8Array(count * HASH_BYTES);
  let start = 0;
  for (let first = 0; first < count;) {
    let last = first;
    let length = 0;
    // As many short ones as go with one call.
    for (; last < count && last - first < BLAKE3_SHORTS_MAX; last++) {
      const size = sizes[last] ?? 0;
      if (size > CHUNK_BYTES) break;
      wasm.places[last - first] = length;
      wasm.lengths[last - first] = size;
      length += size;
    }
    if (last === first) {
      length = sizes[first] ?? 0;
      hashes.set(blake3(bytes.subarray(start, start + length)), first * HASH_BYTES);
      last += 1;
    } else {
      wasm.input.set(bytes.subarray(start, start + length));
      wasm.hashShorts(last - first);
      const found = wasm.shortHashes.subarray(0, (last - first) * HASH_BYTES);
      hashes.set(found, first * HASH_BYTES);
    }
    start += length;
    first = last;
  }
  return hashes;
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
 * The chaining value of a part of a message: parts can be hashed in any order and by any thread, and
 * {@linkcode Blake3.addSubtree} puts them together.
 *
 * @param bytes So many as a power of two of at least 64 KiB.
 * @param start Place of the first in the message; a multiple of their number.
 * @throws RangeError when either is not so.
 *
 * @example
 * ```ts
 * import { blake3, blake3Subtree, createBlake3 } from "./blake3.ts";
 * const bytes = new Uint8Array(131_072).fill(1);
 * const half = blake3Subtree(bytes.subarray(65_536), 65_536);
 * const hash = createBlake3().update(bytes.subarray(0, 65_536)).addSubtree(half, 65_536).digest();
 * console.assert(hash.toHex() === blake3(bytes).toHex());
 * ```
 */
export function blake3Subtree(bytes: Uint8Array, start: number): Uint8Array<ArrayBuffer> {
  checkSubtree(bytes.length, start);
  const wasm = sharedModule();
  const until = bytes.length / CHUNK_BYTES;
  let progress: Progress = { chunks: start / CHUNK_BYTES, stacked: 0 };
  for (let at = 0; at < bytes.length; at += BLAKE3_INPUT_BYTES) {
    progress = pushPiece(wasm, bytes.subarray(at, at + BLAKE3_INPUT_BYTES), progress, until);
  }
  return new Uint8Array(wasm.stack.subarray(0, HASH_BYTES));
}

/** True for a part that {@linkcode blake3Subtree} takes. */
export function isBlake3Subtree(length: number, start: number): boolean {
  const isWhole = length >= BLAKE3_INPUT_BYTES && length <= SUBTREE_BYTES_MAX &&
    Number.isInteger(Math.log2(length));
  return isWhole && Number.isSafeInteger(start) && start >= 0 && start % length === 0;
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
  /** The last subtree of others, which waits until more input proves that it is not the end. */
  let pending: { readonly value: Uint8Array; readonly length: number } | undefined;
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

  /** Hashes what was gathered: nothing, or a whole buffer, because only so the place divides. */
  function flush(): void {
    if (buffered > 0) progress = pushPiece(wasm, buffer.subarray(0, buffered), progress);
    buffered = 0;
  }

  function pushPending(): void {
    if (pending === undefined) return;
    const { value, length } = pending;
    pending = undefined;
    const { chunks, stacked } = progress;
    const count = length / CHUNK_BYTES;
    wasm.level.set(value);
    progress = {
      chunks: chunks + count,
      stacked: wasm.pushValue(count, chunks >>> 0, Math.floor(chunks / 2 ** 32), stacked),
    };
  }

  return {
    update(bytes) {
      if (isDone) throw new TypeError("Cannot update hash: it was finished");
      if (bytes.length === 0) return this;
      if (pending !== undefined) {
        loadStack();
        pushPending();
        saveStack();
      }
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
    addSubtree(value, length) {
      if (isDone) throw new TypeError("Cannot update hash: it was finished");
      const start = progress.chunks * CHUNK_BYTES + (pending?.length ?? 0) + buffered;
      checkSubtree(length, start);
      loadStack();
      pushPending();
      flush();
      saveStack();
      pending = { value: value.slice(), length };
      return this;
    },
    digest() {
      if (isDone) throw new TypeError("Cannot finish hash: it was finished");
      if (pending !== undefined && progress.chunks === 0) {
        throw new TypeError("Cannot finish hash: it is that of one subtree, hash its bytes");
      }
      isDone = true;
      loadStack();
      if (pending !== undefined) {
        wasm.level.set(pending.value);
        wasm.finishValue(progress.stacked);
        return new Uint8Array(wasm.value);
      }
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
function pushPiece(
  wasm: Blake3Module,
  piece: Uint8Array,
  { chunks, stacked }: Progress,
  until = 0,
): Progress {
  const count = piece.length / CHUNK_BYTES;
  const high = Math.floor(chunks / 2 ** 32);
  wasm.input.set(piece);
  return {
    chunks: chunks + count,
    stacked: wasm.pushSubtree(count, chunks >>> 0, high, stacked, until),
  };
}

function checkSubtree(length: number, start: number): void {
  if (isBlake3Subtree(length, start)) return;
  throw new RangeError(
    `Cannot hash part of ${length} bytes at ${start}: it must be a power of two of at least ` +
      `${BLAKE3_INPUT_BYTES} that divides its place`,
  );
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
