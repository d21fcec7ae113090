/**
 * What a measurement consists of, and how its figures are put together: round trips first, then events of
 * each size out and in.
 */
import { type Clock, NetError } from "../../base/mod.ts";
import type { BenchAsker, EchoFigures } from "./asker.ts";
import {
  BENCH_EVENT_BYTES_MAX,
  benchWindowBytes,
  LOOK_MS,
  RUN_BYTES_MAX,
  RUN_MS_MAX,
  RUN_SLACK_MS,
  STREAMS_MAX,
} from "./limits.ts";
import { type BenchLink, receiveStep, sendStep, type StepPlace } from "./traffic.ts";
import type { BenchFigures, BenchStep, BenchWay } from "./wire.ts";

/** Options of a measurement. */
export interface BenchOptions {
  /** Seconds of each step; 2 when left out. */
  readonly seconds?: number;
  /** Bytes of an event; 64, 1,024 and the largest possible when left out. */
  readonly size?: number;
  /** Streams that events are spread over; 1 when left out. */
  readonly streams?: number;
}

/** How a measurement goes, told while it runs. */
export interface BenchProgress {
  readonly step: number;
  readonly steps: number;
  /** `round_trip`, or the way of the events. */
  readonly what: "round_trip" | BenchWay;
  readonly size: number;
  /** Events received so far. */
  readonly events: number;
  readonly seconds: number;
}

/** Round trips of small messages, one at a time. */
export interface RoundTripReport {
  readonly size: number;
  readonly sent: number;
  readonly received: number;
  /** 0..1. */
  readonly loss: number;
  /** Milliseconds; `undefined` when none came back. */
  readonly times: { readonly min: number; readonly p50: number; readonly p99: number } | undefined;
}

/** Events of one size in one direction. */
export interface TrafficReport {
  readonly way: BenchWay;
  readonly size: number;
  /** Events that reached the application of the receiving side, and the time from the first to the last. */
  readonly events: number;
  readonly seconds: number;
  readonly eventsPerSecond: number | undefined;
  readonly bytesPerSecond: number | undefined;
  /** Packets sent, without those sent again. */
  readonly packets: number;
  readonly resent: number;
  /** Sent, first or again, and not arrived. */
  readonly lost: number;
  /** Arrived more than once. */
  readonly duplicates: number;
  /** False when a stream was given up before everything sent had arrived. */
  readonly isComplete: boolean;
}

/** Everything a run measured. */
export interface BenchReport {
  readonly secondsPerStep: number;
  readonly streams: number;
  readonly roundTrip: RoundTripReport;
  readonly traffic: readonly TrafficReport[];
}

const SECONDS = 2;
const ECHO_BYTES = 64;
const SIZES: readonly number[] = [64, 1_024, BENCH_EVENT_BYTES_MAX];

/** A measurement that fits the bounds. */
export interface BenchPlan {
  readonly durationMs: number;
  readonly sizes: readonly number[];
  readonly streams: number;
  /** Time that is asked for. */
  readonly runMs: number;
}

/**
 * Plans a measurement.
 *
 * @throws NetError `usage` for options out of bounds.
 */
export function planBench(options: BenchOptions): BenchPlan {
  const { seconds = SECONDS, size, streams = 1 } = options;
  const sizes = size === undefined ? SIZES : [size];
  const steps = 1 + 2 * sizes.length;
  const secondsMax = Math.floor((RUN_MS_MAX - RUN_SLACK_MS) / steps / 100) / 10;
  requireWithin("--seconds", seconds, 0.1, secondsMax);
  if (size !== undefined) requireWithin("--size", size, 1, BENCH_EVENT_BYTES_MAX);
  requireWithin("--streams", streams, 1, STREAMS_MAX);
  const durationMs = Math.round(seconds * 1000);
  return { durationMs, sizes, streams, runMs: steps * durationMs + RUN_SLACK_MS };
}

/** What {@linkcode runBench} needs. */
export interface RunBenchDeps {
  readonly link: BenchLink;
  readonly clock: Clock;
  readonly asker: BenchAsker;
  readonly peer: bigint;
  readonly run: number;
  readonly onProgress: (progress: BenchProgress) => void;
}

