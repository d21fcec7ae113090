/**
 * Frames on their way out, written one behind the other as events of packets: each behind its length, as many
 * in a packet as fit. What was sent makes room for what comes.
 */
import { writeU32 } from "../wire/mod.ts";
import { ARENA_BYTES_MAX, ARENA_BYTES_MIN, ARENA_KEPT_BYTES_MAX } from "./limits.ts";

/** Bytes in front of each frame. */
export const PREFIX_BYTES = 4;

/** There is no room. */
export const NO_ARENA_ROOM = -1;

/** Sends one packet; false when there is no room for it now. */
export type SendPacket = (
  bytes: Uint8Array,
  start: number,
  length: number,
  count: number,
) => boolean;

/** Packets that wait. */
export class PacketArena {
  /** Where frames are written; another array when it has grown. */
  bytes = new Uint8Array(0);
  readonly #bytesMax: number;
  /** Where the first packet that waits begins, where the last one does, where the next frame goes. */
  #head = 0;
  #openAt = 0;
  #tail = 0;
  #openCount = 0;
  // Packets that are full, in order: where each ends, and its frames; those before `#first` have left.
  #ends: number[] = [];
  #counts: number[] = [];
  #first = 0;

  constructor(bytesMax = ARENA_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that wait. */
  get waitingBytes(): number {
    return this.#tail - this.#head;
  }

  /** True when no frame waits. */
  get isEmpty(): boolean {
    return this.#tail === this.#head;
  }

  /** True when a packet waits to which nothing more will be added. */
  get hasFullPacket(): boolean {
    return this.#first < this.#ends.length;
  }

  /**
   * Makes room for a frame.
   *
   * @param payloadMax Bytes that a packet holds.
   * @returns Where the frame goes in {@linkcode PacketArena.bytes}, or {@linkcode NO_ARENA_ROOM}.
   */
  reserve(length: number, payloadMax: number, eventsMax: number): number {
    const needed = PREFIX_BYTES + length;
    if (this.#tail + needed > this.bytes.length && !this.#makeRoom(needed)) return NO_ARENA_ROOM;
    const isFull = this.#tail - this.#openAt + needed > payloadMax ||
      this.#openCount >= eventsMax;
    if (isFull && this.#openCount > 0) this.#closePacket();
    writeU32(this.bytes, this.#tail, length);
    const at = this.#tail + PREFIX_BYTES;
    this.#tail += needed;
    this.#openCount += 1;
    return at;
  }

  /** Sends the packets that are full, as far as there is room; true when none is left. */
  sendFull(send: SendPacket): boolean {
    while (this.#first < this.#ends.length) {
      const end = this.#ends[this.#first] as number;
      const count = this.#counts[this.#first] as number;
      if (!send(this.bytes, this.#head, end - this.#head, count)) return false;
      this.#head = end;
      this.#first += 1;
    }
    if (this.#first > 0) {
      this.#ends.length = 0;
      this.#counts.length = 0;
      this.#first = 0;
    }
    return true;
  }

  /** Sends everything, as far as there is room; true when nothing is left. */
  sendAll(send: SendPacket): boolean {
    if (!this.sendFull(send)) return false;
    if (this.#openCount === 0) return true;
    if (!send(this.bytes, this.#openAt, this.#tail - this.#openAt, this.#openCount)) return false;
    this.clear();
    return true;
  }

  /** Forgets what waits; memory that was needed for a crowd is given back. */
  clear(): void {
    if (this.bytes.length > ARENA_KEPT_BYTES_MAX) this.bytes = new Uint8Array(0);
    this.#head = 0;
    this.#openAt = 0;
    this.#tail = 0;
    this.#openCount = 0;
    this.#ends.length = 0;
    this.#counts.length = 0;
    this.#first = 0;
  }

  #closePacket(): void {
    this.#ends.push(this.#tail);
    this.#counts.push(this.#openCount);
    this.#openAt = this.#tail;
    this.#openCount = 0;
  }

  /** Moves what waits to the front once half of the room is free there, or grows: a byte moves about once. */
  #makeRoom(needed: number): boolean {
    const waiting = this.waitingBytes;
    const { length } = this.bytes;
    if (length > 0 && this.#head >= length / 2 && waiting + needed <= length) {
      this.bytes.copyWithin(0, this.#head, this.#tail);
      this.#moveBy(-this.#head);
      return true;
    }
    let size = Math.max(length, ARENA_BYTES_MIN);
    while (size < waiting + needed || size === length) size *= 2;
    if (size > this.#bytesMax) return false;
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(this.#head, this.#tail));
    this.bytes = grown;
    this.#moveBy(-this.#head);
    return true;
  }

  #moveBy(distance: number): void {
    this.#head += distance;
    this.#openAt += distance;
    this.#tail += distance;
    this.#ends = this.#ends.slice(this.#first).map((end) => end + distance);
    this.#counts = this.#counts.slice(this.#first);
    this.#first = 0;
  }
}
