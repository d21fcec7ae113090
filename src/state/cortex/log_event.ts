/** An event as a model gets it: numbers that few models look at are made when they are asked for. */
import { EVENT_META_BYTES, u64At } from "./event_meta.ts";
import type { CortexEvent } from "./types.ts";

/** An event over the bytes that the log keeps. */
export class LogEvent implements CortexEvent {
  readonly seq: bigint;
  readonly dispatch: number;
  readonly tail: Uint8Array;
  readonly #payload: Uint8Array;

  /** @param payload At least 24 bytes, with a checksum that is right. */
  constructor(seq: bigint, payload: Uint8Array) {
    this.seq = seq;
    this.dispatch = payload[0] ?? 0;
    this.tail = payload.subarray(EVENT_META_BYTES);
    this.#payload = payload;
  }

  get origin(): bigint {
    return u64At(this.#payload, 4);
  }

  get appSeq(): bigint {
    return u64At(this.#payload, 12);
  }
}
