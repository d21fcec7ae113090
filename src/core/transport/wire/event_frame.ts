/**
 * Event frames: how the plaintext of a packet is cut into events (`wire.md` 6).
 *
 * A frame is a little-endian u32 length and that many bytes. Reading stops quietly at the first frame
 * that is not complete; bytes behind the last frame are ignored.
 */

import { MAX_EVENT_BYTES, MAX_EVENTS, MAX_PAYLOAD } from "./header.ts";

/** Bytes in front of each event. */
export const FRAME_PREFIX_BYTES = 4;

/**
 * Walks over the events of a plaintext; reused for all packets, allocates nothing.
 *
 * @example
 * ```ts
 * import { encodeEvents, EventCursor } from "./event_frame.ts";
 * const payload = encodeEvents([Uint8Array.of(1, 2), new Uint8Array(0)]);
 * const cursor = new EventCursor();
 * cursor.reset(payload, 0, payload.length, 2);
 * console.assert(cursor.next() && cursor.start === 4 && cursor.end === 6);
 * console.assert(cursor.next() && cursor.start === cursor.end && !cursor.next());
 * ```
 */
export class EventCursor {
  /** Where the current event starts in the bytes given to {@linkcode EventCursor.reset}. */
  start = 0;
  /** Where it ends, exclusive. */
  end = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #limit = 0;
  #left = 0;

  /**
   * Starts over.
   *
   * @param at Start of the plaintext in `bytes`.
   * @param length Bytes of plaintext; cut to what `bytes` holds.
   * @param count Events the header declares.
   */
  reset(bytes: Uint8Array, at: number, length: number, count: number): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#limit = Math.min(at + length, bytes.length);
    this.#left = count;
    this.start = at;
    this.end = at;
  }

  /** Moves to the next event; false when there is none. */
  next(): boolean {
    const start = this.#at + FRAME_PREFIX_BYTES;
    if (this.#left <= 0 || start > this.#limit) return false;
    const length = readLength(this.#bytes, this.#at);
    if (length > this.#limit - start) {
      this.#left = 0;
      return false;
    }
    this.#left -= 1;
    this.start = start;
    this.end = start + length;
    this.#at = this.end;
    return true;
  }
}

/**
 * Writes one frame.
 *
 * @param at Where the frame starts in `bytes`.
 * @returns Where the next frame starts.
 * @throws RangeError when the event is longer than 8104 bytes or does not fit.
 */
export function writeEventFrame(bytes: Uint8Array, at: number, event: Uint8Array): number {
  const { length } = event;
  const start = at + FRAME_PREFIX_BYTES;
  if (length > MAX_EVENT_BYTES) {
    throw new RangeError(
      `Cannot frame event: length is ${length}, must be at most ${MAX_EVENT_BYTES}`,
    );
  }
  if (start + length > bytes.length) {
    throw new RangeError(
      `Cannot frame event: it ends at ${start + length}, the buffer at ${bytes.length}`,
    );
  }
  bytes[at] = length & 0xff;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = 0;
  bytes[at + 3] = 0;
  bytes.set(event, start);
  return start + length;
}

/**
 * Writes the frames of many events whose lengths are known to be right.
 *
 * @param view Of the same memory as `bytes`.
 * @param start Where the first frame starts.
 * @param events Those from `from` to before `until` are written.
 */
export function writeEventFrames(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  events: readonly Uint8Array[],
  from: number,
  until: number,
): void {
  let at = start;
  for (let i = from; i < until; i++) {
    const event = events[i] as Uint8Array;
    view.setUint32(at, event.length, true);
    bytes.set(event, at + FRAME_PREFIX_BYTES);
    at += FRAME_PREFIX_BYTES + event.length;
  }
}

/**
 * The plaintext of a packet with these events; for tests and rare paths.
 *
 * @throws RangeError when there are more than 2027 events or they do not fit 8108 bytes.
 */
export function encodeEvents(events: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const event of events) length += FRAME_PREFIX_BYTES + event.length;
  if (events.length > MAX_EVENTS || length > MAX_PAYLOAD) {
    throw new RangeError(
      `Cannot pack ${events.length} events of ${length} bytes: must be at most ${MAX_EVENTS} and ` +
        `${MAX_PAYLOAD}`,
    );
  }
  const payload = new Uint8Array(length);
  let at = 0;
  for (const event of events) at = writeEventFrame(payload, at, event);
  return payload;
}

/**
 * Copies of all complete events of a plaintext; for tests and rare paths.
 *
 * @param count Events the header declares.
 */
export function decodeEvents(
  payload: Uint8Array,
  count: number,
): Uint8Array<ArrayBuffer>[] {
  const events: Uint8Array<ArrayBuffer>[] = [];
  const cursor = new EventCursor();
  cursor.reset(payload, 0, payload.length, Math.min(count, MAX_EVENTS));
  while (cursor.next()) events.push(payload.slice(cursor.start, cursor.end));
  return events;
}

function readLength(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
  return (low | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}
