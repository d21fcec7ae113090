/**
 * Our transport against the Rust core driven through its addon: streams, round trips; and what only
 * concerns ours: relaying, memory of a session, an idle node.
 *
 * Both sides run in processes of their own on the same cores, in alternation. Events are timed where they
 * reach JavaScript: ours as a callback with a view, theirs as objects from `poll`, each with a copy and a
 * text of the event, which is what driving the core from JavaScript costs.
 *
 * Rates are ours / theirs, so above 1 is faster; times are ours / theirs, so below 1 is faster.
 * `NET_BENCH_ROUNDS` changes the number of rounds, `NET_BENCH_ONLY` names steps to run.
 */
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { measureIdleNode } from "./_idle_node.ts";
import { measureMeshPingPong, measureMeshStream, openMeshPair } from "./_mesh_pair.ts";
import { measureRelay } from "./_relay.ts";
import { measureRustCalls, measureRustStream, openRustPair } from "./_rust_pair.ts";
import { summarize, type Summary } from "./_summary.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");
const ONLY = Deno.env.get("NET_BENCH_ONLY")?.split(",");
/** The core sometimes stops granting credit for good; such a round is repeated, so often at most. */
const STALLS_MAX = 10;

interface Load {
  readonly name: string;
  /** Key of the ratio. */
  readonly key: string;
  readonly eventBytes: number;
  readonly perCall: number;
  /** Each side sends for about a second. */
  readonly ourCount: number;
  readonly theirCount: number;
}

/** All on one reliable stream; the last one is what suits the Rust core best for bulk data. */
const LOADS: readonly Load[] = [
  {
    name: "64 B, 64 per call",
    key: "events64_batch",
    eventBytes: 64,
    perCall: 64,
    ourCount: 4_000_000,
    theirCount: 400_000,
  },
  {
    name: "64 B, 1 per call",
    key: "events64_single",
    eventBytes: 64,
    perCall: 1,
    ourCount: 600_000,
    theirCount: 40_000,
  },
  {
    name: "1 KiB, 64 per call",
    key: "events1k_reliable",
    eventBytes: 1024,
    perCall: 64,
    ourCount: 600_000,
    theirCount: 200_000,
  },
  {
    name: "8000 B, 8 per call",
    key: "bulk8k",
    eventBytes: 8000,
    perCall: 8,
    ourCount: 100_000,
    theirCount: 20_000,
  },
];

const ROUND_TRIPS = 20_000;
const CALLS = 3_000;
const SESSIONS = 10_000;
const IDLE_PEERS = 100;
const IDLE_SECONDS = 30;

type Results = Record<string, number>;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const skip = rustPeerSkipReason();
  if (skip !== undefined) console.log(`without the Rust core: ${skip}`);
  const results: Results = {};
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    streams: () => measureStreams(results, skip === undefined),
    pingpong: () => measurePingPong(results, skip === undefined),
    relay: () => measureRelaying(results),
    sessions: () => measureSessions(results),
    idle: () => measureIdle(results),
  };
  for (const [name, run] of Object.entries(steps)) {
    if (ONLY === undefined || ONLY.includes(name)) await run();
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}

async function measureStreams(results: Results, hasRival: boolean): Promise<void> {
  console.log(
    "one reliable stream    ours events/s (low..high)      Rust core events/s (low..high)",
  );
  for (const load of LOADS) {
    const { eventBytes, perCall } = load;
    const ours: number[] = [];
    const theirs: number[] = [];
    let stalls = 0;
    for (let round = 0; round < ROUNDS; round++) {
      {
        await using pair = await openMeshPair();
        const warm = { eventBytes, perCall, eventCount: load.ourCount >> 3 };
        await measureMeshStream(pair, warm);
        const figures = await measureMeshStream(pair, { ...warm, eventCount: load.ourCount });
        ours.push(figures.eventsPerSecond);
      }
      while (hasRival) {
        try {
          await using pair = await openRustPair();
          const options = { eventBytes, perCall, eventCount: load.theirCount };
          theirs.push((await measureRustStream(pair, options)).eventsPerSecond);
          break;
        } catch (error) {
          if (++stalls > STALLS_MAX) throw error;
        }
      }
    }
    reportLoad(load, ours, theirs, results);
    if (stalls > 0) {
      console.log(`  the Rust core stalled ${stalls} times; those rounds were repeated`);
    }
  }
}

