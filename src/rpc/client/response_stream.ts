/** Bodies that a server sends in one call, in order, as fast as the reader takes them (`nrpc.md` 7, 9). */
import { RpcError } from "../error.ts";
import type { RpcResponses } from "../types.ts";
import {
  CONTINUE_HEADERS,
  END_HEADERS,
  type FrameHead,
  HeaderName,
  headerText,
  type ResponseBody,
  Status,
} from "../wire/mod.ts";
import { describeCall, statusError } from "./call_errors.ts";
import type { ClientCall } from "./client_call.ts";
import { Fifo } from "../engine/fifo.ts";
import { ItemOrder, type StreamAnswer } from "../engine/item_order.ts";
import {
  ITEM_GAP_MS,
  RESPONSE_BYTES_WAITING_MAX,
  TURNS_WAITING_MAX,
  UNWINDOWED_ITEMS_MAX,
} from "./limits.ts";
import { ResponseGrants } from "./response_grants.ts";

/** Options of a {@linkcode ResponseStream}. */
export interface ResponseStreamOptions {
  readonly window: number;
  readonly isManualGrant: boolean;
  /** Peers that are not ours send such streams without minding the window (`nrpc.md` 9). */
  readonly isDuplex: boolean;
}

interface Reader {
  readonly isIterating: boolean;
  resolve(value: unknown): void;
  reject(error: RpcError): void;
}

const END: StreamAnswer = { kind: "end" };
const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** The reading half of a call. */
export class ResponseStream implements RpcResponses, AsyncIterator<Uint8Array> {
  readonly #call: ClientCall;
  readonly #isDuplex: boolean;
  readonly #grants: ResponseGrants;
  readonly #items = new Fifo<Uint8Array>();
  readonly #readers = new Fifo<Reader>();
  /** Of a numbered stream. */
  #order: ItemOrder | undefined;
  #received = 0;
  #bytesWaiting = 0;
  #isEnded = false;
  #error: RpcError | undefined;

  constructor(call: ClientCall, options: ResponseStreamOptions) {
    this.#call = call;
    this.#isDuplex = options.isDuplex;
    this.#grants = new ResponseGrants(call, options.window, options.isManualGrant);
  }

  get target(): bigint {
    return this.#call.target;
  }

  get callId(): bigint {
    return this.#call.callId;
  }

