/** Turns an embedded WebAssembly binary into an instance, synchronously. */

/** Bytes in one WebAssembly page. */
export const WASM_PAGE_BYTES = 65536;

/**
 * Instantiates a generated module over `memory`.
 *
 * @param base64 The constant of a file written by `build.ts`; its exports have the shape `T`.
 */
export function instantiateWasm<T>(base64: string, memory: WebAssembly.Memory): T {
  const module = new WebAssembly.Module(Uint8Array.fromBase64(base64));
  const instance = new WebAssembly.Instance(module, {
    env: {
      memory,
      abort: () => {
        throw new Error("Cannot run WebAssembly: the module aborted");
      },
    },
  });
  return instance.exports as unknown as T;
}

/** A memory that never grows, and the one view of all its bytes. */
export interface FixedMemory {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Creates a memory of exactly `byteLength`, rounded up to whole pages. */
export function createFixedMemory(byteLength: number): FixedMemory {
  const pages = Math.ceil(byteLength / WASM_PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  if (!(memory.buffer instanceof ArrayBuffer)) {
    throw new TypeError("Cannot create memory: it is shared, must belong to one thread");
  }
  return { memory, bytes: new Uint8Array(memory.buffer) };
}
