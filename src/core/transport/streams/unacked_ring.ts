/**
 * Packets of one stream that were sent and not acknowledged, in columns by sequence.
 *
 * Sequences are given out one after the other, so a packet's place is its sequence modulo the number of
 * places; nothing is allocated per packet. Columns are made with the first packet and grow with the span
 * between the oldest unacknowledged packet and the newest.
 */
import { NO_ROOM } from "./packet_store.ts";

const PLACES_INITIAL = 16;

/** Unacknowledged packets. */
export class UnackedRing {
  /** Sequence of the oldest packet that may still be here; none is below it. */
  base = 0;
  /** Sequence after the newest packet: the next one's. */
  end = 0;
  /** Packets here. */
  size = 0;
  #mask = -1;
  /** Where the plaintext lies in the store, or `NO_ROOM` for an empty place. */
  #at = new Int32Array(0);
  #length = new Uint16Array(0);
  #count = new Uint16Array(0);
  #sentAt = new Float64Array(0);
  #resends = new Uint8Array(0);

  /** Adds the packet `end`. */
  push(at: number, length: number, count: number, now: number): void {
    if (this.size === 0) this.base = this.end;
    if (this.end - this.base > this.#mask) this.#grow();
    const place = this.end & this.#mask;
    this.#at[place] = at;
    this.#length[place] = length;
    this.#count[place] = count;
    this.#sentAt[place] = now;
    this.#resends[place] = 0;
    this.end += 1;
    this.size += 1;
  }

  /** True when the packet is here. */
  has(sequence: number): boolean {
    return sequence >= this.base && sequence < this.end &&
      this.#at[sequence & this.#mask] !== NO_ROOM;
  }

  /** Takes a packet out that is here; returns where its plaintext lies. */
  remove(sequence: number): number {
    const place = sequence & this.#mask;
    const at = this.#at[place] as number;
    this.#at[place] = NO_ROOM;
    this.size -= 1;
    if (sequence === this.base) this.#moveBase();
    return at;
  }

  /** Where the packet's plaintext lies. */
  at(sequence: number): number {
    return this.#at[sequence & this.#mask] as number;
  }

  /** Bytes of its plaintext. */
  length(sequence: number): number {
    return this.#length[sequence & this.#mask] as number;
  }

  /** Events in it. */
  count(sequence: number): number {
    return this.#count[sequence & this.#mask] as number;
  }

  /** When its last copy left. */
  sentAt(sequence: number): number {
    return this.#sentAt[sequence & this.#mask] as number;
  }

  /** How often it was sent again. */
  resends(sequence: number): number {
    return this.#resends[sequence & this.#mask] as number;
  }

  /** Notes that the first copy leaves only now. */
  noteSent(sequence: number, now: number): void {
    this.#sentAt[sequence & this.#mask] = now;
  }

  /** Notes that another copy leaves now. */
  noteResend(sequence: number, now: number): void {
    const place = sequence & this.#mask;
    this.#resends[place] = (this.#resends[place] as number) + 1;
    this.#sentAt[place] = now;
  }

  #moveBase(): void {
    if (this.size === 0) {
      this.base = this.end;
      return;
    }
    while (this.#at[this.base & this.#mask] === NO_ROOM) this.base += 1;
  }

  #grow(): void {
    const places = Math.max(PLACES_INITIAL, (this.#mask + 1) * 2);
    const mask = places - 1;
    const at = new Int32Array(places).fill(NO_ROOM);
    const length = new Uint16Array(places);
    const count = new Uint16Array(places);
    const sentAt = new Float64Array(places);
    const resends = new Uint8Array(places);
    for (let sequence = this.base; sequence < this.end; sequence++) {
      const from = sequence & this.#mask;
      const to = sequence & mask;
      at[to] = this.#at[from] as number;
      length[to] = this.#length[from] as number;
      count[to] = this.#count[from] as number;
      sentAt[to] = this.#sentAt[from] as number;
      resends[to] = this.#resends[from] as number;
    }
    this.#mask = mask;
    this.#at = at;
    this.#length = length;
    this.#count = count;
    this.#sentAt = sentAt;
    this.#resends = resends;
  }
}
