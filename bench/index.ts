/**
 * The capability index: questions against plain loops over objects that hold a `Set`, `findNodes` against the
 * Rust core through its addon, how fast announcements are taken in, memory of a node, and growth.
 *
 * Speed-ups are loop / ours, and of several questions the smallest counts. `find_nodes_ratio` is ours / core,
 * so below 1 is faster, and the largest counts. `announce_fraction` is the time of checking signatures alone
 * as part of the whole, for nodes that are known; `announce_first_fraction` for nodes never heard of.
 * `NET_BENCH_ROUNDS` changes the number of rounds, `NET_BENCH_ONLY` names steps to run.
 */
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { ratioOf, timeInTurns } from "./_in_turns.ts";
import { type IntakeFigures, measureAnnouncements } from "./_index_announcements.ts";
import { createSampleNodes } from "./_index_data.ts";
import type { IndexMemoryFigures } from "./_index_memory.ts";
import { createIndex, createQuestions, type Question } from "./_index_queries.ts";
import type { RustFindFigures } from "./_index_rust_process.ts";
import { summarize, type Summary } from "./_summary.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "9");
const ONLY = Deno.env.get("NET_BENCH_ONLY")?.split(",");
const NODES = 10_000;
const GROWTH = [100, 1_000, 10_000, 100_000];

type Results = Record<string, number>;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const results: Results = {};
  const steps: Readonly<Record<string, () => void | Promise<void>>> = {
    queries: () => measureQueries(results),
    core: () => measureCore(results),
    announcements: () => measureIntake(results),
    memory: () => measureMemory(results),
    growth: () => measureGrowth(),
  };
  for (const [name, run] of Object.entries(steps)) {
    if (ONLY === undefined || ONLY.includes(name)) await run();
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}

function measureQueries(results: Results): void {
  const nodes = createSampleNodes(NODES);
  console.log(`${NODES} nodes with 20 tags: median (low..high) in microseconds`);
  for (const question of createQuestions(createIndex(nodes), nodes)) {
    const candidates = { ours: question.ours, plain: question.plain };
    const { ours, plain } = timeInTurns(candidates, { rounds: ROUNDS });
    const speedup = ratioOf(plain, ours);
    report(question, ours, plain, speedup);
    const key = `${question.group}_speedup`;
    results[key] = Math.min(results[key] ?? Infinity, round(speedup));
  }
}

/** The core and ours side by side, in a process of their own. */
async function measureCore(results: Results): Promise<void> {
  const skip = rustPeerSkipReason();
  if (skip !== undefined) return console.log(`without the Rust core: ${skip}`);
  const { filters } = await runProcess("_index_rust_process.ts", []) as RustFindFigures;
  console.log("findNodes over 200 nodes, ids in order: median (low..high) in microseconds");
  const ratios = filters.map(({ name, found, ours, theirs }) => {
    const ratio = ratioOf(ours, theirs);
    console.log(
      `${name.padEnd(32)} ${String(found).padStart(3)} found  ours ${describe(ours).padEnd(24)} ` +
        `core ${describe(theirs).padEnd(24)} ratio ${ratio.toFixed(3)}`,
    );
    return ratio;
  });
  results.find_nodes_ratio = round(Math.max(...ratios));
}

function measureIntake(results: Results): void {
  const { repeats, firsts, bytes } = measureAnnouncements(ROUNDS);
  console.log(`announcements of ${Math.round(bytes)} bytes, microseconds each on one core:`);
  const fraction = (name: string, { checking, whole }: IntakeFigures) => {
    const part = summarize(checking.map((each, round) => each / (whole[round] ?? NaN)));
    console.log(
      `${name.padEnd(28)} ${spread(summarize(whole))}, of which checking the signature takes ` +
        `${spread(summarize(checking))}: part ${spread(part)}`,
    );
    return round(part.median);
  };
  results.announce_fraction = fraction("a known node says it again", repeats);
  results.announce_first_fraction = fraction("a node never heard of", firsts);
  results.announce_per_s = Math.round(1e6 / summarize(repeats.whole).median);
}

async function measureMemory(results: Results): Promise<void> {
  const { allBytes, indexBytes } = await runProcess(
    "_index_memory.ts",
    [String(NODES)],
    "--v8-flags=--expose-gc",
  ) as IndexMemoryFigures;
  results.bytes_per_node = allBytes;
  console.log(
    `memory per node at ${NODES}: ${allBytes} B with its announcement, tags and metadata; ` +
      `${indexBytes} B of them in the index`,
  );
}

async function runProcess(
  file: string,
  args: readonly string[],
  ...flags: readonly string[]
): Promise<unknown> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...flags, new URL(`./${file}`, import.meta.url).pathname, ...args],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`Cannot measure: ${file} failed`);
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  return JSON.parse(lines.at(-1) ?? "");
}

function measureGrowth(): void {
  console.log("growth, microseconds per question: ours / loop");
  const rows = new Map<string, string[]>();
  for (const count of GROWTH) {
    const nodes = createSampleNodes(count);
    for (const question of createQuestions(createIndex(nodes), nodes)) {
      const options = { rounds: 3, sliceMs: 15 };
      const { ours, plain } = timeInTurns({ ours: question.ours, plain: question.plain }, options);
      const cell = `${micros(ours.median)} / ${micros(plain.median)}`;
      rows.set(question.name, [...rows.get(question.name) ?? [], cell]);
    }
  }
  console.log(`${"".padEnd(38)} ${GROWTH.map((count) => String(count).padEnd(18)).join(" ")}`);
  for (const [name, cells] of rows) {
    console.log(`${name.padEnd(38)} ${cells.map((cell) => cell.padEnd(18)).join(" ")}`);
  }
}

function report({ name }: Question, ours: Summary, plain: Summary, speedup: number): void {
  console.log(
    `${name.padEnd(38)} ${describe(ours).padEnd(24)} loop ${describe(plain).padEnd(26)} ` +
      `${speedup.toFixed(1)} times faster`,
  );
}

function describe({ median, low, high }: Summary): string {
  return `${micros(median)} (${micros(low)}..${micros(high)})`;
}

function micros(nanoseconds: number): string {
  return (nanoseconds / 1000).toPrecision(3);
}

function spread(summary: Summary | undefined): string {
  const { median, low, high } = summary ?? { median: NaN, low: NaN, high: NaN };
  return `${median.toFixed(2)} (${low.toFixed(2)}..${high.toFixed(2)})`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
