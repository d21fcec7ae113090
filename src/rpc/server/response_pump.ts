/**
 * Items that a handler gives, on their way to the caller (`nrpc.md` 7, 9): one after the other, as far as the caller
 * has granted room for them. A full window makes the handler wait; nothing is dropped.
 */
import { BODY_BYTES_MAX, CONTINUE_HEADERS, CREDITS_MAX, END_HEADERS, Status } from "../wire/mod.ts";
import { sendFailure } from "./failure.ts";
import { sendResponse, trySendResponse } from "./reply_writer.ts";
import type { StreamedCall } from "./streamed_call.ts";

const EMPTY = new Uint8Array(0);

/** What a handler gives. */
type Source = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
type Items = AsyncIterator<Uint8Array> | Iterator<Uint8Array>;

/** Sends the items of one call. */
export class ResponsePump {
  readonly #call: StreamedCall;
  #credit: number;
  #sent = 0;
  #wake: (() => void) | undefined;

  /** @param window Items that may leave before the caller grants more; `undefined` for any number. */
  constructor(call: StreamedCall, window: number | undefined) {
    this.#call = call;
    this.#credit = window === undefined ? Infinity : Math.min(CREDITS_MAX, window);
  }

  /** Number of the next frame, where they are numbered. */
  get nextItem(): number {
    return this.#call.link.isExtended ? this.#sent + 1 : 0;
  }

  /** There is an item, or could be, and no credit for it. */
  get isWaiting(): boolean {
    return this.#wake !== undefined;
  }

  /** The caller has room for more items. */
  onGrant(credits: number): void {
    if (this.#credit !== Infinity) this.#credit = Math.min(CREDITS_MAX, this.#credit + credits);
    this.wake();
  }

  /** Lets a pump that waits look whether the call is over. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Sends all of it, then the end. What the source throws ends the call. */
  async run(source: Source): Promise<void> {
    const call = this.#call;
    let items: Items | undefined;
    try {
      items = iteratorOf(source);
      while (await this.#hasCredit()) {
        const step = items.next();
        const { done, value } = isPending(step) ? await step : step;
        if (call.isOver) break;
        call.onItem();
        if (done === true) {
          items = undefined;
          return await this.#end();
        }
        if (!(value instanceof Uint8Array)) {
          throw new TypeError(`item is ${typeof value}, must be Uint8Array`);
        }
        if (!this.#trySend(value) && !await this.#sendLater(value)) break;
      }
    } catch (error) {
      items = undefined;
      call.failWith(error);
    } finally {
      // The handler is told that nobody wants more, and cleans up in its own time.
      if (items?.return !== undefined) await leave(items);
    }
  }

  /** False when the call is over; waits while there is no credit. */
  async #hasCredit(): Promise<boolean> {
    while (this.#credit <= 0 && !this.#call.isOver) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      // While it waited for the caller the handler was not late.
      this.#call.onItem();
    }
    return !this.#call.isOver;
  }

  #trySend(body: Uint8Array): boolean {
    const { link, callLow, callHigh } = this.#call;
    const item = this.nextItem;
    if (
      !trySendResponse(link, callLow, callHigh, item, Status.ok, CONTINUE_HEADERS, body)
    ) return false;
    this.#book(body);
    return true;
  }

  /** False when the call is over. */
  async #sendLater(body: Uint8Array): Promise<boolean> {
    const call = this.#call;
    const { link, callLow, callHigh, signal } = call;
    const { share } = call.sink;
    const item = this.nextItem;
    // What nobody takes is refused as it is sent.
    const isLarge = link.isExtended && body.length > link.frameBytesMax &&
      body.length <= BODY_BYTES_MAX;
    if (isLarge && !share.takeReply(body.length)) await share.awaitReply(body.length);
    try {
      if (call.isOver) return false;
      await sendResponse(
        link,
        callLow,
        callHigh,
        item,
        Status.ok,
        CONTINUE_HEADERS,
        body,
        signal,
      );
    } catch (error) {
      call.fail(sendFailure(error));
      return false;
    } finally {
      if (isLarge) share.releaseReply(body.length);
    }
    if (call.isOver) return false;
    this.#book(body);
    call.onItem();
    return true;
  }

  #book(body: Uint8Array): void {
    this.#sent += 1;
    this.#credit -= 1;
    this.#call.responseBytes += body.length;
    this.#call.sink.service.meter.streamChunksEmitted += 1;
  }

  async #end(): Promise<void> {
    const call = this.#call;
    const { link, callLow, callHigh } = call;
    const item = this.nextItem;
    call.finish();
    try {
      await sendResponse(link, callLow, callHigh, item, Status.ok, END_HEADERS, EMPTY);
    } catch {
      // The link has ended, and the caller knows.
      call.sink.service.meter.responsesDropped += 1;
    }
  }
}

/** Iterators of a program's own may give promises of a kind of their own. */
function isPending(step: object): step is PromiseLike<IteratorResult<Uint8Array>> {
  return step instanceof Promise || "then" in step;
}

function iteratorOf(source: Source): Items {
  if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
  if (Symbol.iterator in source) return source[Symbol.iterator]();
  throw new TypeError("handler gave nothing to iterate over");
}

async function leave(items: Items): Promise<void> {
  try {
    await items.return?.();
  } catch {
    // The call has ended; what its clean-up says no longer concerns anybody.
  }
}
