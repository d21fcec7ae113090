/**
 * Streams whose reader has to be told that they ended early, and when to tell it again: nothing
 * acknowledges a RESET (`wire.md` 7.7), and one that is lost would leave a reader waiting for ever.
 *
 * Pure: it says what is due, the session sends.
 */

import { PairMap } from "../../../base/mod.ts";
import { RESET_BYTES } from "../wire/control_frames.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import { MAX_PAYLOAD } from "../wire/header.ts";
import { RESET_REPEAT_MS, RESET_REPEAT_MS_MAX, RESET_REPEATS_MAX } from "../limits.ts";

interface Entry {
  dueAt: number;
  pauseMs: number;
}

/** A stream by the halves of its id. */
export interface StreamId {
  readonly low: number;
  readonly high: number;
}

const EVENT_BYTES = FRAME_PREFIX_BYTES + RESET_BYTES;
const EVENTS_MAX = Math.floor(MAX_PAYLOAD / EVENT_BYTES);

/** RESETs that are repeated to one peer. */
export class ResetRepeats {
  readonly #entries = new PairMap<Entry>(8);

  /** Number of streams. */
  get size(): number {
    return this.#entries.size;
  }

  /** Notes that a stream ended early. */
  add(low: number, high: number, now: number): void {
    if (this.#entries.size >= RESET_REPEATS_MAX) return;
    this.#entries.set(low, high, { dueAt: now, pauseMs: RESET_REPEAT_MS });
  }

  /** The stream is in use again. */
  cancel(low: number, high: number): void {
    this.#entries.delete(low, high);
  }

  /** Streams whose RESET is due, as many as one packet holds; pauses double until they are too long. */
  takeDue(now: number): readonly StreamId[] {
    const due: StreamId[] = [];
    for (const [low, high, entry] of this.#entries.entries()) {
      if (entry.dueAt > now) continue;
      if (due.length === EVENTS_MAX) break;
      due.push({ low, high });
      entry.dueAt = now + entry.pauseMs;
      if (entry.pauseMs > RESET_REPEAT_MS_MAX) this.#entries.delete(low, high);
      entry.pauseMs *= 2;
    }
    return due;
  }
}
