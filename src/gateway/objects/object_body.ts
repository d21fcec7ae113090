/**
 * The body of an answer out of an object that comes chunk by chunk. The last chunk waits until the hash of the
 * whole is right: a client never holds all bytes of an object that is not the one it asked for.
 */
import type { BlobSink } from "../../blob/mod.ts";

/** What is handed on at once: small enough to be freed soon, large enough for one write to the socket. */
const PIECE_BYTES = 256 * 1024;

/** Passes an object on, one chunk behind it. */
export class ObjectBody implements BlobSink {
  /** Chunks are copied: room for a new one each time would be hundreds of megabytes of garbage. */
  readonly keepsBytes = false;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #begun = Promise.withResolvers<void>();
  /** The answer's body. */
  readonly readable: ReadableStream<Uint8Array>;
  /** The chunk that waits, in room that is used again. */
  #held: Uint8Array | undefined;
  #room = new Uint8Array(0);

  /** @param onLeft Called when nobody reads any more. */
  constructor(onLeft: (reason: unknown) => void) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
      undefined,
      undefined,
      {
        highWaterMark: 0,
      },
    );
    this.readable = readable;
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(onLeft);
    this.#begun.promise.catch(() => {}); // Whoever waits for it sees it; others need not.
  }

  /** Settles when the first chunk is there, or is known not to come: until then another answer can be given. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#begun.resolve();
    if (this.#held !== undefined) await this.#send(this.#held);
    if (this.#room.length < bytes.length) this.#room = new Uint8Array(bytes.length);
    this.#room.set(bytes);
    this.#held = this.#room.subarray(0, bytes.length);
  }

  async commit(): Promise<void> {
    this.#begun.resolve();
    if (this.#held !== undefined) await this.#send(this.#held);
    this.#held = undefined;
    await this.#writer.close();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  /** The rest does not come. */
  async fail(error: unknown): Promise<void> {
    this.#begun.reject(error);
    this.#held = undefined;
    await this.#writer.abort(error).catch(() => {});
  }

  /** In pieces of the reader's own: it may keep them. */
  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      await this.#writer.ready;
      await this.#writer.write(bytes.slice(at, at + PIECE_BYTES));
    }
  }
}
