/**
 * Delivers the packets of a stream once and in order, within bounded memory: our own delivery option on
 * top of `ReceiveState`, which lets packets through as they arrive (`wire.md` 7.2).
 *
 * The next packet is handed on straight from where it lies; one behind a gap is copied. A packet there
 * is no room for must be refused before it is accepted, so that it is never acknowledged.
 */

import { NetError } from "../../../base/mod.ts";
import { REORDER_BYTES_MAX, REORDER_BYTES_TOTAL_MAX, REORDER_GAP_MS } from "../mesh_limits.ts";
import { NO_ROOM, type PacketStore } from "./packet_store.ts";

/** Bytes that all ordered streams of a node share. */
export class ReorderBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = REORDER_BYTES_TOTAL_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True when so many bytes more are allowed. */
  has(bytes: number): boolean {
    return this.#bytes + bytes <= this.#bytesMax;
  }

  /** Books bytes; negative ones give back. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }
}

/**
 * Takes one packet's plaintext, in order.
 *
 * @param memory Valid only during the call, as is everything in it.
 * @param at Start of the plaintext.
 * @param count Events the packet declares.
 */
export type DeliverPacket = (
  sequence: number,
  memory: Uint8Array,
  at: number,
  length: number,
  count: number,
) => void;

/** What {@linkcode ReorderBuffer} needs. */
export interface ReorderBufferDeps {
  readonly store: PacketStore;
  readonly budget: ReorderBudget;
  readonly deliver: DeliverPacket;
}

/** Options of {@linkcode ReorderBuffer}. */
export interface ReorderBufferOptions {
  /** Packets held at most; the reorder horizon of the stream's `ReceiveState`. */
  readonly packetsMax: number;
  /**
   * Plaintext bytes held at most, at least the stream's window so that a whole one may wait; the store's
   * pieces round up, to four times as much in the worst case.
   */
  readonly bytesMax?: number;
  /** How long one packet may be missing, in milliseconds. */
  readonly gapMs?: number;
}

const SLOTS_INITIAL = 16;

/** Packets of one stream that wait for an earlier one. */
export class ReorderBuffer {
  /** Number of the packet that is handed on next. */
  nextSequence = 0;
  /** Packets refused for want of room. */
  refusedTotal = 0;
  readonly #deps: ReorderBufferDeps;
  readonly #packetsMax: number;
  readonly #bytesMax: number;
  readonly #gapMs: number;
  // Packets by sequence modulo the number of slots, a power of two; made when first needed.
  /** Where each lies in the store, or `NO_ROOM` for an empty slot. */
  #places = new Int32Array(0);
  #lengths = new Uint16Array(0);
  #counts = new Uint16Array(0);
  #stored = 0;
  #bytes = 0;
  /** Since when the packet `nextSequence` is missed. */
  #gapSince: number | undefined;
  /** Piece of the store put aside for an admitted packet, and its bytes; −1 without one. */
  #aside = NO_ROOM;
  #asideBytes = -1;
  #isDelivering = false;
  #isDiscarded = false;

  constructor(deps: ReorderBufferDeps, options: ReorderBufferOptions) {
    this.#deps = deps;
    this.#packetsMax = options.packetsMax;
    this.#bytesMax = options.bytesMax ?? REORDER_BYTES_MAX;
    this.#gapMs = options.gapMs ?? REORDER_GAP_MS;
  }

  /** Packets that wait. */
  get packets(): number {
    return this.#stored;
  }

