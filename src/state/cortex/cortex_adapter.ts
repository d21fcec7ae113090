/** A folded log that is open: one fold, the log's tail that feeds it, and those who wait and watch. */
import { RedexError, type RedexFile, type WriteToken } from "../../log/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { AppCounter } from "./app_counter.ts";
import { ChangeSignal } from "./change_signal.ts";
import { CortexError } from "./cortex_error.ts";
import type { CortexMetrics } from "./cortex_metrics.ts";
import { encodeCortexSnapshot } from "./cortex_snapshot.ts";
import { encodeEvent } from "./event_meta.ts";
import type { Fold } from "./fold.ts";
import { LogFollower } from "./log_follower.ts";
import { SLICE_MS_MAX } from "./limits.ts";
import { isSameValue } from "./same_value.ts";
import { SeqWaits, type SeqWaitsDeps } from "./seq_waits.ts";
import type { CortexAdapter, CortexSnapshot, FoldModel, SetAsideEvent } from "./types.ts";
import { Watch } from "./watch.ts";

/** What an adapter is made of. */
export interface FoldedLogParts<State> {
  readonly file: RedexFile;
  readonly model: FoldModel<State>;
  readonly fold: Fold<State>;
  readonly origin: bigint;
  readonly counter: AppCounter;
  readonly metrics: CortexMetrics;
  readonly log: Log;
  readonly waits: Pick<SeqWaitsDeps, "clock" | "budgets">;
  /** Opens the channel's file again when it was closed by others; `undefined` when the channel is gone. */
  readonly reopen: () => Promise<RedexFile | undefined>;
}

/** The one implementation of {@linkcode CortexAdapter}. */
export class FoldedLog<State> implements CortexAdapter<State> {
  readonly origin: bigint;
  /** Called once when it is closed. */
  onClosed: (() => void) | undefined;
  readonly #parts: FoldedLogParts<State>;
  readonly #fold: Fold<State>;
  readonly #changes: ChangeSignal;
  readonly #waits: SeqWaits;
  #file: RedexFile;
  #follower: LogFollower | undefined;
  #following: Promise<void> = Promise.resolve();
  #isClosed = false;
  #toldVersion = 0;
  /** When the first slice of a burst was folded that nobody was told of. */
  #burstAt: number | undefined;

