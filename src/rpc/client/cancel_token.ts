/**
 * Cancel tokens (`nrpc.md` 10): numbers that stand for "these calls are no longer wanted".
 *
 * One token may cover many calls. A cancel that comes before its calls is kept and fires when they register; one
 * that comes after they are over does nothing. Token 0 is none.
 */
import type { Clock } from "../../base/mod.ts";
import { CANCEL_KEPT_MS, CANCEL_SWEEP_MS, CANCEL_TOKENS_MAX } from "./limits.ts";

/** A token; made by {@linkcode CancelTokens.create}. */
export interface CancelToken {
  /** From 1; 0 is the token that cancels nothing. */
  readonly id: number;
}

/** The token that cancels nothing. */
export const NO_CANCEL_TOKEN: CancelToken = Object.freeze({ id: 0 });

/** What a token cancels. */
export interface Cancellable {
  /** The token was cancelled. */
  onCancel(reason: unknown): void;
}

interface TokenState {
  readonly covered: Set<Cancellable>;
  isCancelled: boolean;
  reason: unknown;
  /** When it was cancelled, else when it was last used. */
  touchedAt: number;
}

/** The tokens of one node. */
export class CancelTokens {
  readonly #clock: Clock;
  /** Least recently touched first. */
  readonly #states = new Map<number, TokenState>();
  #nextId = 1;
  #stopSweep: (() => void) | undefined;
  #isStopped = false;
  /** Tokens forgotten because too many were known. */
  forgotten = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Tokens that something is known of. */
  get size(): number {
    return this.#states.size;
  }

  /** A new token. */
  create(): CancelToken {
    return Object.freeze({ id: this.#nextId++ });
  }

  /**
   * Cancels every call that the token covers; kept for {@linkcode CANCEL_KEPT_MS} for calls that are yet to
   * come, unless it had calls and all of them are over.
   */
  cancel(token: CancelToken, reason?: unknown): void {
    if (token.id === 0 || this.#isStopped) return;
    const state = this.#states.get(token.id);
    if (state === undefined) {
      this.#touch(token.id, {
        covered: new Set(),
        isCancelled: true,
        reason,
        touchedAt: this.#clock.now(),
      });
      return;
    }
    if (state.isCancelled || state.covered.size === 0) return;
    state.isCancelled = true;
    state.reason = reason;
    this.#touch(token.id, state);
    for (const call of [...state.covered]) call.onCancel(reason);
  }

  /**
   * Covers a call from now on. One that comes after the cancel is cancelled during this.
   *
   * @returns False when it was cancelled.
   */
  register(token: CancelToken, call: Cancellable): boolean {
    if (token.id === 0 || this.#isStopped) return true;
    let state = this.#states.get(token.id);
    if (state?.isCancelled) {
      if (this.#clock.now() - state.touchedAt < CANCEL_KEPT_MS) {
        call.onCancel(state.reason);
        return false;
      }
      state = undefined;
    }
    state ??= { covered: new Set(), isCancelled: false, reason: undefined, touchedAt: 0 };
    state.covered.add(call);
    this.#touch(token.id, state);
    return true;
  }

  /** The call is over; nothing happens when it was not covered. */
  release(token: CancelToken, call: Cancellable): void {
    const state = this.#states.get(token.id);
    if (state === undefined || !state.covered.delete(call)) return;
    if (state.covered.size === 0 && !state.isCancelled) this.#touch(token.id, state);
  }

  /** Forgets everything, for good. */
  stop(): void {
    this.#isStopped = true;
    this.#stopSweep?.();
    this.#stopSweep = undefined;
    this.#states.clear();
  }

  #touch(id: number, state: TokenState): void {
    state.touchedAt = this.#clock.now();
    this.#states.delete(id);
    this.#states.set(id, state);
    if (this.#states.size > CANCEL_TOKENS_MAX) this.#forgetOldest();
    this.#stopSweep ??= this.#clock.after(CANCEL_SWEEP_MS, () => this.#sweep());
  }

  #forgetOldest(): void {
    for (const [id, state] of this.#states) {
      if (state.covered.size > 0) continue;
      this.#states.delete(id);
      this.forgotten += 1;
      return;
    }
  }

  #sweep(): void {
    this.#stopSweep = undefined;
    const before = this.#clock.now() - CANCEL_KEPT_MS;
    for (const [id, state] of this.#states) {
      if (state.touchedAt > before) break;
      if (state.covered.size === 0) this.#states.delete(id);
    }
    if (this.#states.size === 0) return;
    this.#stopSweep = this.#clock.after(CANCEL_SWEEP_MS, () => this.#sweep());
  }
}
