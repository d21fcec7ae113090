/**
 * Items that a caller uploads, for one handler (`nrpc.md` 8, 9): in their order, each earning credit when it is
 * taken, no more of them at a time than were granted.
 */
import { Fifo } from "../engine/fifo.ts";
import { ItemOrder, type StreamAnswer } from "../engine/item_order.ts";
import { NO_LINK_ROOM } from "../link/mod.ts";
import {
  CREDITS_MAX,
  Dispatch,
  FRAME_BYTES,
  REQUEST_GRANT_BYTES,
  RpcFlag,
  Status,
  writeFrameHead,
  writeRequestGrant,
} from "../wire/mod.ts";
import { failure } from "./failure.ts";
import {
  ITEM_BYTES,
  UPLOAD_BYTES_MAX,
  UPLOAD_GAP_MS,
  UPLOAD_ITEMS_MAX,
  WINDOWED_BYTES_MAX,
} from "./limits.ts";
import { overloadFailure } from "./overload.ts";
import type { ServerCall } from "./server_call.ts";

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });
const END: StreamAnswer = { kind: "end" };
/** What a caller without a window is told when its handler is slow. */
const RETRY_MS = 1_000;

interface Reader {
  resolve(result: IteratorResult<Uint8Array, undefined>): void;
  reject(error: unknown): void;
}

/** Number of the item in a request, 0 for none, and the request's flags. */
export interface FirstItem {
  readonly item: number;
  readonly flags: number;
}

