/**
 * A state and how far it has come: takes what the log gives, in order, and keeps the watermarks.
 *
 * It knows no log, timers or readers. What cannot be used is set aside and the fold goes on; what stops
 * it is a model that fails otherwise, and events that nobody has any more, unless the policy says to go on.
 */
import type { Clock } from "../../base/mod.ts";
import type { RecordRun, RedexLag, TailItem } from "../../log/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { AppCounter } from "./app_counter.ts";
import type { CortexMetrics } from "./cortex_metrics.ts";
import { checksumReason, EventChecker, RunChecker, shortReason } from "./event_meta.ts";
import { FoldDecodeError } from "./fold_error.ts";
import { LogEvent } from "./log_event.ts";
import { SetAside } from "./set_aside.ts";
import type { FoldModel } from "./types.ts";

/**
 * What becomes of a fold whose model throws anything but FoldDecodeError, or whose events were removed by
 * retention before they were seen: it stops, or it counts, reports and goes on.
 */
export type FoldErrorPolicy = "stop" | "continue";

/** What a fold needs. */
export interface FoldDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: CortexMetrics;
  readonly counter: AppCounter;
}

/** Where a fold begins. */
export interface FoldStart<State> {
  readonly state: State;
  /** First event to take. */
  readonly next: number;
  /** Last event that is in the state already. */
  readonly applied: number | undefined;
}

const runChecker = new RunChecker();

/** A fold in progress. Numbers of events are plain numbers here. */
export class Fold<State> {
  readonly state: State;
  readonly setAside: SetAside;
  readonly #model: FoldModel<State>;
  readonly #policy: FoldErrorPolicy;
  readonly #deps: FoldDeps;
  readonly #checker = new EventChecker();
  #next: number;
  #folded: number | undefined;
  #applied: number | undefined;
  #failure: string | undefined;
  #missed = 0;
  #version = 0;
  #isApplying = false;

  constructor(
    deps: FoldDeps,
    model: FoldModel<State>,
    policy: FoldErrorPolicy,
    start: FoldStart<State>,
  ) {
    this.#deps = deps;
    this.#model = model;
    this.#policy = policy;
    this.state = start.state;
    this.#next = start.next;
    this.#folded = this.#applied = start.applied;
    this.setAside = new SetAside(deps.clock, deps.log);
  }

  /** Number of the event that is expected. */
  get next(): number {
    return this.#next;
  }

  /** Last event seen, the one that stopped the fold included. */
  get folded(): number | undefined {
    return this.#folded;
  }

  /** Last event that is in the state or was set aside. */
  get applied(): number | undefined {
    return this.#applied;
  }

  /** Why it stopped. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Events that retention took before they were seen. */
  get missed(): number {
    return this.#missed;
  }

  /** Grows with every event that changed the state. */
  get version(): number {
    return this.#version;
  }

  /** True while the model is at work: then nothing can be folded. */
  get isApplying(): boolean {
    return this.#isApplying;
  }

  /** Takes what a tail gave; what was seen before is passed over. */
  take(items: readonly TailItem[]): void {
    for (const item of items) {
      if (this.#failure !== undefined) return;
      if (item.kind === "event") {
        const seq = Number(item.seq);
        if (seq < this.#next) continue;
        this.#takeEvent(seq, item.payload);
      } else if (Number(item.to) >= this.#next) {
        const from = Math.max(Number(item.from), this.#next);
        this.takeLag(from, Number(item.to), item.reason);
      }
    }
  }

  /** Takes a piece of the log that begins with the expected event. */
  takeRun({ firstSeq, count, bytes, starts }: RecordRun): void {
    runChecker.load(bytes);
    for (let i = 0; i < count && this.#failure === undefined; i++) {
      // The same event is not taken twice, whatever a log gives.
      if (firstSeq + i < this.#next) continue;
      const [start, end] = [starts[i] as number, starts[i + 1] as number];
      this.#takeChecked(firstSeq + i, runChecker.check(start, end), bytes, start, end);
    }
  }

  /** Takes an event of ours that has just been appended as the next one: its bytes need no check. */
  takeOwn(seq: bigint, payload: Uint8Array): void {
    this.#apply(Number(seq), new LogEvent(Number(seq), payload));
  }

  /** Goes on behind numbers that nobody has an event for, or stops. */
  takeLag(from: number, to: number, reason: RedexLag["reason"]): void {
    // No event ever had these numbers, or none that could be read.
    if (reason === "skipped") return this.#pass(to);
    const count = to - from + 1;
    if (reason === "damage") {
      this.setAside.add(from, undefined, "its record in the log is damaged", count);
      this.#deps.metrics.setAsideTotal += count;
      this.#pass(to);
      return;
    }
    this.#missed += count;
    this.#deps.metrics.missedTotal += count;
    if (this.#policy === "stop") {
      this.halt(`retention removed events ${from} to ${to} before they were folded`);
      return;
    }
    this.#deps.log.warn("cortex_events_missed", { from, to, count });
    this.#pass(to);
  }

  /** Stops for good. */
  halt(reason: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#deps.metrics.haltsTotal += 1;
    this.setAside.report();
    this.#deps.log.error("cortex_fold_stopped", { reason, applied: this.#applied });
  }

  #takeEvent(seq: number, payload: Uint8Array): void {
    this.#takeChecked(seq, this.#checker.check(payload), payload, 0, payload.length);
  }

  #takeChecked(
    seq: number,
    check: ReturnType<EventChecker["check"]>,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (check === "short") {
      this.#putAside(seq, undefined, shortReason(bytes.subarray(start, end)));
      return;
    }
    // Also of events that cannot be read, so that their count is not given again.
    this.#deps.counter.note(bytes, start);
    if (check === "wrong") {
      this.#putAside(seq, bytes[start], checksumReason(bytes.subarray(start, end)));
      return;
    }
    this.#apply(seq, new LogEvent(seq, bytes, start, end));
  }

  #apply(seq: number, event: LogEvent): void {
    this.#isApplying = true;
    try {
      if (this.#model.apply(this.state, event)) this.#version += 1;
    } catch (error) {
      this.#fail(seq, event, error);
      return;
    } finally {
      this.#isApplying = false;
    }
    this.#deps.metrics.foldedTotal += 1;
    this.#pass(seq);
  }

  #fail(seq: number, event: LogEvent, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof FoldDecodeError) {
      this.#putAside(seq, event.dispatch, message);
      return;
    }
    // The model may have done a part of its work.
    this.#version += 1;
    if (this.#policy === "continue") {
      this.#putAside(seq, event.dispatch, `model failed: ${message}`);
      return;
    }
    this.#folded = seq;
    this.halt(`event ${seq} with dispatch ${event.dispatch}: model failed: ${message}`);
  }

  #putAside(seq: number, dispatch: number | undefined, reason: string): void {
    this.setAside.add(seq, dispatch, reason);
    this.#deps.metrics.setAsideTotal += 1;
    this.#pass(seq);
  }

  #pass(seq: number): void {
    this.#folded = this.#applied = seq;
    this.#next = seq + 1;
  }
}
