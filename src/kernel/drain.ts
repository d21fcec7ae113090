/**
 * The drain of a node: new work is refused, what is under way ends (`validation.md` 1.3).
 *
 * Each way in through which work comes is a part of it. Whether the node answers for its health does not depend on
 * a drain.
 */
import { type Clock, repeat } from "../base/mod.ts";

/** How often parts are looked at while somebody waits for them. */
export const DRAIN_POLL_MS = 10;

/** A way in through which work comes. */
export interface DrainPart {
  readonly name: string;
  /** Refuses new work from now on; idempotent. Left out by a part that looks itself whether the node drains. */
  begin?(): void;
  /** Takes new work again; idempotent. */
  resume?(): void;
  /** Work under way that a drain waits for. */
  inFlight(): number;
}

/** `open` takes work; `draining` has some under way; `drained` has none any more. */
export type DrainPhase = "open" | "draining" | "drained";

/** A drain now. */
export interface DrainReport {
  readonly phase: DrainPhase;
  /** What is under way, all parts together. */
  readonly inFlight: number;
  /** The same by part, those with work only. */
  readonly inFlightByPart: Readonly<Record<string, number>>;
  /** When the last of it ended, in milliseconds since the Unix epoch; `undefined` before. */
  readonly drainedAtMs: number | undefined;
}

/** The drain of one node. */
export class Drain {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #parts = new Set<DrainPart>();
  #hasBegun = false;
  #drainedAtMs: number | undefined;

  /** @param onChange Called when it begins, when all is done, and when it is taken back. */
  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Adds a way in; what comes while a drain is under way begins with it. The result takes it away. */
  add(part: DrainPart): () => void {
    this.#parts.add(part);
    if (this.#hasBegun) part.begin?.();
    return () => void this.#parts.delete(part);
  }

  /** True from its beginning until it is taken back. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** What is under way. */
  report(): DrainReport {
    const inFlightByPart: Record<string, number> = {};
    let inFlight = 0;
    for (const part of this.#parts) {
      const count = part.inFlight();
      if (count > 0) inFlightByPart[part.name] = count;
      inFlight += count;
    }
    if (this.#hasBegun && inFlight === 0 && this.#drainedAtMs === undefined) {
      this.#drainedAtMs = this.#clock.wallMs();
      this.#onChange();
    }
    const phase = !this.#hasBegun
      ? "open"
      : this.#drainedAtMs === undefined
      ? "draining"
      : "drained";
    return { phase, inFlight, inFlightByPart, drainedAtMs: this.#drainedAtMs };
  }

  /** Refuses new work from now on; idempotent. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    for (const part of this.#parts) part.begin?.();
    this.#onChange();
  }

  /** Takes new work again; idempotent. */
  resume(): void {
    if (!this.#hasBegun) return;
    this.#hasBegun = false;
    this.#drainedAtMs = undefined;
    for (const part of this.#parts) part.resume?.();
    this.#onChange();
  }

  /**
   * Waits until nothing is under way, at most `timeoutMs`, or until the drain is taken back.
   *
   * @param options.signal Ends the waiting early; the drain goes on.
   */
  async wait(
    timeoutMs: number,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<DrainReport> {
    const { signal } = options;
    const first = this.report();
    if (first.phase !== "draining" || timeoutMs <= 0 || signal?.aborted === true) return first;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => resolve();
    const stopLooking = repeat(this.#clock, DRAIN_POLL_MS, () => {
      if (this.report().phase !== "draining") end();
    });
    const cancel = this.#clock.after(timeoutMs, end);
    signal?.addEventListener("abort", end);
    try {
      await promise;
    } finally {
      stopLooking();
      cancel();
      signal?.removeEventListener("abort", end);
    }
    return this.report();
  }
}