/** The reading half of an upload. */
export class UploadItems implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #call: ServerCall;
  readonly #first: FirstItem;
  /** Items that may wait by the caller's word; `undefined` when it minds no window. */
  readonly #window: number | undefined;
  /** Items that the caller was ever allowed to send. */
  #allowed: number;
  #items = new Fifo<Uint8Array>();
  readonly #readers = new Fifo<Reader>();
  #order: ItemOrder | undefined;
  #received = 0;
  #consumed = 0;
  #bytesWaiting = 0;
  /** What is booked of that at the caller's account. */
  #held = 0;
  #hasReaderLeft = false;
  #isComplete = false;
  #error: unknown;
  #isGrantWaiting = false;

  /**
   * @param first What the request says of the item it holds.
   * @param callerWindow What the caller says it sends before it is granted more; `undefined` for any number.
   * @param serverWindow What the service lets wait.
   */
  constructor(
    call: ServerCall,
    first: FirstItem,
    callerWindow: number | undefined,
    serverWindow: number,
  ) {
    this.#call = call;
    this.#first = first;
    this.#allowed = callerWindow ?? Infinity;
    this.#window = callerWindow === undefined
      ? undefined
      : Math.max(1, Math.min(callerWindow, serverWindow));
  }

  /** Takes what the request holds. */
  onFirst(body: Uint8Array): void {
    this.#take(this.#first.item, this.#first.flags, body, true);
  }

  /** Takes what a chunk holds. */
  onChunk(number: number, flags: number, body: Uint8Array): void {
    this.#take(number, flags, body, false);
  }

  #take(number: number, flags: number, body: Uint8Array, isFirst: boolean): void {
    if (this.#hasReaderLeft) return;
    const isEnd = (flags & RpcFlag.requestEnd) !== 0;
    // An empty frame that ends is no item.
    const answer: StreamAnswer = isEnd
      ? body.length === 0 ? END : { kind: "only", body }
      : { kind: "item", body };
    if (number === 0) {
      if (this.#order === undefined) this.#accept(answer);
      else this.#refuse("some of its items are numbered, some are not");
    } else this.#onNumbered(number, answer, isFirst);
  }

  /** An item cannot be read. */
  onUndecodable(): void {
    this.#refuse("an item cannot be read");
  }

  /** The call is over: whoever reads is told why. */
  end(error: unknown): void {
    this.#order?.clear();
    this.#release(this.#held);
    // What was never taken is gone: no reader is to think that it had all of it.
    if (this.#isComplete && error === undefined && this.#items.length === 0) return;
    this.#error = error ?? new DOMException("the call is over", "AbortError");
    this.#items.clear();
    this.#bytesWaiting = 0;
    for (let reader = this.#readers.shift(); reader; reader = this.#readers.shift()) {
      reader.reject(this.#error);
    }
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const value = this.#items.shift();
    if (value !== undefined) {
      this.#dropBytes(value.length);
      this.#onConsumed();
      return Promise.resolve({ done: false, value });
    }
    if (this.#isComplete) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#hasReaderLeft = true;
    this.#isComplete = true;
    this.#items.clear();
    this.#order?.clear();
    this.#bytesWaiting = 0;
    this.#release(this.#held);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #onNumbered(number: number, answer: StreamAnswer, isFirst: boolean): void {
    const { timers, clock, counters } = this.#call.sink.engine;
    if (this.#order === undefined) {
      if (!isFirst) return this.#refuse("some of its items are numbered, some are not");
      this.#order = new ItemOrder(timers, UPLOAD_GAP_MS, (missing) => {
        this.#refuse(`item ${missing} never came`);
      });
    }
    const order = this.#order;
    if (order.has(number)) {
      counters.duplicates += 1;
      return;
    }
    if (number !== order.next) {
      // Beyond what was granted, or what would be kept without a bound.
      if (number > Math.min(this.#allowed, this.#received + UPLOAD_ITEMS_MAX) + 1) {
        return this.#refuse("it sends more items than it was granted");
      }
      order.keep(number, answer, clock.now());
      return this.#holdBytes(bytesOf(answer));
    }
    for (let turn: StreamAnswer | undefined = answer; turn !== undefined;) {
      this.#accept(turn);
      if (this.#error !== undefined) return;
      turn = order.advance(clock.now());
      if (turn !== undefined) this.#dropBytes(bytesOf(turn));
    }
  }

  #accept(answer: StreamAnswer): void {
    // What comes behind the end, or to a reader that left, is nobody's.
    if (this.#isComplete || this.#error !== undefined) return;
    if (answer.kind === "item" || answer.kind === "only") this.#deliver(answer.body);
    if (answer.kind === "item" || this.#error !== undefined) return;
    this.#isComplete = true;
    for (let reader = this.#readers.shift(); reader; reader = this.#readers.shift()) {
      reader.resolve(DONE);
    }
  }

  #deliver(value: Uint8Array): void {
    this.#received += 1;
    if (this.#received > this.#allowed) {
      return this.#refuse("it sends more items than it was granted");
    }
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      this.#onConsumed();
      return reader.resolve({ done: false, value });
    }
    this.#items.push(value);
    this.#holdBytes(value.length);
    if (this.#window === undefined && this.#items.length > UPLOAD_ITEMS_MAX) this.#onTooMuch();
  }

  #holdBytes(bytes: number): void {
    this.#bytesWaiting += bytes;
    const max = this.#window === undefined ? UPLOAD_BYTES_MAX : WINDOWED_BYTES_MAX;
    const isHeld = this.#call.sink.share.hold(bytes + ITEM_BYTES);
    if (isHeld) this.#held += bytes + ITEM_BYTES;
    if (!isHeld || this.#bytesWaiting > max) this.#onTooMuch();
  }

  #dropBytes(bytes: number): void {
    this.#bytesWaiting -= bytes;
    this.#release(Math.min(this.#held, bytes + ITEM_BYTES));
  }

  #release(bytes: number): void {
    this.#held -= bytes;
    this.#call.sink.share.release(bytes);
  }

  #onTooMuch(): void {
    this.#call.fail(overloadFailure("too much of the upload waits for its handler", RETRY_MS));
  }

  #refuse(what: string): void {
    this.#call.fail(failure(Status.internal, `upload cannot be taken: ${what}`));
  }

  /** An item was taken: from half a window on the caller is told. */
  #onConsumed(): void {
    this.#consumed += 1;
    if (this.#window === undefined || this.#isComplete) return;
    const due = this.#consumed + this.#window - this.#allowed;
    if (due >= Math.max(1, Math.floor(this.#window / 2))) this.#grant();
  }

  #grant(): void {
    const { link, callLow, callHigh, isOver } = this.#call;
    if (isOver || !link.isOpen || this.#window === undefined || this.#isGrantWaiting) return;
    const credits = Math.min(CREDITS_MAX, this.#consumed + this.#window - this.#allowed);
    if (credits <= 0) return;
    const at = link.reserve(FRAME_BYTES + REQUEST_GRANT_BYTES);
    if (at === NO_LINK_ROOM) return void this.#grantLater();
    const { bytes, route } = link;
    const start = writeFrameHead(bytes, at, Dispatch.requestGrant, route, callLow, callHigh, 0);
    writeRequestGrant(bytes, start, callLow, callHigh, credits);
    this.#allowed += credits;
  }

  async #grantLater(): Promise<void> {
    this.#isGrantWaiting = true;
    try {
      await this.#call.link.ready();
    } catch {
      // The link has ended, and the call with it.
    }
    this.#isGrantWaiting = false;
    this.#grant();
  }
}

function bytesOf(answer: StreamAnswer): number {
  return answer.kind === "item" || answer.kind === "only" ? answer.body.length : 0;
}
