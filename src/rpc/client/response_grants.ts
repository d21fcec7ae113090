/** Credit for the items of one response stream (`nrpc.md` 7): what was granted, and what is granted next. */
import { NO_LINK_ROOM } from "../link/mod.ts";
import {
  CREDITS_MAX,
  Dispatch,
  FRAME_BYTES,
  STREAM_GRANT_BYTES,
  writeFrameHead,
  writeStreamGrant,
} from "../wire/mod.ts";
import type { ClientCall } from "./client_call.ts";

/** Grants of one stream. */
export class ResponseGrants {
  /** Items that the server may have sent, from the first on. */
  allowed: number;
  readonly #call: ClientCall;
  readonly #isManual: boolean;
  /** Items consumed that make a grant. */
  readonly #batch: number;
  #consumed = 0;
  #owed = 0;
  #isWaiting = false;

  /** @param isManual The program grants; what is consumed earns the server nothing. */
  constructor(call: ClientCall, window: number, isManual: boolean) {
    this.#call = call;
    this.allowed = window;
    this.#isManual = isManual;
    this.#batch = Math.max(window >>> 1, 1);
  }

  /** The reader took an item. */
  onConsumed(): void {
    if (this.#isManual || ++this.#consumed < this.#batch) return;
    this.#owed += this.#consumed;
    this.#consumed = 0;
    this.#send();
  }

  /**
   * Grants by hand; nothing happens unless that was agreed.
   *
   * @param received Items so far: the server never has credit for more than {@linkcode CREDITS_MAX}.
   * @throws RangeError when it is no whole number from 1 on.
   */
  grant(credits: number, received: number): void {
    if (!Number.isInteger(credits) || credits < 1) {
      throw new RangeError(`Cannot grant ${credits} items: must be a whole number from 1 on`);
    }
    if (!this.#isManual || this.#call.isOver) return;
    const room = CREDITS_MAX - (this.allowed + this.#owed - received);
    this.#owed += Math.min(credits, room);
    this.#send();
  }

  #send(): void {
    if (this.#owed <= 0 || this.#call.isOver || this.#isWaiting) return;
    if (!this.#trySend()) void this.#sendLater();
  }

  async #sendLater(): Promise<void> {
    this.#isWaiting = true;
    try {
      do await this.#call.link?.ready(); while (!this.#call.isOver && !this.#trySend());
    } catch {
      // The link has ended: its end ends the call.
    } finally {
      this.#isWaiting = false;
    }
  }

  #trySend(): boolean {
    const { link, callLow, callHigh } = this.#call;
    if (link === undefined || !link.isOpen) return true;
    const at = link.reserve(FRAME_BYTES + STREAM_GRANT_BYTES);
    if (at === NO_LINK_ROOM) return false;
    const { bytes, route } = link;
    const start = writeFrameHead(bytes, at, Dispatch.streamGrant, route, callLow, callHigh, 0);
    writeStreamGrant(bytes, start, this.#owed);
    this.allowed += this.#owed;
    this.#owed = 0;
    return true;
  }
}
