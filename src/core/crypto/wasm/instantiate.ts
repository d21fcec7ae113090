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

/** A memory of exactly `bytes` rounded up to whole pages; it never grows, so views stay valid. */
export function createFixedMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}
