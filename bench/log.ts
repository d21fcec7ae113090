/**
 * The log, the bus and what folds out of it: ours and the Rust core's through its addon, each in a process of its
 * own on this machine, in alternation.
 *
 * Rates are ours / theirs, so above 1 is faster; times are ours / theirs, so below 1 is faster. `NET_BENCH_ROUNDS`
 * changes the number of rounds, `NET_BENCH_ONLY` names steps to run.
 */
import { type LineProcess, startLineProcess } from "../test/interop/line_process.ts";
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { measureFold, measureOpening } from "./_log_opening.ts";
import { type LogOperations, TASK_QUESTIONS, type TaskQuestion } from "./_log_operations.ts";
import { summarize } from "./_summary.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");
const ONLY = Deno.env.get("NET_BENCH_ONLY")?.split(",");

const EVENT_BYTES = 64;
const BATCH_EVENTS = 256;
const WRITERS = 256;
const TASKS = 100_000;

type Side = LineProcess<LogOperations>;
type SideName = "ours" | "Rust core";
type Results = Record<string, number>;
type Sides = Partial<Record<SideName, Side>>;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const results: Results = {};
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    batch: () => measureBatches(results),
    each: () => measureEach(results),
    durable: () => measureDurable(results),
    bus: () => measureBus(results),
    tail: () => measureTail(results),
    find: () => measureFind(results),
    fold: () => measureFold(ROUNDS, results),
    open: () => measureOpening(ROUNDS, results),
  };
  const skip = rustPeerSkipReason();
  if (skip !== undefined) console.log(`without the Rust core: ${skip}`);
  for (const [name, run] of Object.entries(steps)) {
    if (ONLY === undefined || ONLY.includes(name)) await run();
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}

async function measureBatches(results: Results): Promise<void> {
  console.log(`appends of ${EVENT_BYTES} B in batches of ${BATCH_EVENTS}, on disk: events/s`);
  const rates = await inTurns((side, folder) =>
    side.call("appendBatches", {
      folder,
      events: 1_024_000,
      perBatch: BATCH_EVENTS,
      eventBytes: EVENT_BYTES,
    }).then(({ perSecond }) => perSecond)
  );
  keep("append_batch", rates, results);
}

async function measureEach(results: Results): Promise<void> {
  console.log(`appends of ${EVENT_BYTES} B one by one, each written to the file: events/s`);
  const rates = await inTurns(
    (side, folder) =>
      side.call("appendEach", { folder, events: 100_000, eventBytes: EVENT_BYTES })
        .then(({ perSecond }) => perSecond),
    4 * ROUNDS,
  );
  keep("append_each", rates, results);
}

/** Many of our writers share a sync; the core has no such call, so its writer waits for each of its own. */
async function measureDurable(results: Results): Promise<void> {
  console.log(`durable appends of ${EVENT_BYTES} B, ours with ${WRITERS} writers: events/s`);
  const grouped = await inTurns((side, folder, name) =>
    side.call("appendDurable", {
      folder,
      events: name === "ours" ? 200 * WRITERS : 1_000,
      writers: name === "ours" ? WRITERS : 1,
      eventBytes: EVENT_BYTES,
    }).then(({ perSecond }) => perSecond)
  );
  keep("append_durable_grouped", grouped, results);
  console.log("  one writer on either side:");
  const alone = await inTurns((side, folder) =>
    side.call("appendDurable", { folder, events: 1_000, writers: 1, eventBytes: EVENT_BYTES })
      .then(({ perSecond }) => perSecond)
  );
  keep("append_durable_alone", alone, results);
}

async function measureBus(results: Results): Promise<void> {
  console.log(`a bus of two shards takes JSON events of ${EVENT_BYTES} B, 256 in a call: events/s`);
  const taken: Partial<Record<SideName, number[]>> = {};
  const handedOn = await inTurns(async (side, _folder, name) => {
    const args = { events: 1_024_000, perCall: BATCH_EVENTS, eventBytes: EVENT_BYTES };
    const rates = await side.call("ingest", args);
    (taken[name] ??= []).push(rates.takenPerSecond);
    return rates.handedOnPerSecond;
  });
  // The first of each only warmed up.
  for (const each of Object.values(taken)) each.shift();
  console.log("  until the last call returned:");
  keep("bus", taken, results);
  console.log("  until the adapter had all:");
  keep("bus_handed_on", handedOn, results);
}

