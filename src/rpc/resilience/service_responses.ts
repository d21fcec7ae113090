/**
 * Responses of a stream that may still be asked of another node: until its first item has come, a refusal opens the
 * stream at the next one (promises N2 and N5).
 */
import type { RpcResponses } from "../types.ts";
import { isRefusal } from "./failures.ts";

/** Opens the stream at one of the nodes behind this one; `undefined` when there are no more. */
export type OpenElsewhere = (failed: bigint) => Promise<RpcResponses> | undefined;

/** Responses of whichever node takes the call. */
export class ServiceResponses implements RpcResponses {
  #current: RpcResponses;
  readonly #openElsewhere: OpenElsewhere;
  /** Reads of the first item, one after the other. */
  #beginning: Promise<unknown> | undefined;
  #hasBegun = false;
  #isCancelled = false;
  /** Credit given before the first item came; the next node gets it as well. */
  #granted = 0;

  constructor(first: RpcResponses, openElsewhere: OpenElsewhere) {
    this.#current = first;
    this.#openElsewhere = openElsewhere;
  }

  get target(): bigint {
    return this.#current.target;
  }

  get callId(): bigint {
    return this.#current.callId;
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#hasBegun) return this.#current.read();
    const before = this.#beginning ?? Promise.resolve();
    const reading = before.then(() => this.#hasBegun ? this.#current.read() : this.#readFirst());
    this.#beginning = reading.catch(() => {});
    return reading;
  }

  grant(credits: number): void {
    if (!this.#hasBegun) this.#granted += credits;
    this.#current.grant(credits);
  }

  cancel(reason?: unknown): void {
    this.#isCancelled = true;
    this.#current.cancel(reason);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let body = await this.read(); body !== undefined; body = await this.read()) yield body;
    } finally {
      this.cancel();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    return Promise.resolve();
  }

  async #readFirst(): Promise<Uint8Array | undefined> {
    for (;;) {
      try {
        const body = await this.#current.read();
        this.#hasBegun = true;
        return body;
      } catch (error) {
        const opening = this.#isCancelled || !isRefusal(error)
          ? undefined
          : this.#openElsewhere(this.#current.target);
        if (opening === undefined) {
          this.#hasBegun = true;
          throw error;
        }
        this.#current = await opening;
        if (this.#isCancelled) this.#current.cancel();
        else if (this.#granted > 0) this.#current.grant(this.#granted);
      }
    }
  }
}
