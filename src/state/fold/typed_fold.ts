/** A declared fold that is open: its state, and a function per event that appends it. */
import type { WriteToken } from "../../log/mod.ts";
import type { CortexAdapter, CortexSnapshot, SetAsideEvent } from "../cortex/mod.ts";
import type { FoldDefinition, FoldEvents, FoldInputs } from "./define_fold.ts";
import { encodeData } from "./fold_codecs.ts";

/** Appends one kind of event each. */
export type FoldAppends<Events extends FoldEvents> = {
  readonly [Name in keyof Events]: (data: FoldInputs<Events>[Name]) => WriteToken;
};

/** An event for {@linkcode OpenFold.appendAll}. */
export type FoldEventInput<Events extends FoldEvents> = {
  readonly [Name in keyof Events & string]: {
    readonly event: Name;
    readonly data: FoldInputs<Events>[Name];
  };
}[keyof Events & string];

/** What an open fold is: a folded log whose appends are typed. */
type TypedAdapter<State> = Omit<CortexAdapter<State>, "append" | "appendBatch">;

/** An open fold; {@linkcode openFold} makes one. What is not said here is said of {@linkcode CortexAdapter}. */
export class OpenFold<State, Events extends FoldEvents> implements TypedAdapter<State> {
  /**
   * Appends an event and folds it: `fold.append.NAME(data)`. The state has it when this returns, unless other
   * writers' events come first; the token waits for those.
   *
   * @throws NetError `usage` for data that is not what the definition says, RedexError, CortexError `closed`.
   */
  readonly append: FoldAppends<Events>;
  readonly #definition: FoldDefinition<State, Events>;
  readonly #adapter: CortexAdapter<State>;

  constructor(definition: FoldDefinition<State, Events>, adapter: CortexAdapter<State>) {
    this.#definition = definition;
    this.#adapter = adapter;
    const appends = Array.from(definition.events, ([name, { dispatch, codec }]) => {
      const append = (data: unknown) => adapter.append(dispatch, encodeData(codec, name, data));
      return [name, append];
    });
    this.append = Object.fromEntries(appends) as FoldAppends<Events>;
  }

  /** Appends all or none, one behind the other; the last one's token, `undefined` for none. */
  appendAll(events: readonly FoldEventInput<Events>[]): WriteToken | undefined {
    return this.#adapter.appendBatch(events.map(({ event, data }) => {
      const known = this.#definition.events.get(event);
      if (known === undefined) throw new TypeError(`Cannot append "${event}": it is not defined`);
      return { dispatch: known.dispatch, tail: encodeData(known.codec, event, data) };
    }));
  }

  get channel(): string {
    return this.#adapter.channel;
  }

  get origin(): bigint {
    return this.#adapter.origin;
  }

  get state(): State {
    return this.#adapter.state;
  }

  get foldedSeq(): bigint | undefined {
    return this.#adapter.foldedSeq;
  }

  get appliedSeq(): bigint | undefined {
    return this.#adapter.appliedSeq;
  }

  get isRunning(): boolean {
    return this.#adapter.isRunning;
  }

  get failure(): string | undefined {
    return this.#adapter.failure;
  }

  get setAside(): readonly SetAsideEvent[] {
    return this.#adapter.setAside;
  }

  get setAsideTotal(): number {
    return this.#adapter.setAsideTotal;
  }

  get missedTotal(): number {
    return this.#adapter.missedTotal;
  }

  get persistedSeq(): bigint {
    return this.#adapter.persistedSeq;
  }

  async sync(): Promise<void> {
    await this.#adapter.sync();
  }

  async waitForSeq(seq: bigint, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    await this.#adapter.waitForSeq(seq, timeoutMs, signal);
  }

  async waitForToken(token: WriteToken, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    await this.#adapter.waitForToken(token, timeoutMs, signal);
  }

  pollToken(token: WriteToken): boolean {
    return this.#adapter.pollToken(token);
  }

  onChange(onChange: () => void): () => void {
    return this.#adapter.onChange(onChange);
  }

  watch<Result>(
    query: (state: State) => Result,
    same?: (a: Result, b: Result) => boolean,
    signal?: AbortSignal,
  ): AsyncIterable<Result> {
    return this.#adapter.watch(query, same, signal);
  }

  snapshotAndWatch<Result>(
    query: (state: State) => Result,
    same?: (a: Result, b: Result) => boolean,
    signal?: AbortSignal,
  ): { readonly snapshot: Result; readonly changes: AsyncIterable<Result> } {
    return this.#adapter.snapshotAndWatch(query, same, signal);
  }

  snapshot(): CortexSnapshot {
    return this.#adapter.snapshot();
  }

  async close(): Promise<void> {
    await this.#adapter.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#adapter.close();
  }
}
