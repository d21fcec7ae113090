/**
 * One shard: a ring that events wait in, and the hand that takes batches out of it and gives them to the
 * adapter, one at a time, so that the order of a shard is kept (`storage.md` 2.3).
 */
import type { Log } from "../../observe/mod.ts";
import { BatchTarget } from "./batch_target.ts";
import type { BusConfig } from "./config.ts";
import { aborted, dispatchBatch, type DispatchDeps } from "./dispatch.ts";
import type { BusError } from "./error.ts";
import { PackedBatch } from "./packed_batch.ts";
import { SegmentRing } from "./segment_ring.ts";
import { ShardClock } from "./shard_clock.ts";
import type { ShardState } from "./types.ts";

/** From here on a ring that samples thins what comes. */
const SAMPLE_FROM = 0.75;

/** What a shard needs. */
export interface ShardDeps extends DispatchDeps {
  readonly log: Log;
  readonly config: BusConfig;
  readonly producerNonce: bigint;
  /** Where batches of each shard begin to be numbered. */
  readonly firstSequence: bigint;
}

interface FlushWaiter {
  /** All events before this one are waited for. */
  readonly mark: number;
  readonly promise: Promise<BusError | undefined>;
  readonly resolve: (failure: BusError | undefined) => void;
  /** What the adapter said of a part of them. */
  failure: BusError | undefined;
}

/** What a push did with an event. */
export type PushResult = "taken" | "full" | "sampled";

/** A ring with its worker. */
export class Shard {
  readonly id: number;
  readonly ring: SegmentRing;
  readonly clock: ShardClock;
  readonly target: BatchTarget;
  state: ShardState = "stopped";
  /** Events taken in, ever. */
  ingested = 0;
  /** Events lost, ever: evicted, in a batch that the adapter refused, or left over at the end. */
  dropped = 0;
  dispatched = 0;
  batches = 0;
  /** How long the last batch took, in milliseconds. */
  flushMs = 0;
  /** When an event came last. */
  pushedAtMs: number;
  readonly #deps: ShardDeps;
  readonly #abort = new AbortController();
  /** Number of the next batch's first event. */
  #sequence: bigint;
  /** Events of the batch that is on its way, and which of all events is its first. */
  #inFlight = 0;
  #inFlightFrom = 0;
  #isRunning = false;
  #isScheduled = false;
  #isFinal = false;
  /** The oldest event has waited as long as it may. */
  #isTimeUp = false;
  #cancelTimer: (() => void) | undefined;
  /** Up to here batches leave without waiting for more. */
  #flushMark = 0;
  #waiters: FlushWaiter[] = [];
  #sampleCount = 0;

  constructor(deps: ShardDeps, id: number) {
    this.#deps = deps;
    this.id = id;
    this.#sequence = deps.firstSequence;
    const { ringSlots, ringBytesMax, batch } = deps.config;
    this.ring = new SegmentRing(ringSlots, ringBytesMax);
    this.pushedAtMs = deps.clock.now();
    this.clock = new ShardClock(this.pushedAtMs);
    this.target = new BatchTarget(batch);
  }

  /** Events that wait, or are on their way. */
  get waiting(): number {
    return this.ring.length + this.#inFlight;
  }

  /** Takes an event in, or says why not; its time is the shard clock's last afterwards. */
  push(raw: Uint8Array, nowMs: number): PushResult {
    const { backpressure } = this.#deps.config;
    const { ring } = this;
    const isThinned = backpressure.kind === "sample" && ring.fill >= SAMPLE_FROM;
    if (isThinned || !ring.hasRoom(raw.length)) this.#handOverNow();
    if (backpressure.kind === "sample" && ring.fill >= SAMPLE_FROM) {
      if (this.#sampleCount++ % backpressure.rate !== 0 || !ring.hasRoom(raw.length)) {
        return "sampled";
      }
    } else if (!ring.hasRoom(raw.length)) {
      if (backpressure.kind !== "drop-oldest") return "full";
      do {
        ring.evict();
        this.#lose(1);
      } while (!ring.hasRoom(raw.length));
      this.#answerWaiters();
    }
    this.clock.next(nowMs);
    ring.push(raw, this.clock.high, this.clock.low);
    this.ingested += 1;
    this.pushedAtMs = nowMs;
    return "taken";
  }

