/** Measures unary calls of a service from inside the node, so that the control surface costs nothing. */
import { type Clock, idToHex, NetError, systemClock } from "../../base/mod.ts";
import { type CallOptions, type Rpc, RpcError } from "../../rpc/mod.ts";
import type { CallContext } from "../method.ts";

/** How it is measured. */
export interface RpcBenchOptions {
  readonly service: string;
  /** Calls at a time. */
  readonly inFlight: number;
  /** Bytes of each body. */
  readonly bodyBytes: number;
  readonly seconds: number;
  readonly call: CallOptions;
}

/** How often it is told how it goes. */
const PROGRESS_MS = 500;
/** A caller that failed waits so long, so that a dead service is not asked a million times. */
const FAILURE_PAUSE_MS = 10;
/** Buckets per doubling of the time: a percentile is off by at most 2.2 %. */
const BUCKETS_PER_OCTAVE = 32;
/** 32 doublings from 1 µs on: beyond an hour. */
const BUCKETS = 32 * BUCKETS_PER_OCTAVE;

/**
 * Calls a service as fast as it answers.
 *
 * @throws RpcError when the first call fails; NetError `failed` when it was cancelled.
 */
export async function benchRpc(
  rpc: Rpc,
  options: RpcBenchOptions,
  context: CallContext,
  clock: Clock = systemClock,
): Promise<object> {
  const { service, inFlight, bodyBytes, seconds } = options;
  const { signal } = context;
  const body = new Uint8Array(bodyBytes).fill(0x61);
  const call = { ...options.call, signal };
  // The first call opens the way; what it costs is told apart.
  const firstMs = clock.now();
  const answer = await rpc.call(service, body, call);
  const startMs = clock.now();
  const endMs = startMs + seconds * 1_000;
  const times = new TimeHistogram();
  const errors: Record<string, number> = {};
  let toldMs = startMs;
  const worker = async () => {
    for (let nowMs = clock.now(); nowMs < endMs && !signal.aborted;) {
      const callMs = nowMs;
      try {
        await rpc.call(service, body, call);
        nowMs = clock.now();
        times.add(nowMs - callMs);
      } catch (error) {
        const kind = error instanceof RpcError ? error.kind : "failed";
        errors[kind] = (errors[kind] ?? 0) + 1;
        await new Promise<void>((resolve) => clock.after(FAILURE_PAUSE_MS, resolve));
        nowMs = clock.now();
      }
      if (nowMs - toldMs >= PROGRESS_MS) {
        toldMs = nowMs;
        context.progress({ calls: times.count, seconds: (nowMs - startMs) / 1_000 });
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  if (signal.aborted) throw new NetError("failed", "Cannot measure: it was cancelled");
  const elapsed = (clock.now() - startMs) / 1_000;
  return {
    service,
    node: options.call.target === undefined ? null : idToHex(options.call.target),
    in_flight: inFlight,
    body_bytes: bodyBytes,
    answer_bytes: answer.length,
    seconds: round(elapsed),
    calls: times.count,
    calls_per_second: Math.round(times.count / elapsed),
    first_ms: round(startMs - firstMs),
    p50_ms: round(times.quantile(0.5)),
    p90_ms: round(times.quantile(0.9)),
    p99_ms: round(times.quantile(0.99)),
    max_ms: round(times.maxMs),
    errors,
  };
}

/** Durations in buckets that grow with them; how many it holds does not depend on how many there were. */
export class TimeHistogram {
  readonly #buckets = new Float64Array(BUCKETS);
  count = 0;
  maxMs = 0;

  /** Books one duration. */
  add(ms: number): void {
    const octaves = Math.log2(Math.max(1, ms * 1_000));
    const at = Math.min(BUCKETS - 1, Math.floor(octaves * BUCKETS_PER_OCTAVE));
    this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
    this.count += 1;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  /** The duration in milliseconds that this share of all stays within; 0 without any. */
  quantile(share: number): number {
    const wanted = Math.ceil(this.count * share);
    let seen = 0;
    for (let at = 0; at < BUCKETS && this.count > 0; at++) {
      seen += this.#buckets[at] ?? 0;
      if (seen >= wanted) {
        return Math.min(this.maxMs, 2 ** ((at + 1) / BUCKETS_PER_OCTAVE) / 1_000);
      }
    }
    return this.maxMs;
  }
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
