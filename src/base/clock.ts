/** Time and chance are handed in, so that protocol code can be run by a simulator. */

/** A source of time and wake-ups. */
export interface Clock {
  /** Milliseconds that never go backwards; the origin is arbitrary. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  wallMs(): number;
  /** Calls `action` once after at least `delayMs`; the result cancels it. */
  after(delayMs: number, action: () => void): () => void;
  /** Calls `action` as soon as pending input was handled, without a timer's delay. */
  soon(action: () => void): void;
}

/** A source of unpredictable bytes. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  soon: (action) => {
    setImmediate(action);
  },
};

/** The machine's own randomness. */
export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));
