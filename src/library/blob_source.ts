/** Where the bytes of a blob come from: one array, a stream, or anything that yields arrays. */
import { toBytes } from "./body.ts";
import type { ByteSource } from "../blob/mod.ts";

/** Bytes, a text, a stream of bytes, or a `Blob` of the web platform. */
export type BlobInput =
  | Uint8Array
  | string
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Iterable<Uint8Array>;

/** A source that is read to its end, or left. */
export interface ClosableSource extends ByteSource {
  /** Lets go of what it reads from, also in the middle. */
  close(): Promise<void>;
}

/** Reads an input from its start; it is taken piece by piece, never as a whole. */
export function openBlobInput(input: BlobInput): ClosableSource {
  if (typeof input === "string" || input instanceof Uint8Array) {
    return new PieceSource([toBytes(input)]);
  }
  return new PieceSource(input instanceof Blob ? input.stream() : input);
}

class PieceSource implements ClosableSource {
  readonly #pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#pieces = Symbol.asyncIterator in pieces
      ? pieces[Symbol.asyncIterator]()
      : pieces[Symbol.iterator]();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#pieces.next();
      if (done === true) return null;
      if (!(value instanceof Uint8Array)) {
        throw new TypeError("Cannot put blob: a piece is no Uint8Array");
      }
      this.#rest = value;
    }
    const taken = this.#rest.subarray(0, into.length);
    into.set(taken);
    this.#rest = this.#rest.subarray(taken.length);
    return taken.length;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
