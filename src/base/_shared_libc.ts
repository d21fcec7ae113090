/** The C library of the system, open as long as somebody uses it; for calls that only 64-bit Linux has like this. */

/** Calls of the C library that several users share. */
export class SharedLibc<Symbols extends Deno.ForeignLibraryInterface> {
  readonly #symbols: Symbols;
  #library: Deno.DynamicLibrary<Symbols> | undefined;
  #users = 0;
  #isRefused = false;

  constructor(symbols: Symbols) {
    this.#symbols = symbols;
  }

  /**
   * The library, to be given back with {@linkcode SharedLibc.release}; `undefined` where it cannot be used, and
   * then there is nothing to give back.
   */
  acquire(): Deno.DynamicLibrary<Symbols> | undefined {
    if (this.#isRefused || Deno.build.os !== "linux") return undefined;
    if (this.#library === undefined) {
      // Asking for it in the middle of a write would stop the program at a prompt.
      if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
      try {
        this.#library = Deno.dlopen("libc.so.6", this.#symbols);
      } catch {
        this.#isRefused = true; // Another C library.
        return undefined;
      }
    }
    this.#users += 1;
    return this.#library;
  }

  /** Gives it back; the last one closes it. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#library?.close();
    this.#library = undefined;
  }
}
