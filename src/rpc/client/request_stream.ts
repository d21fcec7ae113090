/**
 * Bodies that the caller sends in one call (`nrpc.md` 8, 9): the first in the request, the others in chunks,
 * one after the other, as far as the server has granted room for them.
 */
import { RpcError } from "../error.ts";
import type { FrameLink } from "../link/mod.ts";
import type { RpcRequests } from "../types.ts";
import { CREDITS_MAX, RpcFlag, type RpcHeader } from "../wire/mod.ts";
import { describeCall, linkError } from "./call_errors.ts";
import type { ClientCall } from "./client_call.ts";
import { Fifo } from "../engine/fifo.ts";
import { TURNS_WAITING_MAX } from "./limits.ts";
import { sendChunk, sendRequest, trySendChunk, trySendRequest } from "./request_sender.ts";

const EMPTY = new Uint8Array(0);
const SENT = Promise.resolve();

/** One frame that is to be sent. */
interface Turn {
  readonly body: Uint8Array;
  /** It is an item, which costs credit; else an end without one. */
  readonly isItem: boolean;
  readonly isEnd: boolean;
  resolve(): void;
  reject(error: RpcError): void;
}

/** Options of a {@linkcode RequestStream}. */
export interface RequestStreamOptions {
  readonly link: FrameLink;
  /** Flags of the request beside those of an upload. */
  readonly flags: number;
  readonly headers: readonly RpcHeader[];
  /** Items that may leave before the server grants more; `undefined` for any number. */
  readonly window: number | undefined;
}

/** The sending half of a call. */
export class RequestStream implements RpcRequests {
  readonly #call: ClientCall;
  readonly #link: FrameLink;
  readonly #flags: number;
  readonly #headers: readonly RpcHeader[];
  readonly #turns = new Fifo<Turn>();
  #credit: number | undefined;
  /** Frames that have left; the next has the number after. */
  #sent = 0;
  #isFinished = false;
  #isPumping = false;
  #wake: (() => void) | undefined;

  constructor(call: ClientCall, options: RequestStreamOptions) {
    this.#call = call;
    this.#link = options.link;
    this.#flags = options.flags | RpcFlag.clientStreaming;
    this.#headers = options.headers;
    this.#credit = options.window;
  }

  get credit(): number | undefined {
    return this.#credit;
  }

  send(body: Uint8Array): Promise<void> {
    const refusal = this.#refusal();
    return refusal === undefined ? this.#put(body, true, false) : Promise.reject(refusal);
  }

  /** Says that this was all; `last` is sent with it. Once the server has answered there is nothing to say. */
  finish(last?: Uint8Array): Promise<void> {
    const { isOver, outcome } = this.#call;
    if (isOver && outcome === undefined && last === undefined) return SENT;
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#isFinished = true;
    // An empty chunk that ends is no item: an empty last item goes in front of it.
    if (last?.length === 0) {
      const sent = this.#put(last, true, false);
      const ended = this.#put(EMPTY, false, true);
      return Promise.all([sent, ended]).then(() => {});
    }
    return this.#put(last ?? EMPTY, last !== undefined, true);
  }

  /** The server has room for more items. */
  onGrant(credits: number): void {
    if (this.#credit === undefined) return;
    this.#credit = Math.min(CREDITS_MAX, this.#credit + credits);
    this.#wakeUp();
  }

  /** The call has ended: nothing more is sent. */
  end(): void {
    for (let turn = this.#turns.shift(); turn; turn = this.#turns.shift()) {
      turn.reject(this.#endError());
    }
    this.#wakeUp();
  }

  #refusal(): RpcError | undefined {
    if (this.#call.isOver) return this.#endError();
    if (!this.#isFinished) return undefined;
    return this.#error("codec_encode", "it was finished", "send before finish()");
  }

  #endError(): RpcError {
    return this.#call.outcome ??
      this.#error("cancelled", "the server has answered already", "take the answer");
  }

  #error(kind: "codec_encode" | "cancelled" | "backpressure", what: string, next: string) {
    const said = `Cannot send item to ${describeCall(this.#call)}: ${what}`;
    return new RpcError(kind, said, { target: this.#call.target, next });
  }

  #put(body: Uint8Array, isItem: boolean, isEnd: boolean): Promise<void> {
    if (this.#turns.length === 0 && this.#trySend(body, isItem, isEnd)) return SENT;
    if (this.#turns.length >= TURNS_WAITING_MAX) {
      const what = `${TURNS_WAITING_MAX} items wait already`;
      return Promise.reject(this.#error("backpressure", what, "await what send() returns"));
    }
    return new Promise((resolve, reject) => {
      this.#turns.push({ body, isItem, isEnd, resolve, reject });
      if (!this.#isPumping) void this.#pump();
    });
  }

  /** Sends what waits, in order. A turn leaves the queue when it is through, so that nothing overtakes it. */
  async #pump(): Promise<void> {
    this.#isPumping = true;
    for (let turn = this.#turns.peek(); turn !== undefined; turn = this.#turns.peek()) {
      const { body, isItem, isEnd } = turn;
      if (isItem && this.#credit === 0) {
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      try {
        if (!this.#trySend(body, isItem, isEnd)) await this.#sendLater(body, isItem, isEnd);
        if (this.#turns.peek() === turn) this.#turns.shift();
        turn.resolve();
      } catch (error) {
        this.#onFailed(turn, linkError(this.#call, error));
      }
    }
    this.#isPumping = false;
  }

  /** What is too large concerns this item only; a link that broke ends the call, and with it all turns. */
  #onFailed(turn: Turn, error: RpcError): void {
    if (error.kind !== "too_large") this.#call.fail(error, true);
    else if (this.#turns.peek() === turn) this.#turns.shift();
    turn.reject(error);
  }

  #trySend(body: Uint8Array, isItem: boolean, isEnd: boolean): boolean {
    if (isItem && this.#credit === 0) return false;
    const call = this.#call;
    const link = this.#link;
    const flags = isEnd ? RpcFlag.requestEnd : 0;
    const number = link.isExtended ? this.#sent + 1 : 0;
    const hasLeft = this.#sent > 0
      ? trySendChunk(call, link, flags, body, number)
      : trySendRequest(call, link, this.#flags | flags, this.#headers, body, number);
    if (hasLeft) this.#book(body, isItem);
    return hasLeft;
  }

  async #sendLater(body: Uint8Array, isItem: boolean, isEnd: boolean): Promise<void> {
    const call = this.#call;
    const link = this.#link;
    const flags = isEnd ? RpcFlag.requestEnd : 0;
    const number = link.isExtended ? this.#sent + 1 : 0;
    if (this.#sent > 0) await sendChunk(call, link, flags, body, number);
    else await sendRequest(call, link, this.#flags | flags, this.#headers, body, number);
    this.#book(body, isItem);
  }

  #book(body: Uint8Array, isItem: boolean): void {
    this.#sent += 1;
    this.#call.requestBytes += body.length;
    if (isItem && this.#credit !== undefined) this.#credit -= 1;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
