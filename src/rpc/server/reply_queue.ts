/**
 * Answers of one service that found no room on their way back (promise N8): they leave in order per caller when
 * there is. Bounded; what finds no place is dropped and counted, and its caller waits until its deadline.
 */
import type { FrameLink } from "../link/mod.ts";
import { Fifo } from "../engine/fifo.ts";
import type { ServiceMeter } from "../metrics/mod.ts";
import type { RpcHeader } from "../wire/mod.ts";
import {
  REPLIES_WAITING_MAX,
  REPLIES_WAITING_PER_CALLER_MAX,
  REPLY_BYTES_WAITING_MAX,
  REPLY_BYTES_WAITING_PER_CALLER_MAX,
} from "./limits.ts";
import { sendResponse } from "./reply_writer.ts";

interface Reply {
  readonly callLow: number;
  readonly callHigh: number;
  readonly item: number;
  readonly status: number;
  readonly headers: readonly RpcHeader[];
  readonly body: Uint8Array;
}

/** Those of one caller. */
class CallerReplies extends Fifo<Reply> {
  bytes = 0;
}

/** Answers that wait. */
export class ReplyQueue {
  readonly #meter: ServiceMeter;
  readonly #onEmpty: () => void;
  readonly #byLink = new Map<FrameLink, CallerReplies>();
  #waiting = 0;
  #bytes = 0;

  /** @param onEmpty Told when none waits any more. */
  constructor(meter: ServiceMeter, onEmpty: () => void) {
    this.#meter = meter;
    this.#onEmpty = onEmpty;
  }

  /** Answers that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** True when what is sent on this link has to wait behind others. */
  isBehind(link: FrameLink): boolean {
    return this.#waiting > 0 && this.#byLink.has(link);
  }

  /** Sends an answer when its turn has come and there is room. */
  push(link: FrameLink, reply: Reply): void {
    const bytes = reply.body.length;
    const queue = this.#byLink.get(link);
    const isFull = this.#waiting >= REPLIES_WAITING_MAX ||
      this.#bytes + bytes > REPLY_BYTES_WAITING_MAX ||
      queue !== undefined && (queue.length >= REPLIES_WAITING_PER_CALLER_MAX ||
          queue.bytes + bytes > REPLY_BYTES_WAITING_PER_CALLER_MAX);
    if (!link.isOpen || isFull) {
      this.#meter.responsesDropped += 1;
      return;
    }
    this.#waiting += 1;
    this.#bytes += bytes;
    const replies = queue ?? new CallerReplies();
    replies.bytes += bytes;
    replies.push(reply);
    if (queue !== undefined) return;
    this.#byLink.set(link, replies);
    void this.#drain(link, replies);
  }

  async #drain(link: FrameLink, queue: CallerReplies): Promise<void> {
    for (let reply = queue.peek(); reply !== undefined; reply = queue.peek()) {
      const { callLow, callHigh, item, status, headers, body } = reply;
      try {
        await sendResponse(link, callLow, callHigh, item, status, headers, body);
      } catch {
        // The link has ended, and its calls with it.
        this.#meter.responsesDropped += 1;
      }
      queue.shift();
      this.#waiting -= 1;
      this.#bytes -= body.length;
      queue.bytes -= body.length;
    }
    this.#byLink.delete(link);
    if (this.#waiting === 0) this.#onEmpty();
  }
}