  /** Sees to it that what was pushed leaves in time; called behind one push or many. */
  wake(nowMs: number): void {
    this.target.note(nowMs, this.ingested);
    this.#handOverNow();
    if (this.#isRunning || this.#isScheduled || this.ring.length === 0) return;
    if (this.#isFull() || this.#isFinal || this.#head() < this.#flushMark) return this.#schedule();
    if (this.#cancelTimer !== undefined) return;
    const waitMs = this.#deps.config.batch.delayMaxMs - this.#oldestAgeMs(nowMs);
    this.#cancelTimer = this.#deps.clock.after(Math.max(0, waitMs), () => {
      this.#cancelTimer = undefined;
      this.#isTimeUp = true;
      void this.#run();
    });
  }

  /**
   * Resolves when all that was taken in before this call was handed over, or lost; with the adapter's error when
   * it refused some of it. What comes later leaves in later batches.
   */
  flush(): Promise<BusError | undefined> {
    const mark = this.ingested;
    if (this.#settled() >= mark) return Promise.resolve(undefined);
    this.#flushMark = mark;
    const last = this.#waiters[this.#waiters.length - 1];
    if (last?.mark === mark) return last.promise;
    const { promise, resolve } = Promise.withResolvers<BusError | undefined>();
    this.#waiters.push({ mark, promise, resolve, failure: undefined });
    this.wake(this.#deps.clock.now());
    return promise;
  }

  /** Hands over all there is without waiting for more, now and from now on; resolves when nothing is left. */
  async finish(): Promise<void> {
    this.#isFinal = true;
    while (this.waiting > 0) await this.flush();
  }

  /** Takes nothing out any more; what is left, on its way too, is lost. How much that was. */
  abandon(): number {
    this.state = "stopped";
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const left = this.waiting;
    this.ring.clear();
    this.#inFlight = 0;
    this.#lose(left);
    this.#abort.abort(aborted());
    this.#answerWaiters(left === 0 ? undefined : aborted());
    return left;
  }

  /** Comes back after it was stopped; numbers and times go on. */
  revive(): void {
    this.#isFinal = false;
    this.state = "active";
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#deps.clock.soon(() => {
      this.#isScheduled = false;
      void this.#run();
    });
  }

  /** Hands over full batches at once, to an adapter that takes them so: a producer need not let go for that. */
  #handOverNow(): void {
    const { adapter } = this.#deps;
    if (adapter.writeNow === undefined || this.#abort.signal.aborted) return;
    while (!this.#isRunning && this.#isFull()) {
      const batch = this.#takeBatch();
      const startMs = this.#deps.clock.now();
      let isTaken = false;
      try {
        isTaken = adapter.writeNow(batch);
      } catch {
        // What went wrong shows again with the tries that follow.
      }
      if (isTaken) this.#settle(batch, startMs, undefined);
      else void this.#run(batch);
    }
  }

  /** Hands over what is due, first of all this batch; there is one run at a time. */
  async #run(first?: PackedBatch): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { clock } = this.#deps;
    if (first !== undefined) await this.#handOver(first);
    while (this.#isDue(clock.now()) && !this.#abort.signal.aborted) {
      await this.#handOver(this.#takeBatch());
    }
    this.#isRunning = false;
    if (!this.#abort.signal.aborted) this.wake(clock.now());
  }

  #takeBatch(): PackedBatch {
    this.#isTimeUp = false;
    this.#inFlightFrom = this.#head();
    const parts = this.ring.take(this.#batchSize());
    const batch = new PackedBatch(this.id, parts, this.#sequence, this.#deps.producerNonce);
    this.#sequence += BigInt(batch.count);
    this.#inFlight = batch.count;
    return batch;
  }

  async #handOver(batch: PackedBatch): Promise<void> {
    const { clock, config } = this.#deps;
    const startMs = clock.now();
    const failure = await dispatchBatch(this.#deps, batch, {
      retries: config.adapterRetries,
      timeoutMs: config.adapterTimeoutMs,
      signal: this.#abort.signal,
    });
    // Otherwise the bus gave it up meanwhile, and counted it.
    if (this.#inFlight > 0) this.#settle(batch, startMs, failure);
  }

  #settle(batch: PackedBatch, startMs: number, failure: BusError | undefined): void {
    const { clock, config, log } = this.#deps;
    this.#inFlight = 0;
    this.flushMs = clock.now() - startMs;
    if (failure === undefined) {
      this.dispatched += batch.count;
      this.batches += 1;
      this.ring.giveBack(batch.parts, batch.release());
    } else {
      // A try that ran out of time may still go on, and look at its batch.
      this.ring.giveBack(batch.parts, false);
      this.#lose(batch.count);
      log.error("bus_batch_lost", {
        bus: config.name,
        shard: this.id,
        events: batch.count,
        error: failure.message,
      });
    }
    this.#answerWaiters(failure);
  }

  /** As many as are due: up to a flush they go alone, so that what came later delays nobody. */
  #batchSize(): number {
    const { eventsMax } = this.#deps.config.batch;
    const toMark = this.#flushMark - this.#head();
    if (this.#isFinal) return eventsMax;
    if (toMark > 0) return Math.min(toMark, eventsMax);
    return this.ring.length >= this.target.size
      ? Math.min(Math.max(this.target.size, 1), eventsMax)
      : eventsMax;
  }

  #isDue(nowMs: number): boolean {
    if (this.ring.length === 0) return false;
    return this.#isFinal || this.#isTimeUp || this.#isFull() || this.#head() < this.#flushMark ||
      this.#oldestAgeMs(nowMs) >= this.#deps.config.batch.delayMaxMs;
  }

  #isFull(): boolean {
    return this.ring.length >= this.target.size;
  }

  #oldestAgeMs(nowMs: number): number {
    // Events of one moment have times a little ahead of it.
    return Math.max(0, this.clock.since(nowMs) - this.ring.oldestTs) / 1e6;
  }

  /** Which event, counted from the first ever, is the oldest in the ring. */
  #head(): number {
    return this.ingested - this.ring.length;
  }

  /** Up to which event all were handed over or lost. */
  #settled(): number {
    return this.#inFlight > 0 ? this.#inFlightFrom : this.#head();
  }

  #lose(events: number): void {
    this.dropped += events;
  }

  #answerWaiters(failure?: BusError): void {
    if (this.#waiters.length === 0) return;
    const settled = this.#settled();
    // Whoever still waits waits for events of this batch too: it was the oldest.
    for (const waiter of this.#waiters) waiter.failure ??= failure;
    const done = this.#waiters.filter(({ mark }) => mark <= settled);
    this.#waiters = this.#waiters.filter(({ mark }) => mark > settled);
    for (const waiter of done) waiter.resolve(waiter.failure);
  }
}
