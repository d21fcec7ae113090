/** Where a blob goes that is wanted in memory or as a stream. */
import { concatBytes, NetError } from "../base/mod.ts";
import type { BlobSink } from "../blob/mod.ts";

/** Keeps everything, up to a limit. */
export class MemorySink implements BlobSink {
  readonly #parts: Uint8Array[] = [];
  readonly #bytesMax: number;
  #size = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What came, as one array. */
  bytes(): Uint8Array<ArrayBuffer> {
    return concatBytes(...this.#parts);
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length;
    if (this.#size > this.#bytesMax) {
      const message = `Cannot get blob: it is larger than ${this.#bytesMax} bytes`;
      return Promise.reject(
        new NetError("limit", message, { next: "use getStream or getFile, or raise maxBytes" }),
      );
    }
    this.#parts.push(bytes);
    return Promise.resolve();
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }
}

/** Hands everything on to a reader, one chunk ahead of it at most. */
export class StreamSink implements BlobSink {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  /** @param onLeft Called when the reader wants no more. */
  constructor(onLeft: (reason: unknown) => void) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.readable = readable;
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(onLeft);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#writer.ready;
    await this.#writer.write(bytes);
  }

  async commit(): Promise<void> {
    await this.#writer.close();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  /** Tells the reader that the rest does not come. */
  async fail(error: unknown): Promise<void> {
    await this.#writer.abort(error).catch(() => {});
  }
}
