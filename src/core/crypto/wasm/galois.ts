/** Loads the module of products in the field of 256 elements, and names the places in its memory. */
import { GALOIS_WASM_BASE64 } from "./galois_wasm.ts";
import { createFixedMemory, instantiateWasm } from "./instantiate.ts";

/** Places of `assembly/galois.as`. */
const CONSTANTS_OFFSET = 256;
const PRODUCTS_OFFSET = 1024;
const INPUT_OFFSET = 16_384;
/** Bytes of input of one call; with four outputs they stay in the second-level cache. */
export const GALOIS_BLOCK_BYTES = 16_384;
/** Outputs of one call. */
export const GALOIS_OUTPUTS_MAX = 16;
const OUTPUTS_OFFSET = INPUT_OFFSET + GALOIS_BLOCK_BYTES;

/** Exports of `assembly/galois.as`; places are offsets in memory. */
interface GaloisFunctions {
  addProducts(
    input: number,
    length: number,
    outputs: number,
    stride: number,
    constants: number,
    count: number,
  ): void;
}

/** The function, and the places it works on. */
export interface GaloisModule {
  readonly input: Uint8Array<ArrayBuffer>;
  /** One block for each output. */
  readonly outputs: readonly Uint8Array<ArrayBuffer>[];
  /** One byte for each output. */
  readonly constants: Uint8Array<ArrayBuffer>;
  /** Adds the products of the first `length` bytes of input to the first `count` outputs. */
  addProducts(length: number, count: number): void;
}

/**
 * Instantiates the module with a memory of its own.
 *
 * @param multiply The product in the field.
 */
export function instantiateGalois(multiply: (a: number, b: number) => number): GaloisModule {
  const { memory, bytes } = createFixedMemory(
    OUTPUTS_OFFSET + GALOIS_OUTPUTS_MAX * GALOIS_BLOCK_BYTES,
  );
  const wasm = instantiateWasm<GaloisFunctions>(GALOIS_WASM_BASE64, memory);
  for (let constant = 0; constant < 256; constant++) {
    for (let half = 0; half < 16; half++) {
      const at = PRODUCTS_OFFSET + 32 * constant + half;
      bytes[at] = multiply(constant, half);
      bytes[at + 16] = multiply(constant, half << 4);
    }
  }
  const place = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  return {
    input: place(INPUT_OFFSET, GALOIS_BLOCK_BYTES),
    outputs: Array.from(
      { length: GALOIS_OUTPUTS_MAX },
      (_, i) => place(OUTPUTS_OFFSET + i * GALOIS_BLOCK_BYTES, GALOIS_BLOCK_BYTES),
    ),
    constants: place(CONSTANTS_OFFSET, GALOIS_OUTPUTS_MAX),
    addProducts: (length, count) =>
      wasm.addProducts(
        INPUT_OFFSET,
        length,
        OUTPUTS_OFFSET,
        GALOIS_BLOCK_BYTES,
        CONSTANTS_OFFSET,
        count,
      ),
  };
}