function reportLoad(
  { name, key, eventBytes }: Load,
  ours: readonly number[],
  theirs: readonly number[],
  results: Results,
): void {
  const mine = summarize(ours);
  const megabytes = mine.median * eventBytes / 1e6;
  results[`${key}_per_s`] = Math.round(mine.median);
  results[`${key}_mb_s`] = round(megabytes);
  let line = `${name.padEnd(22)} ${describe(mine).padEnd(30)}`;
  if (theirs.length > 0) {
    const other = summarize(theirs);
    results[`${key}_rust_per_s`] = Math.round(other.median);
    results[`${key}_ratio`] = round(mine.median / other.median);
    line += `${describe(other).padEnd(26)} ratio ${(mine.median / other.median).toFixed(2)}`;
  }
  console.log(`${line}  ${megabytes.toFixed(0)} MB/s`);
}

/** A 64-byte event there and back over streams, against the core's shortest way: its RPC. */
async function measurePingPong(results: Results, hasRival: boolean): Promise<void> {
  const polling: number[] = [];
  const sleeping: number[] = [];
  const calls: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    {
      await using pair = await openMeshPair();
      polling.push(p50(await measureMeshPingPong(pair, ROUND_TRIPS)));
    }
    {
      await using pair = await openMeshPair({ pollMicroseconds: 0 });
      sleeping.push(p50(await measureMeshPingPong(pair, ROUND_TRIPS / 4)));
    }
    if (!hasRival) continue;
    await using pair = await openRustPair();
    calls.push(p50(await measureRustCalls(pair, CALLS)));
  }
  const [poll, sleep] = [summarize(polling).median, summarize(sleeping).median];
  results.pingpong_p50_polling_us = round(poll);
  results.pingpong_p50_us = round(sleep);
  let line = `64 B there and back, p50: polling ${poll.toFixed(1)} us, sleeping ${
    sleep.toFixed(1)
  } us`;
  if (calls.length > 0) {
    const call = summarize(calls).median;
    results.rust_rpc_p50_us = round(call);
    results.pingpong_p50_polling_ratio = round(poll / call);
    results.pingpong_p50_ratio = round(sleep / call);
    line += `, Rust RPC ${call.toFixed(1)} us: ratios ${(poll / call).toFixed(3)} and ` +
      (sleep / call).toFixed(2);
  }
  console.log(line);
}

async function measureRelaying(results: Results): Promise<void> {
  const rates: number[] = [];
  const shares: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const figures = await measureRelay();
    rates.push(figures.forwardedPerSecond);
    shares.push(figures.arrivedShare);
    costs.push(figures.cpuSecondsPerMillion);
  }
  const rate = summarize(rates);
  results.relay_pps = Math.round(rate.median);
  results.relay_arrived_percent = round(100 * summarize(shares).median);
  results.relay_cpu_us_per_packet = round(summarize(costs).median);
  console.log(
    `relaying 1200 B: ${describe(rate)} packets/s, ${results.relay_arrived_percent} % arrive, ` +
      `${results.relay_cpu_us_per_packet} us of CPU each`,
  );
}

/** Idle sessions, counted in a process that can collect garbage on demand. */
async function measureSessions(results: Results): Promise<void> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      new URL("./_session_memory.ts", import.meta.url).pathname,
      String(SESSIONS),
    ],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error("Cannot measure sessions: the process failed");
  const figures = JSON.parse(new TextDecoder().decode(stdout)) as {
    sealedBytes: number;
    compatBytes: number;
  };
  results.session_bytes = figures.sealedBytes;
  results.session_compat_bytes = figures.compatBytes;
  console.log(
    `idle session at ${SESSIONS}, peer and routes included: sealed ${figures.sealedBytes} B, ` +
      `compat ${figures.compatBytes} B`,
  );
}

async function measureIdle(results: Results): Promise<void> {
  if (Deno.build.os !== "linux") return console.log("idle node: skipped, reads /proc");
  const { cpuPercent, residentBytes } = await measureIdleNode(IDLE_PEERS, IDLE_SECONDS);
  results.idle_cpu_percent = round(cpuPercent);
  results.idle_resident_mib = round(residentBytes / 1024 ** 2);
  console.log(
    `idle node with ${IDLE_PEERS} peers: ${cpuPercent.toFixed(2)} % of a core, ` +
      `${results.idle_resident_mib} MiB resident`,
  );
}

function p50(sorted: readonly number[]): number {
  return sorted[sorted.length >> 1] ?? NaN;
}

function describe({ median, low, high }: Summary): string {
  const [m, l, h] = [median, low, high].map((value) => `${Math.round(value / 1000)}k`);
  return `${m} (${l}..${h})`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
