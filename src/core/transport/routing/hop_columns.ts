/** Neighbours as routing sees them: id, state and number of routes, in columns by peer slot. */

import { lengthFor, widen } from "../columns.ts";

/** No neighbour. */
export const NO_HOP = -1;

/** How a neighbour is, as far as routing cares. */
export const HopState = { Absent: 0, Live: 1, Suspected: 2, Failed: 3 } as const;
/** A value of the table of the same name. */
export type HopState = (typeof HopState)[keyof typeof HopState];

const STATES: readonly HopState[] = [
  HopState.Absent,
  HopState.Live,
  HopState.Suspected,
  HopState.Failed,
];

/** Columns of neighbours; they grow to the highest slot that was ever added. */
export class HopColumns {
  #state = new Uint8Array(64);
  #low = new Uint32Array(64);
  #high = new Uint32Array(64);
  #routes = new Uint32Array(64);

  /** Makes a neighbour known and live. */
  add(hop: number, low: number, high: number): void {
    this.#grow(hop);
    this.#state[hop] = HopState.Live;
    this.#low[hop] = low;
    this.#high[hop] = high;
  }

  /** State of a neighbour; slots out of range are absent. */
  state(hop: number): HopState {
    return STATES[this.#state[hop] ?? 0] ?? HopState.Absent;
  }

  /** Sets the state of a known neighbour. */
  setState(hop: number, state: HopState): void {
    if (this.state(hop) !== HopState.Absent) this.#state[hop] = state;
  }

  /** Low half of the neighbour's id. */
  low(hop: number): number {
    return this.#low[hop] ?? 0;
  }

  /** High half of the neighbour's id. */
  high(hop: number): number {
    return this.#high[hop] ?? 0;
  }

  /** True when this is the neighbour's id. */
  isNode(hop: number, low: number, high: number): boolean {
    return this.#low[hop] === low && this.#high[hop] === high;
  }

  /** Candidates of routes that lead through the neighbour. */
  routes(hop: number): number {
    return this.#routes[hop] ?? 0;
  }

  /** Counts one candidate more. */
  gainRoute(hop: number): void {
    this.#routes[hop] = this.routes(hop) + 1;
  }

  /** Counts one candidate less. */
  loseRoute(hop: number): void {
    this.#routes[hop] = Math.max(0, this.routes(hop) - 1);
  }

  #grow(hop: number): void {
    if (hop < this.#state.length) return;
    const length = lengthFor(hop, this.#state.length);
    this.#state = widen(this.#state, new Uint8Array(length));
    this.#low = widen(this.#low, new Uint32Array(length));
    this.#high = widen(this.#high, new Uint32Array(length));
    this.#routes = widen(this.#routes, new Uint32Array(length));
  }
}
