/**
 * The answering side of measurements: one run at a time, bounded in time and bytes, for those who may.
 */
import type { Clock } from "../../base/mod.ts";
import { benchWindowBytes, LEASE_MS, RUN_BYTES_MAX, RUN_MS_MAX, STEPS_MAX } from "./limits.ts";
import { type BenchLink, receiveStep, sendStep, type StepSide } from "./traffic.ts";
import {
  BENCH_STREAM_ID,
  BENCH_SUBPROTOCOL,
  type BenchAnswer,
  type BenchQuestion,
  type BenchRefusal,
  type BenchStep,
  encodeBenchMessage,
} from "./wire.ts";

/** Whose measurements a node takes part in: of peers that proved who they are, of any, of none. */
export type BenchPolicy = "proven" | "any" | "off";

/** What {@linkcode BenchResponder} needs. */
export interface BenchResponderDeps {
  readonly link: BenchLink;
  readonly clock: Clock;
  readonly policy: BenchPolicy;
  /** True while this node measures itself. */
  readonly isMeasuring: () => boolean;
}

/** Counters of the answering side. */
export interface BenchCounters {
  runs_served_total: number;
  runs_refused_total: number;
  /** Ended by their asker's silence or because their time was over. */
  runs_expired_total: number;
  echoes_total: number;
}

interface Run {
  readonly peer: bigint;
  readonly id: number;
  readonly endsAt: number;
  heardAt: number;
  step: number;
  side: StepSide | undefined;
  bytesLeft: number;
}

/** Answers measurements. */
export class BenchResponder {
  readonly counters: BenchCounters = {
    runs_served_total: 0,
    runs_refused_total: 0,
    runs_expired_total: 0,
    echoes_total: 0,
  };
  readonly #deps: BenchResponderDeps;
  #run: Run | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(deps: BenchResponderDeps) {
    this.#deps = deps;
  }

  /** True while somebody measures with this node. */
  get isServing(): boolean {
    return this.#run !== undefined;
  }

  /** Answers one message. */
  receive(from: bigint, message: BenchQuestion): void {
    const { run: id, step } = message;
    if (message.kind === "open") return this.#open(from, id, message.runMs);
    const run = this.#run;
    const isCurrent = run?.peer === from && run.id === id;
    if (message.kind === "close") {
      if (isCurrent) this.#end();
      return this.#send(from, { kind: "closed", run: id, step });
    }
    if (run === undefined || !isCurrent) {
      if (message.kind !== "echo") this.#refuse(from, id, step, "no_run");
      return;
    }
    run.heardAt = this.#deps.clock.now();
    switch (message.kind) {
      case "echo":
        this.counters.echoes_total += 1;
        return this.#send(from, { ...message, kind: "echoed" });
      case "step":
        return this.#step(run, step, message.spec);
      case "ask":
        if (run.side === undefined || run.step !== step) {
          return this.#refuse(from, id, step, "no_run");
        }
        return this.#send(from, { kind: "figures", run: id, step, figures: run.side.figures() });
    }
  }

  /** The peer is gone, and with it its run. */
  onPeerLost(peer: bigint): void {
    if (this.#run?.peer === peer) this.#end();
  }

  /** Ends what is running; idempotent. */
  stop(): void {
    this.#end();
  }

  #open(from: bigint, id: number, runMs: number): void {
    const { clock } = this.#deps;
    const run = this.#run;
    if (run?.peer !== from || run.id !== id) {
      const reason = this.#reasonAgainst(from, runMs);
      if (reason !== undefined) return this.#refuse(from, id, 0, reason);
      // The peer's own run of before is one that it gave up.
      this.#end();
      const now = clock.now();
      this.#run = {
        peer: from,
        id,
        endsAt: now + runMs,
        heardAt: now,
        step: 0,
        side: undefined,
        bytesLeft: RUN_BYTES_MAX,
      };
      this.counters.runs_served_total += 1;
      this.#watch();
    }
    this.#send(from, { kind: "opened", run: id, step: 0 });
  }

  #reasonAgainst(from: bigint, runMs: number): BenchRefusal | undefined {
    const { link, policy, isMeasuring } = this.#deps;
    if (policy === "off") return "off";
    if (policy === "proven" && link.peer(from)?.isSealed !== true) return "not_proven";
    if (runMs > RUN_MS_MAX) return "limits";
    const isTaken = this.#run !== undefined && this.#run.peer !== from;
    return isTaken || isMeasuring() ? "busy" : undefined;
  }

  #step(run: Run, step: number, spec: BenchStep): void {
    const { link, clock } = this.#deps;
    const { peer, id } = run;
    if (step < run.step) return;
    if (step > run.step) {
      const { streams, windowBytes } = spec;
      if (step > STEPS_MAX || windowBytes > benchWindowBytes(streams)) {
        return this.#refuse(peer, id, step, "limits");
      }
      this.#endSide(run);
      run.step = step;
      const durationMs = Math.min(spec.durationMs, Math.max(0, run.endsAt - clock.now()));
      const place = { link, clock, peer, run: id, step, spec: { ...spec, durationMs } };
      run.side = spec.way === "out" ? receiveStep(place) : sendStep(place, run.bytesLeft);
    }
    this.#send(peer, { kind: "started", run: id, step });
  }

  /** Ends the run when its asker fell silent or its time is over. */
  #watch(): void {
    const { clock } = this.#deps;
    const run = this.#run;
    if (run === undefined) return;
    const overAt = Math.min(run.endsAt, run.heardAt + LEASE_MS);
    this.#cancelTimer = clock.after(Math.max(0, overAt - clock.now()), () => {
      if (clock.now() < Math.min(run.endsAt, run.heardAt + LEASE_MS)) return this.#watch();
      this.counters.runs_expired_total += 1;
      this.#end();
    });
  }

  #end(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#run !== undefined) this.#endSide(this.#run);
    this.#run = undefined;
  }

  #endSide(run: Run): void {
    if (run.side === undefined) return;
    run.side.end();
    run.bytesLeft -= run.side.figures().bytes;
    run.side = undefined;
  }

  #refuse(peer: bigint, run: number, step: number, reason: BenchRefusal): void {
    this.counters.runs_refused_total += 1;
    this.#send(peer, { kind: "refused", run, step, reason });
  }

  #send(peer: bigint, message: BenchAnswer): void {
    const bytes = encodeBenchMessage(message);
    this.#deps.link.sendMessage(peer, BENCH_SUBPROTOCOL, BENCH_STREAM_ID, bytes);
  }
}