  read(): Promise<Uint8Array | undefined> {
    const item = this.#take();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#isEnded) {
      return this.#error === undefined ? Promise.resolve(undefined) : Promise.reject(this.#error);
    }
    return this.#wait(false) as Promise<Uint8Array | undefined>;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const item = this.#take();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (this.#isEnded) {
      return this.#error === undefined ? Promise.resolve(DONE) : Promise.reject(this.#error);
    }
    return this.#wait(true) as Promise<IteratorResult<Uint8Array, undefined>>;
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.cancel("its reader left");
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  grant(credits: number): void {
    this.#grants.grant(credits, this.#received);
  }

  cancel(reason?: unknown): void {
    this.#call.onCancel(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cancel("it was disposed of");
    return Promise.resolve();
  }

  /** An answer of the server; what it says may end the call. */
  onResponse(head: FrameHead, response: ResponseBody, isOwned: boolean): void {
    const call = this.#call;
    const answer = this.#read(response, isOwned);
    if (answer === undefined) {
      call.onUndecodable(`${HeaderName.streaming} says neither continue nor end`);
    } else if (head.item === 0) this.#onUnnumbered(answer);
    else this.#onNumbered(head.item, answer);
  }

  /** The call has ended: what is here can still be read, unless the reader itself gave up. */
  end(error: RpcError | undefined): void {
    this.#isEnded = true;
    this.#error = error;
    this.#order?.clear();
    if (error?.kind === "cancelled" && error.status === undefined) {
      this.#items.clear();
      this.#bytesWaiting = 0;
    }
    for (let reader = this.#readers.shift(); reader; reader = this.#readers.shift()) {
      if (error !== undefined) reader.reject(error);
      else reader.resolve(reader.isIterating ? DONE : undefined);
    }
  }

  #read(response: ResponseBody, isOwned: boolean): StreamAnswer | undefined {
    const { status, headers } = response;
    if (status !== Status.ok) {
      return { kind: "failure", error: statusError(this.#call, response) };
    }
    if (headers === END_HEADERS) return END;
    let kind: "item" | "only" = "item";
    if (headers !== CONTINUE_HEADERS) {
      const said = headerText(headers, HeaderName.streaming);
      if (said === "end") return END;
      if (said === undefined) kind = "only";
      else if (said !== "continue") return undefined;
    }
    const { body } = response;
    return { kind, body: isOwned ? body : this.#call.table.copies.copy(body) };
  }

  #onUnnumbered(answer: StreamAnswer): void {
    if (this.#order === undefined || answer.kind === "failure") this.#accept(answer);
    else this.#call.onUndecodable("some of its items are numbered, some are not");
  }

  #onNumbered(number: number, answer: StreamAnswer): void {
    const { table } = this.#call;
    if (this.#order === undefined) {
      if (this.#received > 0) {
        this.#call.onUndecodable("some of its items are numbered, some are not");
        return;
      }
      this.#order = new ItemOrder(table.timers, ITEM_GAP_MS, (missing) => this.#onGap(missing));
    }
    const order = this.#order;
    if (order.has(number)) {
      table.duplicates += 1;
      return;
    }
    if (number !== order.next) {
      // What has a number beyond this has been sent without credit; it would also be kept without a bound.
      if (number > this.#itemsMax() + 1) this.#onTooMany();
      else {
        order.keep(number, answer, table.clock.now());
        this.#holdBytes(bytesOf(answer));
      }
      return;
    }
    for (let turn: StreamAnswer | undefined = answer; turn !== undefined;) {
      this.#accept(turn);
      if (this.#isEnded) return;
      turn = order.advance(table.clock.now());
      if (turn !== undefined) this.#bytesWaiting -= bytesOf(turn);
    }
  }

  /** Takes an answer whose turn it is. */
  #accept(answer: StreamAnswer): void {
    switch (answer.kind) {
      case "item":
        if (this.#received >= this.#itemsMax()) this.#onTooMany();
        else this.#deliver(answer.body);
        break;
      case "only":
        this.#deliver(answer.body);
        this.#call.succeed();
        break;
      case "end":
        this.#call.succeed();
        break;
      case "failure":
        this.#call.fail(answer.error, false);
    }
  }

  #deliver(body: Uint8Array): void {
    this.#received += 1;
    this.#call.responseBytes += body.length;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      this.#grants.onConsumed();
      reader.resolve(reader.isIterating ? { done: false, value: body } : body);
      return;
    }
    this.#items.push(body);
    this.#holdBytes(body.length);
  }

  #holdBytes(bytes: number): void {
    this.#bytesWaiting += bytes;
    if (this.#bytesWaiting > RESPONSE_BYTES_WAITING_MAX) this.#onSlowReader("too many bytes wait");
  }

  #take(): Uint8Array | undefined {
    const item = this.#items.shift();
    if (item === undefined) return undefined;
    this.#bytesWaiting -= item.length;
    this.#grants.onConsumed();
    return item;
  }

  #wait(isIterating: boolean): Promise<unknown> {
    if (this.#readers.length >= TURNS_WAITING_MAX) {
      const reads = `${TURNS_WAITING_MAX} reads wait already`;
      return Promise.reject(
        new RpcError("backpressure", `Cannot read from ${describeCall(this.#call)}: ${reads}`),
      );
    }
    return new Promise((resolve, reject) => {
      this.#readers.push({ isIterating, resolve, reject });
    });
  }

  /** Items that may have come by now. */
  #itemsMax(): number {
    if (!this.#isDuplex || this.#call.link?.isExtended) return this.#grants.allowed;
    return this.#received - this.#items.length + UNWINDOWED_ITEMS_MAX;
  }

  #onTooMany(): void {
    if (this.#isDuplex && !this.#call.link?.isExtended) this.#onSlowReader("too many items wait");
    else this.#call.onUndecodable("the server sends more items than it was granted");
  }

  #onSlowReader(what: string): void {
    const said = `Cannot keep answers of ${describeCall(this.#call)}: ${what} for their reader`;
    const next = "read faster, or ask for a smaller streamWindow";
    this.#call.fail(new RpcError("backpressure", said, { target: this.target, next }), true);
  }

  #onGap(missing: number): void {
    const said = `Cannot finish stream of ${describeCall(this.#call)}: item ${missing} never came`;
    this.#call.fail(new RpcError("transport", said, { target: this.target }), true);
  }
}

function bytesOf(answer: StreamAnswer): number {
  return answer.kind === "item" || answer.kind === "only" ? answer.body.length : 0;
}
