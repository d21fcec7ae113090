/**
 * A query that is asked again when the state has changed (`storage.md` 9). It is asked only when its reader
 * wants the next result, so that a slow reader costs nothing, and gets the latest.
 */
import type { ChangeSignal } from "./change_signal.ts";

/** What a watch looks at. */
export interface Watched<State> {
  readonly state: State;
  /** Grows whenever the state changes. */
  readonly version: number;
  /** Thrown by watches once they have given the last result; `undefined` when the state's end is no failure. */
  readonly endError: Error | undefined;
}

/** What is asked, and when a result is worth telling. */
export interface WatchOptions<State, Result> {
  readonly query: (state: State) => Result;
  readonly isSame: (a: Result, b: Result) => boolean;
  readonly signal?: AbortSignal;
  /** A result that the reader has. */
  readonly known?: { readonly result: Result };
}

/** One reader's watch. Calls of `next` are answered in their order. */
export class Watch<State, Result> implements AsyncIterableIterator<Result, undefined> {
  readonly #watched: Watched<State>;
  readonly #changes: ChangeSignal;
  readonly #options: WatchOptions<State, Result>;
  #known: { readonly result: Result } | undefined;
  #version = -1;
  #isDone = false;
  #wake = () => {};
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    watched: Watched<State>,
    changes: ChangeSignal,
    options: WatchOptions<State, Result>,
  ) {
    this.#watched = watched;
    this.#changes = changes;
    this.#options = options;
    this.#known = options.known;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Result, undefined>> {
    const answer = this.#turn.then(() => this.#take());
    this.#turn = answer.catch(() => {});
    return answer;
  }

  return(): Promise<IteratorResult<Result, undefined>> {
    this.#isDone = true;
    this.#wake();
    return Promise.resolve(DONE);
  }

  async #take(): Promise<IteratorResult<Result, undefined>> {
    const { signal } = this.#options;
    for (;;) {
      if (this.#isDone || signal?.aborted) return this.#finish();
      const value = this.#lookAgain();
      if (value !== undefined) return { done: false, value: value.result };
      if (this.#changes.isEnded) {
        const error = this.#watched.endError;
        this.#isDone = true;
        if (error !== undefined) throw error;
        return this.#finish();
      }
      await this.#untilChange();
    }
  }

  /** The query's result, if it is not the one that the reader has. */
  #lookAgain(): { readonly result: Result } | undefined {
    const { state, version } = this.#watched;
    if (version === this.#version) return undefined;
    this.#version = version;
    const result = this.#options.query(state);
    const known = this.#known;
    // The state itself is the same object before and after: nothing can be compared.
    const isState = Object.is(result, state);
    if (known !== undefined && !isState && this.#options.isSame(known.result, result)) {
      return undefined;
    }
    this.#known = { result };
    return this.#known;
  }

  #finish(): IteratorResult<Result, undefined> {
    this.#isDone = true;
    this.#known = undefined;
    return DONE;
  }

  #untilChange(): Promise<void> {
    const { signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const stop = this.#changes.listen(wake);
    signal?.addEventListener("abort", wake, { once: true });
    this.#wake = wake;
    return promise.then(() => {
      stop();
      signal?.removeEventListener("abort", wake);
      this.#wake = () => {};
    });
  }
}

const DONE: IteratorResult<never, undefined> = { done: true, value: undefined };
