/**
 * ChaCha20-Poly1305 of the system's OpenSSL 3, for large packets where the program may call libraries.
 *
 * Crossing the border costs as much as sealing half a kilobyte in WebAssembly, so it pays for larger
 * payloads only; `packet_cipher.ts` decides. Never required: without the library, or the permission to
 * call it, everything works as before.
 */

/** Additional data of a packet: its header without the nonce. */
export const NATIVE_AAD_BYTES = 56;
const NONCE_BYTES = 12;
const AAD_AT = 16;
const TAG_AT = 80;
const LENGTH_AT = 96;
const SCRATCH_BYTES = 112;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

type Bytes = Uint8Array<ArrayBuffer>;

const CTRL_GET_TAG = 0x10;
const CTRL_SET_TAG = 0x11;
const NAMES: readonly string[] = ["libcrypto.so.3"];

const SYMBOLS = {
  EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
  EVP_CIPHER_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_chacha20_poly1305: { parameters: [], result: "pointer" },
  EVP_CipherInit_ex: {
    parameters: ["pointer", "pointer", "pointer", "buffer", "pointer", "i32"],
    result: "i32",
  },
  addData: {
    name: "EVP_CipherUpdate",
    parameters: ["pointer", "pointer", "pointer", "pointer", "i32"],
    result: "i32",
  },
  update: {
    name: "EVP_CipherUpdate",
    parameters: ["pointer", "buffer", "pointer", "buffer", "i32"],
    result: "i32",
  },
  EVP_CipherFinal_ex: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  EVP_CIPHER_CTX_ctrl: { parameters: ["pointer", "i32", "i32", "pointer"], result: "i32" },
} as const;

/** The cipher of one library handle; used from one thread, by one packet cipher. */
export class NativeAead implements Disposable {
  /** Nonce of the next call, 12 bytes. */
  readonly nonce: Uint8Array<ArrayBuffer>;
  /** Additional data of the next call, 56 bytes. */
  readonly aad: Uint8Array<ArrayBuffer>;
  /** Tag of the last seal, or of the next open. */
  readonly tag: Uint8Array<ArrayBuffer>;
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #seal: Deno.PointerValue;
  readonly #open: Deno.PointerValue;
  readonly #noncePointer: Deno.PointerValue;
  readonly #aadPointer: Deno.PointerValue;
  readonly #tagPointer: Deno.PointerValue;
  readonly #lengthPointer: Deno.PointerValue;
  #isClosed = false;

  /** @throws Error when the library has no such cipher. */
  constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
    const { symbols } = library;
    const scratch = new Uint8Array(SCRATCH_BYTES);
    this.nonce = scratch.subarray(0, NONCE_BYTES);
    this.aad = scratch.subarray(AAD_AT, AAD_AT + NATIVE_AAD_BYTES);
    this.tag = scratch.subarray(TAG_AT, TAG_AT + TAG_BYTES);
    this.#noncePointer = Deno.UnsafePointer.of(this.nonce);
    this.#aadPointer = Deno.UnsafePointer.of(this.aad);
    this.#tagPointer = Deno.UnsafePointer.of(this.tag);
    this.#lengthPointer = Deno.UnsafePointer.of(scratch.subarray(LENGTH_AT));
    this.#seal = symbols.EVP_CIPHER_CTX_new();
    this.#open = symbols.EVP_CIPHER_CTX_new();
    const cipher = symbols.EVP_chacha20_poly1305();
    const isReady = symbols.EVP_CipherInit_ex(this.#seal, cipher, null, null, null, 1) === 1 &&
      symbols.EVP_CipherInit_ex(this.#open, cipher, null, null, null, 0) === 1;
    if (!isReady) throw new Error("it has no ChaCha20-Poly1305");
  }

  /**
   * Encrypts `length` bytes from `source` to `target`, which are the same or apart. Leaves the tag in
   * {@linkcode NativeAead.tag}.
   *
   * @param key 32 bytes; `null` keeps the one of the last call.
   * @throws Error when the library refuses, which it has no reason for.
   */
  seal(key: Bytes | null, source: Bytes, target: Bytes, length: number): void {
    const { symbols } = this.#library;
    const context = this.#seal;
    const isDone =
      symbols.EVP_CipherInit_ex(context, null, null, key, this.#noncePointer, 1) === 1 &&
      symbols.addData(context, null, this.#lengthPointer, this.#aadPointer, NATIVE_AAD_BYTES) ===
        1 &&
      symbols.update(context, target, this.#lengthPointer, source, length) === 1 &&
      symbols.EVP_CipherFinal_ex(context, this.#tagPointer, this.#lengthPointer) === 1 &&
      symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, TAG_BYTES, this.#tagPointer) === 1;
    if (!isDone) throw new Error("Cannot seal packet: the system's library refused");
  }

  /**
   * Decrypts `length` bytes in place and compares the tag with {@linkcode NativeAead.tag}.
   *
   * @param key 32 bytes; `null` keeps the one of the last call.
   * @returns False when the tag is wrong; the bytes have changed all the same.
   */
  open(key: Bytes | null, sealed: Bytes, length: number): boolean {
    const { symbols } = this.#library;
    const context = this.#open;
    return symbols.EVP_CipherInit_ex(context, null, null, key, this.#noncePointer, 0) === 1 &&
      symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, TAG_BYTES, this.#tagPointer) === 1 &&
      symbols.addData(context, null, this.#lengthPointer, this.#aadPointer, NATIVE_AAD_BYTES) ===
        1 &&
      symbols.update(context, sealed, this.#lengthPointer, sealed, length) === 1 &&
      symbols.EVP_CipherFinal_ex(context, this.#tagPointer, this.#lengthPointer) === 1;
  }

  /** Overwrites the keys kept from the last calls. */
  wipe(): void {
    const { symbols } = this.#library;
    const zeros = new Uint8Array(KEY_BYTES);
    symbols.EVP_CipherInit_ex(this.#seal, null, null, zeros, this.#noncePointer, 1);
    symbols.EVP_CipherInit_ex(this.#open, null, null, zeros, this.#noncePointer, 0);
  }

  /** Gives the library back; keys it held are overwritten by it. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#library.symbols.EVP_CIPHER_CTX_free(this.#seal);
    this.#library.symbols.EVP_CIPHER_CTX_free(this.#open);
    this.#library.close();
  }
}

/** The system's cipher, or `undefined` where there is none or it may not be called. */
export function openNativeAead(): NativeAead | undefined {
  if (Deno.build.os !== "linux") return undefined;
  // A query, because an attempt would ask the user.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  for (const name of NAMES) {
    const library = tryOpen(name);
    if (library === undefined) continue;
    try {
      return new NativeAead(library);
    } catch {
      library.close(); // Built without the cipher, or not allowed to use it.
    }
  }
  return undefined;
}

function tryOpen(name: string): Deno.DynamicLibrary<typeof SYMBOLS> | undefined {
  try {
    return Deno.dlopen(name, SYMBOLS);
  } catch {
    return undefined; // Not there, or too old.
  }
}
