/**
 * Calls between two nodes of ours, of the Rust core driven through its addon, and of NATS with its server in between,
 * on this machine: caller and server are processes of their own, all of it in alternation.
 *
 * Calls are timed from the call to its result in JavaScript. Rates are ours / theirs, so above 1 is faster; times are
 * ours / theirs, so below 1 is faster. `NET_BENCH_ROUNDS` changes the number of rounds, `NET_BENCH_ONLY` names steps
 * to run.
 */
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import type { CallFigures, CallLoad } from "./_call_load.ts";
import { natsSkipReason, openNatsPair } from "./_nats_pair.ts";
import { measureLargeBodies } from "./_rpc_bodies.ts";
import { openRpcPair } from "./_rpc_pair.ts";
import {
  reportSide,
  type Results,
  round,
  type SideMedians,
  type SideRounds,
} from "./_rpc_report.ts";
import { measureStreams } from "./_rpc_streams.ts";
import { openRustRpcPair } from "./_rust_rpc_pair.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");
const ONLY = Deno.env.get("NET_BENCH_ONLY")?.split(",");

interface Side extends AsyncDisposable {
  calls(load: CallLoad): Promise<CallFigures>;
  serverCpuSeconds(): Promise<number>;
}

/** Each of our rounds and theirs takes about a second. */
interface Load {
  readonly name: string;
  readonly inFlight: number;
  readonly bodyBytes: number;
  readonly ourCount: number;
  readonly theirCount: number;
  readonly sides: readonly SideName[];
}

const OPENERS = {
  "ours": () => openRpcPair(),
  "ours, sleeping": () => openRpcPair({ pollMicroseconds: 0 }),
  "Rust core": openRustRpcPair,
  "NATS": openNatsPair,
} satisfies Readonly<Record<string, () => Promise<Side>>>;

type SideName = keyof typeof OPENERS;

const ALL = ["ours", "Rust core", "NATS"] as const;

const LOADS = {
  sequential: {
    name: "64 B, 1 in flight",
    inFlight: 1,
    bodyBytes: 64,
    ourCount: 20_000,
    theirCount: 4_000,
    sides: ["ours", "ours, sleeping", "Rust core", "NATS"],
  },
  inFlight16: {
    name: "64 B, 16 in flight",
    inFlight: 16,
    bodyBytes: 64,
    ourCount: 120_000,
    theirCount: 30_000,
    sides: ALL,
  },
  inFlight64: {
    name: "64 B, 64 in flight",
    inFlight: 64,
    bodyBytes: 64,
    ourCount: 150_000,
    theirCount: 30_000,
    sides: ALL,
  },
  kib16: {
    name: "1 KiB, 16 in flight",
    inFlight: 16,
    bodyBytes: 1024,
    ourCount: 80_000,
    theirCount: 20_000,
    sides: ALL,
  },
  kib64: {
    name: "1 KiB, 64 in flight",
    inFlight: 64,
    bodyBytes: 1024,
    ourCount: 80_000,
    theirCount: 1_000,
    sides: ALL,
  },
} satisfies Readonly<Record<string, Load>>;

type Medians = Partial<Record<SideName, SideMedians>>;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const results: Results = {};
  const withoutRust = rustPeerSkipReason();
  const withoutNats = natsSkipReason();
  if (withoutRust !== undefined) console.log(`without the Rust core: ${withoutRust}`);
  if (withoutNats !== undefined) console.log(`without NATS: ${withoutNats}`);
  const isThere = (side: SideName) =>
    (side !== "Rust core" || withoutRust === undefined) &&
    (side !== "NATS" || withoutNats === undefined);
  const run = (load: Load) => measureLoad({ ...load, sides: load.sides.filter(isThere) });
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    sequential: async () => keepTimes(await run(LOADS.sequential), results),
    qps16: async () => keepRates(await run(LOADS.inFlight16), "qps16", results),
    qps64: async () => {
      const medians = await run(LOADS.inFlight64);
      keepRates(medians, "qps64", results);
      keepRatio("p99_64", medians, ({ p99Us }) => p99Us, results);
    },
    kib16: async () => keepRates(await run(LOADS.kib16), "qps_1k_16", results),
    kib64: async () => {
      const { ours } = await run(LOADS.kib64);
      if (ours !== undefined) results.qps_1k_64 = Math.round(ours.perSecond);
    },
    mib: () => measureLargeBodies(ROUNDS, results),
    streams: () => measureStreams(ROUNDS, withoutRust === undefined, results),
  };
  for (const [name, step] of Object.entries(steps)) {
    if (ONLY === undefined || ONLY.includes(name)) await step();
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}

async function measureLoad(load: Load): Promise<Medians> {
  const rounds = new Map<SideName, SideRounds>(
    load.sides.map((side) => [side, { figures: [], serverUs: [] }]),
  );
  for (let count = 0; count < ROUNDS; count++) {
    for (const [side, { figures, serverUs }] of rounds) {
      await using pair: Side = await OPENERS[side]();
      const isOurs = side.startsWith("ours");
      const calls = { ...load, count: isOurs ? load.ourCount : load.theirCount };
      await pair.calls({ ...calls, count: calls.count >> 2 });
      const beforeSeconds = await pair.serverCpuSeconds();
      figures.push(await pair.calls(calls));
      serverUs.push(1e6 * (await pair.serverCpuSeconds() - beforeSeconds) / calls.count);
    }
  }
  const medians: Medians = {};
  for (const [side, each] of rounds) medians[side] = reportSide(side, load.name, each);
  return medians;
}

function keepRates(medians: Medians, key: string, results: Results): void {
  const { ours, "Rust core": rust, NATS: nats } = medians;
  if (ours !== undefined) results[key] = Math.round(ours.perSecond);
  if (rust !== undefined) results[`rust_${key}`] = Math.round(rust.perSecond);
  if (nats !== undefined) results[`nats_${key}`] = Math.round(nats.perSecond);
  keepRatio(key, medians, ({ perSecond }) => perSecond, results);
}

function keepTimes(medians: Medians, results: Results): void {
  const { ours, "ours, sleeping": sleeping, "Rust core": rust, NATS: nats } = medians;
  if (ours !== undefined) results.p50_polling_us = round(ours.p50Us);
  if (sleeping !== undefined) results.p50_us = round(sleeping.p50Us);
  if (rust !== undefined) results.rust_p50_us = round(rust.p50Us);
  if (nats !== undefined) results.nats_p50_us = round(nats.p50Us);
  keepRatio("p50_polling", medians, ({ p50Us }) => p50Us, results);
  keepRatio("p50", { ...medians, ours: sleeping }, ({ p50Us }) => p50Us, results);
}

function keepRatio(
  key: string,
  { ours, "Rust core": rust }: Medians,
  read: (medians: SideMedians) => number,
  results: Results,
): void {
  if (ours === undefined || rust === undefined) return;
  const ratio = round(read(ours) / read(rust));
  results[`${key}_ratio`] = ratio;
  console.log(`  ${key}_ratio ${ratio}`);
}
