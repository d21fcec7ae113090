/** An event as a model gets it: numbers that few models look at are made when they are asked for. */
import type { PostcardReader } from "../../base/mod.ts";
import { EVENT_META_BYTES, u64At } from "./event_meta.ts";
import type { CortexEvent } from "./types.ts";

/** An event over the bytes that the log keeps. */
export class LogEvent implements CortexEvent {
  readonly seq: bigint;
  readonly dispatch: number;
  readonly payload: Uint8Array;

  /** @param payload At least 24 bytes, with a checksum that is right. */
  constructor(seq: bigint, payload: Uint8Array) {
    this.seq = seq;
    this.dispatch = payload[0] ?? 0;
    this.payload = payload;
  }

  get origin(): bigint {
    return u64At(this.payload, 4);
  }

  get appSeq(): bigint {
    return u64At(this.payload, 12);
  }

  get tail(): Uint8Array {
    return this.payload.subarray(EVENT_META_BYTES);
  }
}

/** Sets a reader at an event's tail: without a view of it, which costs as much as reading a short one. */
export function readTail(reader: PostcardReader, event: CortexEvent): PostcardReader {
  return event instanceof LogEvent
    ? reader.reset(event.payload, EVENT_META_BYTES)
    : reader.reset(event.tail);
}
