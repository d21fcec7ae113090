/**
 * Large pieces of files read and written past the system's cache, by a thread of the runtime, where the bytes lie.
 *
 * Through the cache a byte costs a copy and fresh memory for it, 0.2 to 2 ns by the state of that memory, and a
 * written one as much again when the system puts it on the device; this costs 0.05 and the time of the device. For
 * what is written once, or read once, in large pieces. Only for 64-bit Linux, only where FFI is allowed, and not every
 * file system has it.
 */

import { SharedLibc } from "./_shared_libc.ts";

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_CLOEXEC = 0o2000000;
/** Nothing to a file; the opening of a pipe would stop the program until somebody opens its other end. */
const O_NONBLOCK = 0o4000;
/** Its number on the two processors that the program is made for. */
const O_DIRECT = Deno.build.arch === "aarch64" ? 0o200000 : 0o40000;

/** Place, length and memory are multiples of this: what every device can do. */
export const DIRECT_ALIGN = 4096;

const MOVE = {
  parameters: ["i32", "buffer", "usize", "i64"],
  result: "isize",
  nonblocking: true,
} as const;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  pread: MOVE,
  pwrite: MOVE,
} as const;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

const libc = new SharedLibc(SYMBOLS);

/** Three pieces in a row slower than this, 100 MB/s of all that are moved at the time, and the cache is better: it takes what the device cannot yet. */
const SLOW_MS_PER_BYTE = 1e-5;
const SLOW_MAX = 3;

/** One file. */
export interface DirectFile extends Disposable {
  /**
   * Reads into, or writes from, the whole blocks of `bytes`, which nobody else touches until this resolves. Several
   * pieces may be moved at a time.
   *
   * @returns How many bytes were moved from the start on, maybe none: the rest is for the caller to do in the ordinary
   * way, which also says what is wrong.
   */
  move(offset: number, bytes: Uint8Array): Promise<number>;
}

/** Opens a file that exists; `undefined` where this cannot be used. */
export function openDirectFile(path: string, access: "read" | "write"): DirectFile | undefined {
  const library = libc.acquire();
  if (library === undefined) return undefined;
  const flags = (access === "read" ? O_RDONLY : O_WRONLY) | O_CLOEXEC | O_NONBLOCK | O_DIRECT;
  const descriptor = library.symbols.open(new TextEncoder().encode(`${path}\0`), flags, 0);
  if (descriptor >= 0) return new LibcDirectFile(library, descriptor, access);
  libc.release();
  return undefined;
}

class LibcDirectFile implements DirectFile {
  readonly #library: Library;
  readonly #descriptor: number;
  readonly #access: "read" | "write";
  #slow = 0;
  #isUsable = true;
  #isClosed = false;
  #moving = 0;

  constructor(library: Library, descriptor: number, access: "read" | "write") {
    this.#library = library;
    this.#descriptor = descriptor;
    this.#access = access;
  }

  async move(offset: number, bytes: Uint8Array): Promise<number> {
    const length = bytes.length - bytes.length % DIRECT_ALIGN;
    const isWhole = length > 0 && offset % DIRECT_ALIGN === 0 && isAligned(bytes);
    if (!this.#isUsable || this.#isClosed || !isWhole) return 0;
    const { pread, pwrite } = this.#library.symbols;
    const call = this.#access === "read" ? pread : pwrite;
    const startMs = performance.now();
    this.#moving += 1;
    // A view of shared memory is as good; the types know only of the other kind.
    const part = bytes.subarray(0, length) as Uint8Array<ArrayBuffer>;
    const moved = Number(await call(this.#descriptor, part, BigInt(length), BigInt(offset)));
    const tookMs = (performance.now() - startMs) / this.#moving;
    this.#moving -= 1;
    if (this.#isClosed) this.#close();
    const isSlow = tookMs > length * SLOW_MS_PER_BYTE;
    this.#slow = isSlow ? this.#slow + 1 : 0;
    // What failed once fails again, or takes its time; what is moved in part is made good from the last whole block on.
    if (moved < length || this.#slow >= SLOW_MAX) this.#isUsable = false;
    return Math.max(0, moved - moved % DIRECT_ALIGN);
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#close();
  }

  /** Another file may get the number of one that is closed: not while a call is under way. */
  #close(): void {
    if (this.#moving > 0) return;
    this.#library.symbols.close(this.#descriptor);
    libc.release();
  }
}

/** True for bytes that lie where a device can take them from. */
export function isAligned(bytes: Uint8Array): boolean {
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>));
  return BigInt(address) % BigInt(DIRECT_ALIGN) === 0n;
}

/**
 * Memory that every thread sees and a device can take from: it begins with a page. Rounded up to 64 KiB; the rest
 * of it is not touched and costs nothing.
 */
export function allocateSharedPages(length: number): Uint8Array {
  const pages = Math.max(1, Math.ceil(length / WASM_PAGE_BYTES));
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return new Uint8Array(buffer, 0, length);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // A process whose addresses are limited has no room for the guards around such a memory.
    return new Uint8Array(new SharedArrayBuffer(length));
  }
}

const WASM_PAGE_BYTES = 65_536;
