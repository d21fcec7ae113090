/**
 * A stream read event by event (`wire.md` 7.3, with credit for what was taken instead of for what came):
 * a reader that is slow slows its sender down and holds no more than the window.
 */
import { NetError } from "../../../base/mod.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import { PACKET_OVERHEAD_BYTES } from "../limits.ts";
import type { ReceiveStreamHandler, StreamEnd, StreamReader } from "../types.ts";

/** What the reader asks of the stream it reads. */
export interface ReaderSource {
  /** Counts bytes that came and earn no credit yet; negative ones are taken by now. */
  hold(bytes: number): void;
  end(options?: { readonly abort?: boolean }): void;
}

interface Held {
  readonly event: Uint8Array;
  /** Its share of what its packet cost in credit. */
  readonly bytes: number;
}

interface Taker {
  readonly resolve: (event: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Takes the events of one stream and hands them out on demand. */
export class QueuedStreamReader implements StreamReader, ReceiveStreamHandler {
  readonly peer: bigint;
  readonly streamId: bigint;
  /** Events in the order they came; those before `#next` were taken. */
  #held: Held[] = [];
  #next = 0;
  readonly #takers: Taker[] = [];
  #source: ReaderSource | undefined;
  #failure: NetError | undefined;
  #isOver = false;

  constructor(peer: bigint, streamId: bigint) {
    this.peer = peer;
    this.streamId = streamId;
  }

  /** Connects the reader with the stream; before the first event. */
  attach(source: ReaderSource): void {
    this.#source = source;
  }

  get available(): number {
    return this.#held.length - this.#next;
  }

  onEvent(_sequence: number, payload: Uint8Array, index: number): void {
    const event = payload.slice();
    const taker = this.#takers.shift();
    if (taker !== undefined) return taker.resolve(event);
    // The first event of a packet stands for the packet's own cost.
    const bytes = FRAME_PREFIX_BYTES + event.length + (index === 0 ? PACKET_OVERHEAD_BYTES : 0);
    this.#source?.hold(bytes);
    this.#held.push({ event, bytes });
  }

  onEnd(reason: StreamEnd): void {
    this.#isOver = true;
    this.#failure = new NetError("unreachable", `Cannot read stream: ${END_TEXT[reason]}`, {
      next: "open the stream again once the peer is connected",
    });
    for (const taker of this.#takers.splice(0)) taker.reject(this.#failure);
  }

  read(options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array | undefined> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const held = this.#held[this.#next];
    if (held !== undefined) return Promise.resolve(this.#take(held));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isOver) return Promise.resolve(undefined);
    return this.#wait(signal);
  }

  cancel(options: { readonly abort?: boolean } = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held = [];
    this.#next = 0;
    for (const taker of this.#takers.splice(0)) taker.resolve(undefined);
    this.#source?.end(options);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const event = await this.read();
        if (event === undefined) return;
        yield event;
      }
    } finally {
      this.cancel();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    return Promise.resolve();
  }

  #take({ event, bytes }: Held): Uint8Array {
    this.#next += 1;
    // Moved together now and then, so that taking costs the same however many are held.
    if (this.#next * 2 >= this.#held.length) {
      this.#held = this.#held.slice(this.#next);
      this.#next = 0;
    }
    this.#source?.hold(-bytes);
    return event;
  }

  #wait(signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#takers.splice(this.#takers.indexOf(taker), 1);
        reject(signal?.reason);
      };
      const taker: Taker = {
        resolve: (event) => {
          signal?.removeEventListener("abort", onAbort);
          resolve(event);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#takers.push(taker);
    });
  }
}

const END_TEXT: Readonly<Record<StreamEnd, string>> = {
  reset: "the sender gave it up",
  peer_lost: "the session with the peer ended",
  replaced: "session replaced",
  gap: "a packet stayed missing for too long",
  idle: "nothing was sent for too long",
  closed: "it is closed",
};
