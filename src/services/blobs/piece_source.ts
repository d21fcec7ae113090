/** Hands pieces that are pushed in to a reader, one at a time. */
import { NetError } from "../../base/mod.ts";
import type { ByteSource } from "../../blob/mod.ts";

/** A source that somebody else fills. */
export class PieceSource implements ByteSource {
  #piece: Uint8Array | undefined;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** Resolves when the piece was taken. Fails as the reader fails. */
  async push(piece: Uint8Array): Promise<void> {
    this.#throwIfFailed();
    if (this.#piece !== undefined) {
      throw new NetError("conflict", "Cannot go on with upload: a piece is still being taken");
    }
    if (piece.length === 0) return;
    this.#piece = piece;
    this.#wakeReader?.();
    while (this.#piece !== undefined && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
    this.#throwIfFailed();
  }

  /** Nothing more comes. */
  end(): void {
    this.#isEnded = true;
    this.#wakeReader?.();
  }

  /** Both sides fail from now on. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#piece === undefined) {
      this.#throwIfFailed();
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    this.#throwIfFailed();
    const taken = this.#piece.subarray(0, into.length);
    into.set(taken);
    const rest = this.#piece.subarray(taken.length);
    this.#piece = rest.length === 0 ? undefined : rest;
    if (this.#piece === undefined) this.#wakeWriter?.();
    return taken.length;
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
