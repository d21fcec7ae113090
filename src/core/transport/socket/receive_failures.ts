/**
 * What a socket does when receiving fails (promise 97): a few times it just tries again, because errors
 * of earlier sends surface there; then it waits, longer each time; at last the socket counts as broken.
 */

/** Failures in a row without a pause. */
const IMMEDIATE_MAX = 16;
const PAUSE_MIN_MS = 1;
const PAUSE_MAX_MS = 1_000;
/** With pauses of 1, 2, 4 … 1,000 ms this many failures in a row take half a minute. */
const FAILURES_MAX = IMMEDIATE_MAX + 40;

/** Counts failures in a row of one socket and waits between them. */
export class ReceiveFailures {
  #inRow = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #resolve: (() => void) | undefined;
  readonly #wait: (ms: number) => Promise<void>;

  /** @param wait Waits; a timer when left out. */
  constructor(wait?: (ms: number) => Promise<void>) {
    this.#wait = wait ?? ((ms) =>
      new Promise((resolve) => {
        this.#resolve = resolve;
        this.#timer = setTimeout(resolve, ms);
      }));
  }

  /** Something was received. */
  onReceived(): void {
    this.#inRow = 0;
  }

  /**
   * Receiving failed; resolves when it is worth another try.
   *
   * @returns False when it is not: the socket is broken.
   */
  async onFailure(): Promise<boolean> {
    this.#inRow += 1;
    if (this.#inRow > FAILURES_MAX) return false;
    const paused = this.#inRow - IMMEDIATE_MAX;
    if (paused > 0) await this.#wait(Math.min(PAUSE_MIN_MS * 2 ** (paused - 1), PAUSE_MAX_MS));
    return true;
  }

  /** Ends a pause: the socket is being closed. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#resolve?.();
  }
}
