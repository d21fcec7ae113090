/**
 * The way of a node's frames to itself: packets are copied and handed on when pending input was handled, so that
 * nobody is called from within a call of its own.
 */
import type { Clock } from "../../base/mod.ts";
import { EventCursor, MAX_RELAYED_PAYLOAD } from "../../core/transport/mod.ts";
import type { FramePort } from "../../rpc/mod.ts";
import { LOOPBACK_BYTES_MAX } from "./limits.ts";

interface Packet {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Hands frames to the other end of a link within this node. */
export class LoopbackPort implements FramePort {
  readonly payloadBytesMax = MAX_RELAYED_PAYLOAD;
  readonly #clock: Pick<Clock, "soon">;
  readonly #take: (frame: Uint8Array) => void;
  readonly #cursor = new EventCursor();
  #packets: Packet[] = [];
  #bytes = 0;
  #waiting: (() => void)[] = [];

  /** @param take Gets each frame; a view that is valid only during the call. */
  constructor(clock: Pick<Clock, "soon">, take: (frame: Uint8Array) => void) {
    this.#clock = clock;
    this.#take = take;
  }

  trySendFramed(bytes: Uint8Array, start: number, length: number, count: number): boolean {
    if (this.#bytes > 0 && this.#bytes + length > 2 * LOOPBACK_BYTES_MAX) return false;
    if (this.#packets.length === 0) this.#clock.soon(() => this.#deliver());
    this.#packets.push({ bytes: bytes.slice(start, start + length), count });
    this.#bytes += length;
    return true;
  }

  canSendBulk(length: number): boolean {
    return this.#bytes === 0 || this.#bytes + length <= LOOPBACK_BYTES_MAX;
  }

  ready(): Promise<void> {
    if (this.#bytes === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  #deliver(): void {
    const packets = this.#packets;
    this.#packets = [];
    this.#bytes = 0;
    const cursor = this.#cursor;
    for (const { bytes, count } of packets) {
      cursor.reset(bytes, 0, bytes.length, count);
      while (cursor.next()) this.#take(bytes.subarray(cursor.start, cursor.end));
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
