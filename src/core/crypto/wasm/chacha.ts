/**
 * Loads the ChaCha20-Poly1305 module into a memory of fixed size and types its functions.
 *
 * Addresses are not checked here: {@linkcode createPacketCipher} and `aead.ts` do that.
 */
import { CHACHA_WASM_BASE64 } from "./chacha_wasm.ts";
import { instantiateWasm } from "./instantiate.ts";

/** First address the callers may use; the module's own scratch lies below. */
export const CHACHA_SCRATCH_BYTES = 2048;

/** Exports of `assembly/chacha.as`; every number is a byte address or a length in bytes. */
export interface ChachaExports {
  sealPacket(key: number, packet: number, length: number): void;
  openPacket(key: number, packet: number, length: number, prefix: number): number;
  seal(
    key: number,
    nonce: number,
    aad: number,
    aadLength: number,
    at: number,
    length: number,
  ): void;
  open(
    key: number,
    nonce: number,
    aad: number,
    aadLength: number,
    at: number,
    length: number,
  ): number;
}

/** Instantiates the module over `memory`. */
export function instantiateChacha(memory: WebAssembly.Memory): ChachaExports {
  return instantiateWasm<ChachaExports>(CHACHA_WASM_BASE64, memory);
}
