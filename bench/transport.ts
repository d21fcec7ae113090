/**
 * Streams of our transport against the Rust core's: the same events, sizes and calls, each side in
 * two processes of its own, in alternation on the same cores.
 *
 * Both are timed where the events reach JavaScript: ours as a callback with a view, theirs as objects
 * from `poll`, each with a copy and a text of the event, which is what driving the core from
 * JavaScript costs. With large events that matters little and the packets decide.
 *
 * Ratios are ours / theirs, so above 1 is faster. `NET_BENCH_ROUNDS` changes the number of rounds.
 */
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { measureMeshStream, openMeshPair } from "./_mesh_pair.ts";
import { summarize, type Summary } from "./_summary.ts";
import { measureRustStream, openRustPair } from "./_rust_pair.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");

interface Load {
  readonly name: string;
  readonly eventBytes: number;
  readonly eventCount: number;
  readonly perCall: number;
}

/** The last one is what suits the Rust core best for bulk data. */
const LOADS: readonly Load[] = [
  { name: "stream_64", eventBytes: 64, eventCount: 400_000, perCall: 64 },
  { name: "stream_1024", eventBytes: 1024, eventCount: 100_000, perCall: 64 },
  { name: "bulk_8000", eventBytes: 8000, eventCount: 20_000, perCall: 8 },
];

if (import.meta.main) await main();

async function main(): Promise<void> {
  const skip = rustPeerSkipReason();
  if (skip !== undefined) console.log(`without the Rust core: ${skip}`);
  const results: Record<string, number> = {};
  console.log("load           ours events/s (low..high)          Rust core events/s (low..high)");
  for (const load of LOADS) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      {
        await using pair = await openMeshPair();
        ours.push((await measureMeshStream(pair, load)).eventsPerSecond);
      }
      if (skip !== undefined) continue;
      await using pair = await openRustPair();
      theirs.push((await measureRustStream(pair, load)).eventsPerSecond);
    }
    report(load, ours, theirs, results);
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}

function report(
  load: Load,
  ours: readonly number[],
  theirs: readonly number[],
  results: Record<string, number>,
): void {
  const mine = summarize(ours);
  results[`${load.name}_events_per_second`] = Math.round(mine.median);
  results[`${load.name}_mb_per_second`] = round(mine.median * load.eventBytes / 1e6);
  let line = `${load.name.padEnd(14)} ${describe(mine).padEnd(35)}`;
  if (theirs.length > 0) {
    const other = summarize(theirs);
    results[`${load.name}_rust_events_per_second`] = Math.round(other.median);
    results[`${load.name}_ratio`] = round(mine.median / other.median);
    line += `${describe(other).padEnd(35)} ratio ${(mine.median / other.median).toFixed(2)}`;
  }
  console.log(line);
}

function describe({ median, low, high }: Summary): string {
  const [m, l, h] = [median, low, high].map((value) => `${Math.round(value / 1000)}k`);
  return `${m} (${l}..${h})`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
