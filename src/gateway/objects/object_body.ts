/**
 * The body of an answer out of an object that comes chunk by chunk. The last bytes wait until the hash of the whole
 * is right: a client never holds all bytes of an object that is not the one it asked for.
 */
import type { BlobSink } from "../../blob/mod.ts";
import { byteBody } from "./byte_body.ts";

/** What is handed to the reader, and told when all of it was taken; without bytes it is the end. */
interface Handed {
  readonly bytes: Uint8Array | undefined;
  readonly taken: PromiseWithResolvers<void>;
}

/** So many of the last bytes are kept back until it is known that more follow, or that all of it is right. */
const TAIL_BYTES = 64 * 1024;

/** Passes an object on, some bytes behind it. */
export class ObjectBody implements BlobSink {
  /** They go out while they are written: room for all of them would be hundreds of megabytes of garbage. */
  readonly keepsBytes = false;
  readonly #begun = Promise.withResolvers<void>();
  readonly #onLeft: (reason: unknown) => void;
  /** The answer's body. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The bytes that wait, in room that is used again. */
  #held: Uint8Array | undefined;
  readonly #room = new Uint8Array(TAIL_BYTES);
  /** What the reader is at, or will be. */
  #handed: Handed | undefined;
  #isTaken = false;
  /** Told that there is something to take, or that it failed. */
  #wake = () => {};
  #failure: { readonly error: unknown } | undefined;

  /** @param onLeft Called when nobody reads any more. */
  constructor(onLeft: (reason: unknown) => void) {
    this.#onLeft = onLeft;
    this.readable = byteBody({
      next: () => this.#next(),
      cancel: (reason) => this.#leave(reason),
    });
    this.#begun.promise.catch(() => {}); // Whoever waits for it sees it; others need not.
  }

  /** Settles when the first chunk is there, or is known not to come: until then another answer can be given. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#begun.resolve();
    if (this.#held !== undefined) await this.#hand(this.#held);
    this.#held = undefined;
    const end = Math.max(0, bytes.length - TAIL_BYTES);
    if (end > 0) await this.#hand(bytes.subarray(0, end));
    const tail = bytes.subarray(end);
    this.#room.set(tail);
    this.#held = this.#room.subarray(0, tail.length);
  }

  async commit(): Promise<void> {
    this.#begun.resolve();
    if (this.#held !== undefined) await this.#hand(this.#held);
    this.#held = undefined;
    await this.#hand(undefined);
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  /** The rest does not come. */
  fail(error: unknown): void {
    this.#begun.reject(error);
    this.#held = undefined;
    this.#failure ??= { error };
    this.#wake();
  }

  /** Resolves when the reader has taken all of it. */
  #hand(bytes: Uint8Array | undefined): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    const taken = Promise.withResolvers<void>();
    this.#handed = { bytes, taken };
    this.#isTaken = false;
    this.#wake();
    return taken.promise;
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#isTaken) {
      const { taken } = this.#handed ?? {};
      this.#handed = undefined;
      this.#isTaken = false;
      taken?.resolve();
    }
    while (this.#handed === undefined) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const { bytes, taken } = this.#handed;
    this.#isTaken = true;
    // Nobody asks again behind the end.
    if (bytes === undefined) taken.resolve();
    return bytes;
  }

  #leave(reason: unknown): void {
    this.#failure ??= { error: reason };
    this.#handed?.taken.reject(reason);
    this.#handed = undefined;
    this.#wake();
    this.#onLeft(reason);
  }
}
