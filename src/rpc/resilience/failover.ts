/**
 * Asks the next node instead of waiting (promise N2): when the one that was chosen refuses work, or stays silent
 * for longer than its share of the time, inside the caller's deadline.
 *
 * What is safe decides. A node that refused before a handler ran, or to which the request has not even left, may be
 * passed over for every call. Once the request has left, silence proves nothing: another node is asked only when the
 * call says that running twice does no harm; the first one is not given up then, and whichever answers first wins.
 * Each node gets a call id of its own, so no handler runs twice for one.
 */
import type { Clock } from "../../base/mod.ts";
import { RpcError } from "../error.ts";
import { isOwnFault, isRefusal } from "./failures.ts";
import { SILENCE_MS } from "./limits.ts";

/** One try at one node; it calls `onSent` before the request leaves. */
export type NodeAttempt<T> = (
  node: bigint,
  signal: AbortSignal,
  onSent: () => void,
) => Promise<T>;

/** Options of {@linkcode askInTurn}. */
export interface AskInTurnOptions<T> {
  /** Running on two nodes does no harm. */
  readonly isIdempotent: boolean;
  /** Time of the clock at which nobody waits any more; `Infinity` without one. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /** Takes back what a node gave after another one had won. */
  readonly release?: (value: T) => void;
}

/**
 * Asks nodes in their order until one gives a value.
 *
 * @param nodes At least one.
 * @throws What a node failed with that is no reason to ask another; when all refuse, that they are busy, if one is,
 * else what the first one said.
 */
export function askInTurn<T>(
  nodes: readonly bigint[],
  attempt: NodeAttempt<T>,
  options: AskInTurnOptions<T>,
  clock: Pick<Clock, "now" | "after">,
): Promise<T> {
  return new Turns(nodes, attempt, options, clock).result;
}

interface Turn {
  readonly aborter: AbortController;
  isSent: boolean;
  /** It has ended, or was passed over. */
  isOver: boolean;
}

class Turns<T> {
  readonly result: Promise<T>;
  readonly #nodes: readonly bigint[];
  readonly #attempt: NodeAttempt<T>;
  readonly #options: AskInTurnOptions<T>;
  readonly #clock: Pick<Clock, "now" | "after">;
  readonly #turns: Turn[] = [];
  readonly #errors: unknown[] = [];
  #stopTimer: (() => void) | undefined;
  #isOver = false;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(
    nodes: readonly bigint[],
    attempt: NodeAttempt<T>,
    options: AskInTurnOptions<T>,
    clock: Pick<Clock, "now" | "after">,
  ) {
    this.#nodes = nodes;
    this.#attempt = attempt;
    this.#options = options;
    this.#clock = clock;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { signal } = options;
    if (signal?.aborted) this.#cancel();
    else {
      signal?.addEventListener("abort", this.#cancel);
      this.#next();
    }
  }

  /** Asks the next node, if there is one. */
  #next(): void {
    const index = this.#turns.length;
    const node = this.#nodes[index];
    if (node === undefined) return;
    const turn: Turn = { aborter: new AbortController(), isSent: false, isOver: false };
    this.#turns.push(turn);
    this.#attempt(node, turn.aborter.signal, () => turn.isSent = true).then(
      (value) => this.#onValue(turn, value),
      (error) => this.#onError(turn, index, error),
    );
    if (!this.#isOver && !turn.isOver) this.#watch(turn, index);
  }

  /** Looks at a node again when its share of the time is over. */
  #watch(turn: Turn, index: number): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    const nodesLeft = this.#nodes.length - index;
    if (nodesLeft === 1 || (turn.isSent && !this.#options.isIdempotent)) return;
    const msLeft = this.#options.deadlineMs - this.#clock.now();
    const shareMs = Math.min(SILENCE_MS, msLeft / nodesLeft);
    this.#stopTimer = this.#clock.after(shareMs, () => this.#onSilence(turn, index));
  }

  #onSilence(turn: Turn, index: number): void {
    if (this.#isOver || turn.isOver) return;
    if (!turn.isSent) {
      this.#passOver(turn);
      const node = this.#nodes[index];
      this.#errors[index] = new RpcError("no_route", "Cannot call: the way to it did not open", {
        ...(node === undefined ? {} : { target: node }),
        next: "look whether the node is up: net node ping",
      });
      this.#next();
    } else if (this.#options.isIdempotent) this.#next();
  }

  #onValue(turn: Turn, value: T): void {
    if (this.#isOver || turn.isOver) this.#options.release?.(value);
    else {
      turn.isOver = true;
      this.#finish(() => this.#resolve(value));
    }
  }

  #onError(turn: Turn, index: number, error: unknown): void {
    if (this.#isOver || turn.isOver) return;
    turn.isOver = true;
    this.#errors[index] = error;
    if (!this.#mayMoveOn(turn, error)) this.#finish(() => this.#reject(error));
    else if (this.#turns.length < this.#nodes.length) this.#next();
    else if (this.#turns.every(({ isOver }) => isOver)) {
      const busy = this.#errors.find((each) =>
        each instanceof RpcError && each.kind === "backpressure"
      );
      this.#finish(() => this.#reject(busy ?? this.#errors[0]));
    }
  }

  #mayMoveOn(turn: Turn, error: unknown): boolean {
    if (isOwnFault(error) || this.#clock.now() >= this.#options.deadlineMs) return false;
    if (!turn.isSent || isRefusal(error)) return true;
    return this.#options.isIdempotent && error instanceof RpcError && error.kind === "transport";
  }

  #passOver(turn: Turn): void {
    turn.isOver = true;
    turn.aborter.abort();
  }

  readonly #cancel = () => {
    const cause = this.#options.signal?.reason;
    this.#finish(() => this.#reject(new RpcError("cancelled", "Call was cancelled", { cause })));
  };

  #finish(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimer?.();
    this.#options.signal?.removeEventListener("abort", this.#cancel);
    settle();
    for (const turn of this.#turns) if (!turn.isOver) this.#passOver(turn);
  }
}