  constructor(parts: FoldedLogParts<State>) {
    this.#parts = parts;
    this.#fold = parts.fold;
    this.#file = parts.file;
    this.origin = parts.origin;
    this.#changes = new ChangeSignal(parts.log);
    this.#waits = new SeqWaits({
      ...parts.waits,
      metrics: parts.metrics,
      fold: { applied: () => parts.fold.applied, isStopped: () => !this.isRunning },
    });
  }

  get channel(): string {
    return this.#file.name;
  }

  get state(): State {
    return this.#fold.state;
  }

  get foldedSeq(): bigint | undefined {
    return toSeq(this.#fold.folded);
  }

  get appliedSeq(): bigint | undefined {
    return toSeq(this.#fold.applied);
  }

  get isRunning(): boolean {
    return !this.#isClosed && this.#fold.failure === undefined;
  }

  get failure(): string | undefined {
    return this.#fold.failure;
  }

  get setAside(): readonly SetAsideEvent[] {
    return this.#fold.setAside.kept;
  }

  get setAsideTotal(): number {
    return this.#fold.setAside.total;
  }

  get missedTotal(): number {
    return this.#fold.missed;
  }

  get persistedSeq(): bigint {
    return this.#file.persistedSeq;
  }

  append(dispatch: number, tail: Uint8Array): WriteToken {
    this.#requireWritable(dispatch);
    const payload = this.#parts.counter.encode(dispatch, tail);
    const seq = this.#write((file) => file.append(payload));
    this.#foldOwn(seq, payload);
    this.#tell();
    return { origin: this.origin, seq };
  }

  appendBatch(
    events: readonly { readonly dispatch: number; readonly tail: Uint8Array }[],
  ): WriteToken | undefined {
    const { origin } = this;
    const next = this.#parts.counter.next;
    const payloads = events.map(({ dispatch, tail }, i) => {
      this.#requireWritable(dispatch);
      return encodeEvent({ dispatch, flags: 0, origin, appSeq: next + BigInt(i) }, tail);
    });
    const first = this.#write((file) => file.appendBatch(payloads));
    if (first === undefined) return undefined;
    for (let i = 0; i < payloads.length; i++) {
      this.#foldOwn(first + BigInt(i), payloads[i] as Uint8Array);
    }
    this.#tell();
    return { origin, seq: first + BigInt(payloads.length - 1) };
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async waitForSeq(seq: bigint, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    await this.#waits.wait(seq, timeoutMs, signal);
  }

  async waitForToken(token: WriteToken, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    this.#checkOrigin(token);
    await this.#waits.wait(token.seq, timeoutMs, signal);
  }

  pollToken(token: WriteToken): boolean {
    this.#checkOrigin(token);
    const { applied } = this.#fold;
    return applied !== undefined && Number(token.seq) <= applied;
  }

  onChange(onChange: () => void): () => void {
    return this.#changes.listen(onChange);
  }

  watch<Result>(
    query: (state: State) => Result,
    same: (a: Result, b: Result) => boolean = isSameValue,
    signal?: AbortSignal,
  ): Watch<State, Result> {
    return new Watch(watched(this), this.#changes, { query, isSame: same, signal });
  }

  snapshotAndWatch<Result>(
    query: (state: State) => Result,
    same: (a: Result, b: Result) => boolean = isSameValue,
    signal?: AbortSignal,
  ): { readonly snapshot: Result; readonly changes: Watch<State, Result> } {
    const snapshot = query(this.state);
    const options = { query, isSame: same, signal, known: { result: snapshot } };
    return { snapshot, changes: new Watch(watched(this), this.#changes, options) };
  }

  snapshot(): CortexSnapshot {
    const inner = this.#parts.model.encode(this.state);
    const bytes = encodeCortexSnapshot({ appSeq: this.#parts.counter.next, inner });
    return { bytes, lastSeq: this.appliedSeq };
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#follower?.close();
      this.#fold.setAside.report();
      this.#tell();
      this.onClosed?.();
    }
    await this.#following;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What changes the state grows this; for watches. */
  get version(): number {
    return this.#fold.version;
  }

  /** Goes on with the log's tail, which is at the fold's next event. */
  start(follower: LogFollower): void {
    this.#follower = follower;
    if (!this.isRunning) return follower.close();
    this.#following = this.#follow(follower).catch((error) => this.#ended(messageOf(error)));
  }

  /** Reads a file from the fold's next event on. */
  follower(file: RedexFile): LogFollower {
    const { clock } = this.#parts.waits;
    const took = (take: () => void): boolean => {
      // It may have been closed while they came.
      if (!this.isRunning) return false;
      take();
      const now = clock.now();
      this.#burstAt ??= now;
      this.#tell(this.#fold.next < file.nextSeq && now - this.#burstAt < SLICE_MS_MAX);
      return this.isRunning;
    };
    return new LogFollower(clock, file, BigInt(this.#fold.next), {
      items: (items) => took(() => this.#fold.take(items)),
      run: (run) => took(() => this.#fold.takeRun(run)),
    });
  }

  /** A file that others close, because too many are open or to mend it, is opened again. */
  async #follow(first: LogFollower): Promise<void> {
    for (let follower = first;;) {
      try {
        await follower.follow();
      } catch (error) {
        if (!isClosedError(error)) throw new Error(`the log cannot be read: ${messageOf(error)}`);
      }
      if (!this.isRunning) return;
      const file = await this.#parts.reopen();
      if (!this.isRunning) return;
      if (file === undefined || file === this.#file) throw new Error("the log was closed");
      if (file.nextSeq < this.#fold.next) throw new Error("the log was removed and begun anew");
      this.#file = file;
      follower = this.#follower = this.follower(file);
    }
  }

  /** A file that takes no more appends is closed, so that it is opened anew. */
  #write<Result>(write: (file: RedexFile) => Result): Result {
    const file = this.#file;
    try {
      return write(file);
    } catch (error) {
      const { failure, isPersistent } = file.stat();
      const isBroken = failure !== undefined && isPersistent && !isClosedError(error);
      if (isBroken) file.close().catch(() => {});
      throw error;
    }
  }

  #requireWritable(dispatch: number): void {
    if (this.#isClosed) throw new CortexError("closed", "adapter closed");
    if (Number.isInteger(dispatch) && dispatch >= 0 && dispatch <= 255) return;
    throw new RangeError(`Cannot append: dispatch is ${dispatch}, must be 0..255`);
  }

  /**
   * Folds what was just appended at once, so that a writer reads its own writes. When others' events come
   * first, or the model itself is appending, the tail brings it.
   */
  #foldOwn(seq: bigint, payload: Uint8Array): void {
    const fold = this.#fold;
    this.#parts.metrics.appendedTotal += 1;
    this.#parts.counter.note(payload);
    const isNext = this.isRunning && !fold.isApplying && Number(seq) === fold.next;
    if (isNext) fold.takeOwn(seq, payload);
  }

  /** @param isMore The rest of a burst comes at once: those who watch need not look in between. */
  #tell(isMore = false): void {
    if (this.#fold.version !== this.#toldVersion && !isMore) {
      this.#toldVersion = this.#fold.version;
      this.#changes.changed();
    }
    if (!isMore) this.#burstAt = undefined;
    this.#waits.settle();
    if (!this.isRunning) this.#changes.end();
  }

  #ended(reason: string): void {
    if (!this.isRunning) return;
    this.#fold.halt(reason);
    this.#tell();
  }

  #checkOrigin({ origin }: WriteToken): void {
    if (origin === this.origin) return;
    this.#parts.metrics.waitWrongOriginTotal += 1;
    const [theirs, ours] = [toHex(origin), toHex(this.origin)];
    throw new CortexError("wrong_origin", `token origin ${theirs} != adapter origin ${ours}`);
  }
}

function watched<State>(adapter: FoldedLog<State>) {
  return {
    get state() {
      return adapter.state;
    },
    get version() {
      return adapter.version;
    },
    get endError() {
      const { failure } = adapter;
      return failure === undefined
        ? undefined
        : new CortexError("stopped", `the fold stopped: ${failure}`);
    },
  };
}

function toSeq(seq: number | undefined): bigint | undefined {
  return seq === undefined ? undefined : BigInt(seq);
}

function toHex(origin: bigint): string {
  return origin.toString(16).padStart(16, "0");
}

function isClosedError(error: unknown): boolean {
  return error instanceof RedexError && error.kind === "closed";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
