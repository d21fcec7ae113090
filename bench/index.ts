/**
 * The capability index against plain loops over objects that hold a `Set`, and against the Rust core through
 * its addon; how fast announcements are taken in, what a node costs in memory, and growth.
 *
 * Speed-ups are loop / ours, and of several questions the smallest counts. `find_nodes_ratio` is ours / core.
 * `NET_BENCH_ONLY` names steps to run.
 */
import { createSampleNodes } from "./_index_data.ts";
import { createIndex, createQuestions, type Question } from "./_index_queries.ts";
import { timeInTurns } from "./_in_turns.ts";
import type { Summary } from "./_summary.ts";

const ONLY = Deno.env.get("NET_BENCH_ONLY")?.split(",");
const NODES = 10_000;
const GROWTH = [100, 1_000, 10_000, 100_000];

type Results = Record<string, number>;

if (import.meta.main) {
  const results: Results = {};
  const steps: Readonly<Record<string, () => void | Promise<void>>> = {
    queries: () => measureQueries(results),
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
    const { ours, plain } = timeInTurns({ ours: question.ours, plain: question.plain });
    const speedup = plain.median / ours.median;
    report(question, ours, plain, speedup);
    const key = `${question.group}_speedup`;
    results[key] = Math.min(results[key] ?? Infinity, round(speedup));
  }
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

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