/** Runs a plan to its end; the peer is told when it is over, however it ends. */
export async function runBench(deps: RunBenchDeps, plan: BenchPlan): Promise<BenchReport> {
  const { asker, run, onProgress } = deps;
  const { durationMs, sizes, streams, runMs } = plan;
  const steps = 1 + 2 * sizes.length;
  try {
    await asker.ask({ kind: "open", run, step: 0, runMs }, "opened");
    onProgress({ step: 1, steps, what: "round_trip", size: ECHO_BYTES, events: 0, seconds: 0 });
    const roundTrip = toRoundTrip(await asker.measureEchoes(1, ECHO_BYTES, durationMs));
    const traffic: TrafficReport[] = [];
    let step = 1;
    for (const size of sizes) {
      for (const way of ["out", "in"] as const) {
        step += 1;
        const spec = {
          way,
          streams,
          eventBytes: size,
          windowBytes: benchWindowBytes(streams),
          durationMs,
        };
        const report = (events: number, seconds: number) =>
          onProgress({ step, steps, what: way, size, events, seconds });
        report(0, 0);
        traffic.push(await runStep(deps, step, spec, report));
      }
    }
    await asker.ask({ kind: "close", run, step: 0 }, "closed");
    return { secondsPerStep: durationMs / 1000, streams, roundTrip, traffic };
  } catch (error) {
    // The other side hears of it if it can; otherwise its lease runs out.
    asker.send({ kind: "close", run, step: 0 });
    throw error;
  }
}

type ReportStep = (events: number, seconds: number) => void;

async function runStep(
  deps: RunBenchDeps,
  step: number,
  spec: BenchStep,
  report: ReportStep,
): Promise<TrafficReport> {
  const { link, clock, peer, run } = deps;
  const place = { link, clock, peer, run, step, spec };
  return spec.way === "out" ? await runOut(deps, place, report) : await runIn(deps, place, report);
}

async function runOut(
  deps: RunBenchDeps,
  place: StepPlace,
  report: ReportStep,
): Promise<TrafficReport> {
  const { asker } = deps;
  const { run, step, spec } = place;
  await asker.ask({ kind: "step", run, step, spec }, "started");
  const sending = sendStep(place, RUN_BYTES_MAX);
  const ask = async () => (await asker.ask({ kind: "ask", run, step }, "figures")).figures;
  try {
    while (!sending.figures().isDone) {
      await Promise.race([sending.finished, asker.pause(LOOK_MS)]);
      if (sending.figures().isDone) break;
      const { events, spanMs } = await ask();
      report(events, spanMs / 1000);
    }
    return toTraffic(spec, sending.figures(), await ask());
  } finally {
    sending.end();
  }
}

async function runIn(
  deps: RunBenchDeps,
  place: StepPlace,
  report: ReportStep,
): Promise<TrafficReport> {
  const { asker } = deps;
  const { run, step, spec } = place;
  const receiving = receiveStep(place);
  try {
    await asker.ask({ kind: "step", run, step, spec }, "started");
    for (;;) {
      await asker.pause(Math.min(LOOK_MS, spec.durationMs));
      const { figures } = await asker.ask({ kind: "ask", run, step }, "figures");
      const received = receiving.figures();
      report(received.events, received.spanMs / 1000);
      if (figures.isDone) return toTraffic(spec, figures, received);
    }
  } finally {
    receiving.end();
  }
}

function toRoundTrip({ sent, times }: EchoFigures): RoundTripReport {
  const received = times.length;
  const at = (share: number) => times[Math.min(received - 1, Math.floor(share * received))] ?? 0;
  return {
    size: ECHO_BYTES,
    sent,
    received,
    loss: sent === 0 ? 0 : 1 - received / sent,
    times: received === 0 ? undefined : { min: at(0), p50: at(0.5), p99: at(0.99) },
  };
}

function toTraffic(
  { way, eventBytes }: BenchStep,
  sent: BenchFigures,
  received: BenchFigures,
): TrafficReport {
  const seconds = received.spanMs / 1000;
  const isTimed = seconds > 0;
  const arrived = received.packets + received.copies;
  return {
    way,
    size: eventBytes,
    events: received.events,
    seconds,
    eventsPerSecond: isTimed ? received.events / seconds : undefined,
    bytesPerSecond: isTimed ? received.bytes / seconds : undefined,
    packets: sent.packets,
    resent: sent.copies,
    lost: Math.max(0, sent.packets + sent.copies - arrived),
    duplicates: received.copies,
    isComplete: !sent.isBroken && !received.isBroken && received.events === sent.events,
  };
}

function requireWithin(flag: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new NetError("usage", `Cannot use ${flag} ${value}: must be ${min} to ${max}`, {
    next: `choose a value within ${min} and ${max}`,
  });
}
