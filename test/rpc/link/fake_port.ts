/** A port that keeps packets until they are asked for, with as much room as a test gives it. */
import type { FramePort } from "../../../src/rpc/mod.ts";
import { EventCursor } from "../../../src/core/transport/mod.ts";

/** Takes packets. */
export class FakePort implements FramePort {
  readonly payloadBytesMax: number;
  /** Packets that left, each as its frames. */
  readonly packets: Uint8Array[][] = [];
  /** Packets there is room for. */
  room: number;
  /** Of those so many are left alone by bulk. */
  reserve = 0;
  #waiting: PromiseWithResolvers<void>[] = [];
  #failure: unknown;

  constructor(payloadBytesMax = 1_000, room = Infinity) {
    this.payloadBytesMax = payloadBytesMax;
    this.room = room;
  }

  trySendFramed(bytes: Uint8Array, start: number, length: number, count: number): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (length > this.payloadBytesMax) throw new RangeError(`a packet of ${length} bytes`);
    if (this.room < 1) return false;
    this.room -= 1;
    const packet = bytes.slice(start, start + length);
    const cursor = new EventCursor();
    cursor.reset(packet, 0, packet.length, count);
    const frames: Uint8Array[] = [];
    while (cursor.next()) frames.push(packet.subarray(cursor.start, cursor.end));
    if (frames.length !== count) throw new Error(`${frames.length} frames, ${count} were told of`);
    this.packets.push(frames);
    return true;
  }

  canSendBulk(): boolean {
    return this.room > this.reserve;
  }

  ready(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const waiting = Promise.withResolvers<void>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Gives room for packets, and lets whoever waits look again. */
  give(packets: number): void {
    this.room += packets;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
  }

  /** Nothing leaves any more. */
  fail(error: unknown): void {
    this.#failure = error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }

  /** All frames that left, in order. */
  get frames(): Uint8Array[] {
    return this.packets.flat();
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function turns(count = 40): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}