async function measureTail(results: Results): Promise<void> {
  console.log(`from the append of ${EVENT_BYTES} B to a live tail, one at a time: p50 in µs`);
  const p99: Partial<Record<SideName, number[]>> = {};
  const p50 = await inTurns(async (side, folder, name) => {
    const times = await side.call("tail", { folder, events: 20_000, eventBytes: EVENT_BYTES });
    (p99[name] ??= []).push(times.p99Us);
    return times.p50Us;
  });
  keep("tail_p50", p50, results, "_us");
  for (const each of Object.values(p99)) each.shift();
  console.log("  p99:");
  keep("tail_p99", p99, results, "_us");
}

/** Of several questions the worst counts. */
async function measureFind(results: Results): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const sides = startSides(stack);
  for (const side of Object.values(sides)) await side.call("makeTasks", { count: TASKS });
  const ratios: number[] = [];
  for (const question of Object.keys(TASK_QUESTIONS) as TaskQuestion[]) {
    const rounds: Partial<Record<SideName, number[]>> = {};
    const rows = new Set<number>();
    for (let round = -1; round < ROUNDS; round++) {
      for (const [name, side] of Object.entries(sides) as [SideName, Side][]) {
        const found = await side.call("findTasks", { question, times: 30 });
        rows.add(found.rows);
        if (round >= 0) (rounds[name] ??= []).push(found.p50Us);
      }
    }
    if (rows.size !== 1) throw new Error(`Cannot compare "${question}": ${[...rows]} rows`);
    console.log(`two filters over ${TASKS} tasks, ${[...rows]} of them found: p50 in µs`);
    keep(`find_many_${question}`, rounds, results, "_us");
    const ratio = results[`find_many_${question}_ratio`];
    if (ratio !== undefined) ratios.push(ratio);
  }
  if (ratios.length > 0) results.find_many_ratio = Math.max(...ratios);
}

/** One round after the other, each side in a process and a folder of its own; the first round only warms up. */
async function inTurns(
  measure: (side: Side, folder: string, name: SideName) => Promise<number>,
  count = ROUNDS,
): Promise<Partial<Record<SideName, number[]>>> {
  await using stack = new AsyncDisposableStack();
  const sides = startSides(stack);
  const rounds: Partial<Record<SideName, number[]>> = {};
  for (let round = -1; round < count; round++) {
    for (const [name, side] of Object.entries(sides) as [SideName, Side][]) {
      const folder = await Deno.makeTempDir({ prefix: "net-bench-log-" });
      try {
        const measured = await measure(side, folder, name);
        if (round >= 0) (rounds[name] ??= []).push(measured);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }
  }
  return rounds;
}

function startSides(stack: AsyncDisposableStack): Sides {
  const start = (name: SideName, file: string) =>
    stack.use(startLineProcess<LogOperations>(new URL(file, import.meta.url), { name }));
  return {
    "ours": start("ours", "./_log_own_process.ts"),
    ...rustPeerSkipReason() === undefined
      ? { "Rust core": start("Rust core", "./_log_rust_process.ts") }
      : {},
  };
}

/** Prints both sides and keeps medians and the median ratio of the rounds. */
function keep(
  key: string,
  { ours, "Rust core": rust }: Partial<Record<SideName, readonly number[]>>,
  results: Results,
  unit = "_s",
): void {
  for (const [name, rounds] of [["ours", ours], ["Rust core", rust]] as const) {
    if (rounds === undefined) continue;
    const { median, low, high } = summarize(rounds);
    const [shown, from, to] = [median, low, high].map(significant);
    console.log(`  ${name.padEnd(10)} ${shown} (${from}..${to})`);
    results[`${name === "ours" ? "" : "rust_"}${key}${unit}`] = Number(median.toPrecision(4));
  }
  if (ours === undefined || rust === undefined) return;
  const { median } = summarize(ours.map((each, round) => each / (rust[round] ?? NaN)));
  results[`${key}_ratio`] = Number(median.toPrecision(3));
  console.log(`  ${key}_ratio ${results[`${key}_ratio`]}`);
}

function significant(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}