  /** Bytes of packets that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * True when the packet can be taken now; ask before the stream accepts and acknowledges it.
   *
   * The next packet and repeated ones always can. Room for another one is put aside here. A refused one is
   * counted and will be sent again.
   */
  admits(sequence: number, length: number): boolean {
    if (sequence < this.nextSequence || this.#has(sequence)) return true;
    if (sequence === this.nextSequence && !this.#isDelivering) return true;
    const isAllowed = sequence - this.nextSequence <= this.#packetsMax &&
      this.#bytes + length <= this.#bytesMax && this.#deps.budget.has(length);
    if (isAllowed && this.#putAside(length)) return true;
    this.refusedTotal += 1;
    return false;
  }

  /**
   * Takes a packet that was admitted and accepted, and hands on whatever is in order now.
   *
   * @param memory Read during the call only.
   * @returns False when the packet was taken before, was not admitted, or the stream is over.
   */
  push(
    sequence: number,
    memory: Uint8Array,
    at: number,
    length: number,
    count: number,
    now: number,
  ): boolean {
    if (this.#isDiscarded || sequence < this.nextSequence || this.#has(sequence)) return false;
    const isNext = sequence === this.nextSequence && !this.#isDelivering;
    if (!isNext) {
      if (this.#asideBytes < length) return false;
      this.#store(sequence, memory, at, length, count);
      this.#gapSince ??= now;
      // What is stored while the reader runs is handed on when it returns.
      if (this.#isDelivering || !this.#has(this.nextSequence)) return true;
    }
    this.#isDelivering = true;
    try {
      if (isNext) {
        this.nextSequence += 1;
        this.#deps.deliver(sequence, memory, at, length, count);
      }
      this.#drain();
    } finally {
      this.#isDelivering = false;
      this.#gapSince = this.#stored > 0 ? now : undefined;
    }
    return true;
  }

  /**
   * What to tell the reader when one packet has been missing for too long; `undefined` while all is well.
   */
  checkGap(now: number): NetError | undefined {
    if (this.#gapSince === undefined || now - this.#gapSince < this.#gapMs) return undefined;
    return new NetError(
      "timeout",
      `Cannot read stream in order: packet ${this.nextSequence} is missing for ${this.#gapMs} ms`,
      {
        next: "open the stream again and repeat what was not confirmed",
        data: { missing: this.nextSequence, waiting: this.#stored },
      },
    );
  }

  /** The stream is over: gives back everything that waits and takes nothing more. Returns how many. */
  discard(): number {
    const dropped = this.#stored;
    this.#isDiscarded = true;
    for (const [slot, place] of this.#places.entries()) {
      if (place === NO_ROOM) continue;
      this.#forget(slot);
      this.#deps.store.release(place);
    }
    this.#places = new Int32Array(0);
    this.#gapSince = undefined;
    this.#dropAside();
    return dropped;
  }

  /** Sets a piece of the store aside for the next packet; one set aside before is used if it is enough. */
  #putAside(length: number): boolean {
    if (this.#asideBytes >= length && this.#aside !== NO_ROOM) return true;
    this.#dropAside();
    this.#aside = this.#deps.store.take(length);
    this.#asideBytes = this.#aside === NO_ROOM ? -1 : length;
    return this.#aside !== NO_ROOM;
  }

  #dropAside(): void {
    if (this.#aside !== NO_ROOM) this.#deps.store.release(this.#aside);
    this.#aside = NO_ROOM;
    this.#asideBytes = -1;
  }

  #has(sequence: number): boolean {
    const slots = this.#places.length;
    return sequence - this.nextSequence < slots && sequence >= this.nextSequence &&
      this.#places[sequence & (slots - 1)] !== NO_ROOM;
  }

  #drain(): void {
    const { store, deliver } = this.#deps;
    while (!this.#isDiscarded && this.#stored > 0) {
      const sequence = this.nextSequence;
      const slot = sequence & (this.#places.length - 1);
      const place = this.#places[slot] as number;
      if (place === NO_ROOM) return;
      const length = this.#lengths[slot] as number;
      this.#forget(slot);
      this.nextSequence += 1;
      try {
        deliver(sequence, store.memory, place, length, this.#counts[slot] as number);
      } finally {
        store.release(place);
      }
    }
  }

  #store(
    sequence: number,
    memory: Uint8Array,
    at: number,
    length: number,
    count: number,
  ): void {
    if (sequence - this.nextSequence >= this.#places.length) {
      this.#grow(sequence - this.nextSequence + 1);
    }
    const slot = sequence & (this.#places.length - 1);
    const place = this.#aside;
    this.#aside = NO_ROOM;
    this.#asideBytes = -1;
    this.#deps.store.memory.set(memory.subarray(at, at + length), place);
    this.#places[slot] = place;
    this.#lengths[slot] = length;
    this.#counts[slot] = count;
    this.#stored += 1;
    this.#bytes += length;
    this.#deps.budget.add(length);
  }

  #forget(slot: number): void {
    const length = this.#lengths[slot] as number;
    this.#places[slot] = NO_ROOM;
    this.#stored -= 1;
    this.#bytes -= length;
    this.#deps.budget.add(-length);
  }

  #grow(needed: number): void {
    const before = this.#places;
    let slots = Math.max(before.length, SLOTS_INITIAL);
    while (slots < needed) slots *= 2;
    const places = new Int32Array(slots).fill(NO_ROOM);
    const lengths = new Uint16Array(slots);
    const counts = new Uint16Array(slots);
    // Everything stored lies within the old number of slots above `nextSequence`.
    for (
      let sequence = this.nextSequence;
      sequence < this.nextSequence + before.length;
      sequence++
    ) {
      const old = sequence & (before.length - 1);
      const slot = sequence & (slots - 1);
      places[slot] = before[old] as number;
      lengths[slot] = this.#lengths[old] as number;
      counts[slot] = this.#counts[old] as number;
    }
    this.#places = places;
    this.#lengths = lengths;
    this.#counts = counts;
  }
}
