/**
 * Bytes a session may have in flight, all its reliable streams together: many streams that begin at once
 * would otherwise fill the peer's socket buffer many times over, each within its own window.
 *
 * Grows with what is acknowledged and halves once for all that was in flight when something was lost
 * (the congestion manager of RFC 3124, reduced to what is needed here). Pure.
 */
import {
  BULK_RESERVE_SHARE,
  FLIGHT_BYTES_INITIAL,
  FLIGHT_BYTES_MAX,
  FLIGHT_BYTES_MIN,
} from "../limits.ts";

/** A stream that waits for room. */
export interface FlightWaiter {
  wake(): void;
}

/** About what a large packet costs: the step in which room is given to those who wait. */
const STEP_BYTES = 8_192;

/** What one session has in flight. */
export class Flight {
  #bytes = 0;
  #limitBytes = FLIGHT_BYTES_INITIAL;
  #thresholdBytes = Infinity;
  /** Bytes to be acknowledged or dropped before another loss counts. */
  #recoveryBytes = 0;
  /** Who waits, first come first served; the places before `#next` are done with. */
  #waiting: FlightWaiter[] = [];
  #next = 0;

  /** Bytes in flight. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that may be in flight. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** True when a packet of so many bytes may leave; one packet always may. */
  hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#limitBytes;
  }

  /** The same, if an eighth of the room is left for others. */
  hasBulkRoom(bytes: number): boolean {
    const limitBytes = this.#limitBytes - this.#limitBytes / BULK_RESERVE_SHARE;
    return this.#bytes === 0 || this.#bytes + bytes <= limitBytes;
  }

  /** A packet leaves for the first time. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The stream is woken when there is room again. */
  wait(waiter: FlightWaiter): void {
    this.#waiting.push(waiter);
  }

  /** A packet arrived. */
  onAcknowledged(bytes: number): void {
    const gain = this.#limitBytes < this.#thresholdBytes
      ? bytes
      : bytes * STEP_BYTES / this.#limitBytes;
    this.#limitBytes = Math.min(FLIGHT_BYTES_MAX, this.#limitBytes + gain);
    this.onDropped(bytes);
  }

  /** A packet is given up with its stream. */
  onDropped(bytes: number): void {
    this.#bytes -= bytes;
    this.#recoveryBytes -= bytes;
    this.#wake();
  }

  /** A packet was lost. */
  onLost(): void {
    if (this.#recoveryBytes > 0) return;
    this.#recoveryBytes = this.#bytes;
    this.#limitBytes = Math.max(FLIGHT_BYTES_MIN, this.#limitBytes / 2);
    this.#thresholdBytes = this.#limitBytes;
  }

  /** Lets as many look again as there is room for. */
  #wake(): void {
    let room = this.#limitBytes - this.#bytes;
    while (this.#next < this.#waiting.length && (room > 0 || this.#bytes === 0)) {
      const waiter = this.#waiting[this.#next++];
      room -= STEP_BYTES;
      waiter?.wake();
      if (room <= 0) break;
    }
    if (this.#next * 2 < this.#waiting.length) return;
    this.#waiting.splice(0, this.#next);
    this.#next = 0;
  }
}
