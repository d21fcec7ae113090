/**
 * Calls of the Rust core driven through its addon, and of NATS with its server in between, on this machine: caller
 * and server are processes of their own, all of it in alternation.
 *
 * Calls are timed from the call to its result in JavaScript. `NET_BENCH_ROUNDS` changes the number of rounds,
 * `NET_BENCH_ONLY` names steps to run.
 */
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import type { CallFigures, CallLoad } from "./_call_load.ts";
import { natsSkipReason, openNatsPair } from "./_nats_pair.ts";
import { openRustRpcPair, type StreamShape } from "./_rust_rpc_pair.ts";
import { summarize } from "./_summary.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");
const ONLY = Deno.env.get("NET_BENCH_ONLY")?.split(",");
/** The core sometimes drops an item and then ends no stream; such a round is repeated, so often at most. */
const STALLS_MAX = 10;

interface Load extends CallLoad {
  /** Part of the keys. */
  readonly key: string;
  readonly name: string;
}

const SEQUENTIAL: Load = {
  key: "1",
  name: "64 B, one after the other",
  count: 4_000,
  inFlight: 1,
  bodyBytes: 64,
};

const LOADS: readonly Load[] = [
  SEQUENTIAL,
  { key: "16", name: "64 B, 16 in flight", count: 30_000, inFlight: 16, bodyBytes: 64 },
  { key: "64", name: "64 B, 64 in flight", count: 30_000, inFlight: 64, bodyBytes: 64 },
  { key: "1k_16", name: "1 KiB, 16 in flight", count: 20_000, inFlight: 16, bodyBytes: 1024 },
];

interface StreamLoad {
  readonly key: string;
  readonly name: string;
  readonly shape: StreamShape;
  readonly count: number;
}

const STREAM_LOADS: readonly StreamLoad[] = [
  { key: "stream", name: "server stream, 64 B items", shape: "serverStream", count: 20_000 },
  { key: "upload", name: "client stream, 64 B items", shape: "clientStream", count: 20_000 },
  { key: "duplex", name: "duplex, 64 B there and back", shape: "duplex", count: 4_000 },
];

interface Caller extends AsyncDisposable {
  calls(load: CallLoad): Promise<CallFigures>;
  serverCpuSeconds(): Promise<number>;
}

type Results = Record<string, number>;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const results: Results = {};
  const withoutRust = rustPeerSkipReason();
  const withoutNats = natsSkipReason();
  if (withoutRust !== undefined) console.log(`without the Rust core: ${withoutRust}`);
  if (withoutNats !== undefined) console.log(`without NATS: ${withoutNats}`);
  const rivals: [string, () => Promise<Caller>][] = [];
  if (withoutRust === undefined) rivals.push(["rust", openRustRpcPair]);
  if (withoutNats === undefined) rivals.push(["nats", openNatsPair]);
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    calls: () => measureAll(rivals, results),
    streams: async () => {
      if (withoutRust === undefined) await measureStreams(results);
    },
  };
  for (const [name, run] of Object.entries(steps)) {
    if (ONLY === undefined || ONLY.includes(name)) await run();
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}

async function measureAll(
  callers: readonly (readonly [string, () => Promise<Caller>])[],
  results: Results,
): Promise<void> {
  for (const load of LOADS) {
    const rounds = new Map<string, CallFigures[]>(callers.map(([name]) => [name, []]));
    const serverUs = new Map<string, number[]>(callers.map(([name]) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, open] of callers) {
        await using caller = await open();
        await caller.calls({ ...load, count: load.count >> 3 });
        const before = await caller.serverCpuSeconds();
        rounds.get(name)?.push(await caller.calls(load));
        const seconds = await caller.serverCpuSeconds() - before;
        serverUs.get(name)?.push(1e6 * seconds / load.count);
      }
    }
    for (const [name, figures] of rounds) {
      report(name, load, figures, serverUs.get(name) ?? [], results);
    }
  }
}

function report(
  side: string,
  { key, name }: Load,
  figures: readonly CallFigures[],
  serverUs: readonly number[],
  results: Results,
): void {
  const of = (read: (each: CallFigures) => number) => summarize(figures.map(read)).median;
  const [rate, p50, p99] = [of((f) => f.perSecond), of((f) => f.p50Us), of((f) => f.p99Us)];
  results[`${side}_qps${key}`] = Math.round(rate);
  results[`${side}_p50_${key}_us`] = round(p50);
  results[`${side}_p99_${key}_us`] = round(p99);
  const failed = figures.reduce((sum, each) => sum + each.failed, 0);
  console.log(
    `${side.padEnd(6)} ${name.padEnd(28)} ${Math.round(rate)} calls/s, p50 ${p50.toFixed(0)} us, ` +
      `p99 ${p99.toFixed(0)} us; CPU per call: caller ${
        of((f) => f.cpuUsPerCall).toFixed(1)
      } us, ` +
      `server ${summarize(serverUs).median.toFixed(1)} us` +
      (failed === 0 ? "" : `; ${failed} failed: ${figures.find((f) => f.failed > 0)?.failure}`),
  );
}

async function measureStreams(results: Results): Promise<void> {
  for (const { key, name, shape, count } of STREAM_LOADS) {
    const rates: number[] = [];
    let stalls = 0;
    while (rates.length < ROUNDS) {
      await using pair = await openRustRpcPair();
      const { perSecond, lost } = await pair.items(shape, { count, bodyBytes: 64 });
      if (lost === 0) rates.push(perSecond);
      else if (++stalls > STALLS_MAX) throw new Error(`Cannot measure ${name}: items are lost`);
    }
    const { median, low, high } = summarize(rates);
    results[`rust_${key}_per_s`] = Math.round(median);
    console.log(
      `rust   ${name.padEnd(28)} ${Math.round(median)} per second ` +
        `(${Math.round(low)}..${Math.round(high)})` +
        (stalls === 0 ? "" : `; items were lost in ${stalls} rounds, which were repeated`),
    );
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
