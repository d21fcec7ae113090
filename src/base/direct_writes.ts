/**
 * Writing large pieces of a file past the system's cache, by a thread of the runtime, from where the bytes lie.
 *
 * A write into the cache costs a copy and fresh memory for it, 0.2 to 2 ns a byte by the state of that memory, and
 * as much again when the system puts it on the device; this costs 0.05 and the time of the device. For files that are
 * written once and in large pieces. Only for 64-bit Linux, only where FFI is allowed, and not every file system has it.
 */

const O_WRONLY = 1;
const O_CLOEXEC = 0o2000000;
/** Its number on the two processors that the program is made for. */
const O_DIRECT = Deno.build.arch === "aarch64" ? 0o200000 : 0o40000;

/** Place, length and memory of a direct write are multiples of this: what every device can do. */
export const DIRECT_ALIGN = 4096;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  pwrite: {
    parameters: ["i32", "buffer", "usize", "i64"],
    result: "isize",
    nonblocking: true,
  },
} as const;

/** Three writes in a row slower than this, 100 MB/s, and the cache is better: it takes what the device cannot yet. */
const SLOW_MS_PER_BYTE = 1e-5;
const SLOW_WRITES_MAX = 3;

/** Writes to one file. */
export interface DirectWriter {
  /**
   * Writes whole blocks of `bytes` at `offset`.
   *
   * @param bytes Not to be changed until this resolves.
   * @returns How many were written from the start on, maybe none: the rest is for the caller to write in the ordinary
   * way, which also says what is wrong.
   */
  writeAt(offset: number, bytes: Uint8Array): Promise<number>;
  /** No write may be under way. */
  close(): void;
}

/** Opens a file that exists; `undefined` where this cannot be used. */
export function openDirectWriter(path: string): DirectWriter | undefined {
  if (Deno.build.os !== "linux") return undefined;
  // Asking for it in the middle of a write would stop the program at a prompt.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return undefined; // Another C library.
  }
  const name = new TextEncoder().encode(`${path}\0`);
  const descriptor = library.symbols.open(name, O_WRONLY | O_CLOEXEC | O_DIRECT, 0);
  if (descriptor >= 0) return new LibcDirectWriter(library, descriptor);
  library.close();
  return undefined;
}

class LibcDirectWriter implements DirectWriter {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #descriptor: number;
  #slowWrites = 0;
  #isUsable = true;

  constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>, descriptor: number) {
    this.#library = library;
    this.#descriptor = descriptor;
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<number> {
    const length = bytes.length - bytes.length % DIRECT_ALIGN;
    if (!this.#isUsable || length === 0 || offset % DIRECT_ALIGN !== 0 || !isAligned(bytes)) {
      return 0;
    }
    const { pwrite } = this.#library.symbols;
    const startMs = performance.now();
    // A view of shared memory is as good; the types know only of the other kind.
    const part = bytes.subarray(0, length) as Uint8Array<ArrayBuffer>;
    const written = Number(await pwrite(this.#descriptor, part, BigInt(length), BigInt(offset)));
    const isSlow = performance.now() - startMs > length * SLOW_MS_PER_BYTE;
    this.#slowWrites = isSlow ? this.#slowWrites + 1 : 0;
    // What failed once fails again, or takes its time; a short write ends between two blocks or is made good.
    if (written < length || this.#slowWrites >= SLOW_WRITES_MAX) this.#isUsable = false;
    return Math.max(0, written - written % DIRECT_ALIGN);
  }

  close(): void {
    this.#library.symbols.close(this.#descriptor);
    this.#library.close();
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
