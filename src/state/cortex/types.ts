/**
 * CortEX: state that is folded out of a log (`storage.md` 9).
 *
 * A model is pure: how an event changes the state, and how the state is written down. The adapter reads the
 * log, keeps the watermarks, tells who watches, and appends.
 */
import type { WriteToken } from "../../log/mod.ts";

/** An event of a folded log: 24 bytes of meta in front of its tail. */
export interface CortexEvent {
  readonly seq: bigint;
  /** Which change it is; below 0x80 is taken by the models of `net`. */
  readonly dispatch: number;
  readonly origin: bigint;
  /** The writer's own count, or a time. */
  readonly appSeq: bigint;
  readonly tail: Uint8Array;
}

/** How a state comes out of events. */
export interface FoldModel<State> {
  /** Default channel. */
  readonly channel: string;
  create(): State;
  /**
   * Changes the state by one event; false when nothing changed.
   *
   * @throws FoldDecodeError when the tail cannot be read: the event is set aside and reported, and the fold goes on.
   */
  apply(state: State, event: CortexEvent): boolean;
  /** The state as bytes, and back; `decode` throws FoldDecodeError. */
  encode(state: State): Uint8Array;
  decode(bytes: Uint8Array): State;
}

/** An event that was set aside. */
export interface SetAsideEvent {
  readonly seq: bigint;
  readonly dispatch: number | undefined;
  readonly reason: string;
}

/** A state with the position it stands for. */
export interface CortexSnapshot {
  /** `postcard {app_seq u64, inner}` (`storage.md` 9). */
  readonly bytes: Uint8Array;
  /** Last event in it; `undefined` for none. */
  readonly lastSeq: bigint | undefined;
}

/** A folded log. */
export interface CortexAdapter<State> extends AsyncDisposable {
  readonly channel: string;
  readonly origin: bigint;
  /** The state now; read it, do not change or keep it. */
  readonly state: State;
  /** Last event seen, and last event whose effect is in the state (or that was set aside); `undefined` for none. */
  readonly foldedSeq: bigint | undefined;
  readonly appliedSeq: bigint | undefined;
  /** False when the fold has halted or was closed. */
  readonly isRunning: boolean;
  /** Why it halted. */
  readonly failure: string | undefined;
  /** Events set aside, newest last, a bounded number of them; all are counted. */
  readonly setAside: readonly SetAsideEvent[];
  readonly setAsideTotal: number;
  /** Events that retention took before they were seen; the state is without them. */
  readonly missedTotal: number;
  /**
   * All events below are on the device. The state, and who watches it, may be ahead of that: after a crash the log
   * has all events below, perhaps more, and what was seen beyond may be gone.
   */
  readonly persistedSeq: bigint;
  /** Appends an event. The token's wait resolves when it is in the state. */
  append(dispatch: number, tail: Uint8Array): WriteToken;
  appendBatch(events: readonly { readonly dispatch: number; readonly tail: Uint8Array }[]):
    | WriteToken
    | undefined;
  /** Resolves when all that was appended before is on the device. */
  sync(): Promise<void>;
  /** Resolves when this event was folded. @throws CortexError `timeout`, `queue_full`, `stopped`. */
  waitForSeq(seq: bigint, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** @throws CortexError `timeout`, `wrong_origin`, `queue_full`, `stopped`. */
  waitForToken(token: WriteToken, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** True when it is in the state already. @throws CortexError `wrong_origin`. */
  pollToken(token: WriteToken): boolean;
  /**
   * Calls `onChange` after the state has changed, once for a burst, and once when the fold has ended: then
   * {@linkcode CortexAdapter.isRunning} is false. The result ends it.
   */
  onChange(onChange: () => void): () => void;
  /**
   * The result of a query now, and again whenever it differs; a slow reader gets the latest. It ends when the fold is
   * closed, and fails with `stopped` when the fold has halted. A query must not give an object that it, or the fold,
   * changes later: nobody could tell that it has.
   *
   * @param same Whether two results are equal; compares deeply when left out.
   */
  watch<Result>(
    query: (state: State) => Result,
    same?: (a: Result, b: Result) => boolean,
    signal?: AbortSignal,
  ): AsyncIterable<Result>;
  /** The result of a query now, and a watch that does not repeat it. */
  snapshotAndWatch<Result>(
    query: (state: State) => Result,
    same?: (a: Result, b: Result) => boolean,
    signal?: AbortSignal,
  ): { readonly snapshot: Result; readonly changes: AsyncIterable<Result> };
  snapshot(): CortexSnapshot;
  /** Stops folding. The log stays open, reads of the state keep working, appends fail; idempotent. */
  close(): Promise<void>;
}
