/** An event as a model gets it: numbers that few models look at are made when they are asked for. */
import type { PostcardReader } from "../../base/mod.ts";
import { EVENT_META_BYTES, u64At } from "./event_meta.ts";
import type { CortexEvent } from "./types.ts";

/** An event over the bytes that the log keeps. */
export class LogEvent implements CortexEvent {
  readonly dispatch: number;
  /** Where the event lies in `bytes`. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly #seq: number;

  /** At least 24 bytes, with a checksum that is right; all of `bytes` when no place is given. */
  constructor(seq: number, bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#seq = seq;
    this.dispatch = bytes[start] ?? 0;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  get seq(): bigint {
    return BigInt(this.#seq);
  }

  get origin(): bigint {
    return u64At(this.bytes, this.start + 4);
  }

  get appSeq(): bigint {
    return u64At(this.bytes, this.start + 12);
  }

  get tail(): Uint8Array {
    return this.bytes.subarray(this.start + EVENT_META_BYTES, this.end);
  }
}

/** Sets a reader at an event's tail: without a view of it, which costs as much as reading a short one. */
export function readTail(reader: PostcardReader, event: CortexEvent): PostcardReader {
  return event instanceof LogEvent
    ? reader.reset(event.bytes, event.start + EVENT_META_BYTES, event.end)
    : reader.reset(event.tail);
}
