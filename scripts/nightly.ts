/**
 * What takes too long for every change: a thousand simulated networks, another thousand with calls on them,
 * logs on thousands of disks that crash, a thousand writers and hundreds of blob stores that are killed, a million
 * hostile inputs for each decoder, a handshake flood, a soak, two thousand busy connections, lossy transfers with the
 * live Rust core. Prints a table of steps and a verdict; the exit code is 1 when a step failed. `--only NAME` runs one
 * step.
 *
 * `NET_SIM_SEEDS`, `NET_SIM_FIRST`, `NET_CRASH_SEEDS`, `NET_KILLS`, `NET_BLOB_KILLS`, `NET_FUZZ_COUNT`, `NET_FUZZ_SEED`,
 * `NET_FLOOD_SECONDS`, `NET_SOAK_SECONDS`, `NET_LOAD_SECONDS` and `NET_INTEROP_SEEDS` change how much is done.
 */

import { FUZZ_TARGETS } from "../test/fuzz/targets.ts";
import {
  addKillReport,
  emptyKillReport,
  type KillReport,
} from "../test/log/redex/crash_process.ts";
import {
  addBlobKillReport,
  type BlobKillReport,
  emptyBlobKillReport,
} from "../test/blob/crash/blob_crash_process.ts";
import { addReport, describeReport, emptyReport, type SeedsReport } from "../test/sim/seeds.ts";

/** What a step found. */
interface StepResult {
  /** One line for the table. */
  readonly summary: string;
  /** What went wrong, each with how to replay it; empty when all is well. */
  readonly failures: readonly string[];
}

const STEPS: Readonly<Record<string, () => Promise<StepResult>>> = {
  simulation: simulate,
  calls,
  crashes,
  fuzz,
  flood: () => runProgram("test/soak/flood.ts"),
  soak: () => runProgram("test/soak/soak.ts"),
  connections: () => runProgram("test/soak/connections.ts"),
  interop,
};

/** The simulation has to be done in this time, whatever the machine. */
const SIMULATION_MS_MAX = 300_000;
const SEEDS = setting("NET_SIM_SEEDS", 1_000);
const FIRST_SEED = setting("NET_SIM_FIRST", 1);
const FUZZ_COUNT = setting("NET_FUZZ_COUNT", 1_000_000);
const FUZZ_SEED = setting("NET_FUZZ_SEED", 20_817);
const INTEROP_SEEDS = setting("NET_INTEROP_SEEDS", 8);
const CRASH_SEEDS = setting("NET_CRASH_SEEDS", 6_000);
const KILLS = setting("NET_KILLS", 1_000);
const BLOB_KILLS = setting("NET_BLOB_KILLS", 240);
const KILLS_PER_SEED = 10;
const CORES = Math.max(1, navigator.hardwareConcurrency);

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  const [flag, only] = args;
  if (flag !== undefined && (flag !== "--only" || only === undefined || !(only in STEPS))) {
    console.error(`nightly: cannot run "${args.join(" ")}"`);
    console.error(`next: give nothing, or --only and one of ${Object.keys(STEPS).join(", ")}`);
    return 2;
  }
  const rows: string[] = [];
  let failed = 0;
  for (const [name, run] of Object.entries(STEPS)) {
    if (only !== undefined && name !== only) continue;
    console.log(`== ${name}`);
    const startMs = performance.now();
    const { summary, failures } = await run().catch((error: unknown): StepResult => ({
      summary: "the step itself failed",
      failures: [error instanceof Error ? error.stack ?? error.message : String(error)],
    }));
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1).padStart(7);
    for (const failure of failures) console.log(failure);
    if (failures.length > 0) failed += 1;
    const verdict = failures.length === 0 ? "passed" : "FAILED";
    rows.push(`${name.padEnd(11)} ${verdict} ${seconds} s  ${summary}`);
    console.log(rows.at(-1));
  }
  console.log(`\n${rows.join("\n")}`);
  console.log(failed === 0 ? "nightly: all passed" : `nightly: ${failed} of ${rows.length} failed`);
  return failed === 0 ? 0 : 1;
}

/** Seeds are dealt out to as many processes as there are cores. */
async function simulate(): Promise<StepResult> {
  const total = emptyReport();
  const startMs = performance.now();
  const end = FIRST_SEED + SEEDS;
  const reports = await Promise.all(Array.from({ length: CORES }, async (_, i) => {
    const args = [FIRST_SEED + i, end, CORES].map(String);
    return JSON.parse(await outputOf("test/sim/sim_process.ts", args)) as SeedsReport;
  }));
  for (const report of reports) addReport(total, report);
  const failures = [...total.failures];
  const ms = performance.now() - startMs;
  if (ms > SIMULATION_MS_MAX) failures.push(`it took ${Math.round(ms)} ms`);
  return { summary: describeReport(total), failures };
}

/** Decoders are dealt out one by one. */
async function fuzz(): Promise<StepResult> {
  const waiting = Object.keys(FUZZ_TARGETS);
  const failures: string[] = [];
  let inputs = 0;
  const work = async () => {
    // The last of the table are the slowest.
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const args = [name, String(FUZZ_SEED), String(FUZZ_COUNT)];
      try {
        const report = JSON.parse(await outputOf("test/fuzz/fuzz_process.ts", args));
        inputs += report.inputs;
        console.log(`${name.padEnd(24)} ${report.accepted} of ${report.inputs} accepted`);
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CORES }, work));
  const { length } = Object.keys(FUZZ_TARGETS);
  return { summary: `${length} decoders, ${inputs} inputs, seed ${FUZZ_SEED}`, failures };
}

/** Calls on networks that lose, delay and reorder. */
function calls(): Promise<StepResult> {
  const summary = `unary calls and streams on ${SEEDS} networks`;
  return runTest("test/sim/rpc_sim_test.ts", { NET_SIM_SEEDS: String(SEEDS) }, summary);
}

/** Logs on a disk that loses what was not synced, and logs whose writer is killed. */
async function crashes(): Promise<StepResult> {
  const simulated = await runTest(
    "test/log/redex/crash_sim_test.ts",
    { NET_CRASH_SEEDS: String(CRASH_SEEDS) },
    "",
  );
  const total = emptyKillReport();
  const reports = await killAll<KillReport>("test/log/redex/crash_process.ts", KILLS);
  for (const report of reports) addKillReport(total, report);
  const blobs = emptyBlobKillReport();
  const path = "test/blob/crash/blob_crash_process.ts";
  for (const report of await killAll<BlobKillReport>(path, BLOB_KILLS)) {
    addBlobKillReport(blobs, report);
  }
  const summary = `${CRASH_SEEDS} simulated disks; ${total.kills} writers killed, ` +
    `${total.appended} events appended, ${total.acknowledged} times acknowledged; ` +
    `${blobs.kills} blob stores killed, ${blobs.acknowledged} things done, ${blobs.checked} blobs checked`;
  return { summary, failures: [...simulated.failures, ...total.faults, ...blobs.faults] };
}

/** Runs a program that kills others, in as many processes as there are cores; the report of each. */
function killAll<Report>(path: string, kills: number): Promise<Report[]> {
  const end = FIRST_SEED + Math.ceil(kills / KILLS_PER_SEED);
  return Promise.all(Array.from({ length: CORES }, async (_, i) => {
    const args = [FIRST_SEED + i, end, CORES, KILLS_PER_SEED].map(String);
    return JSON.parse(await outputOf(path, args)) as Report;
  }));
}

/** Transfers of 64 MiB to and from the live Rust core at 10 % loss. */
function interop(): Promise<StepResult> {
  const summary = `64 MiB each way at 10 % loss, ${INTEROP_SEEDS} seeds`;
  const settings = { NET_INTEROP_SEEDS: String(INTEROP_SEEDS) };
  return runTest("test/interop/rust_loss_test.ts", settings, summary);
}

/** A test whose settings make it longer. */
async function runTest(
  path: string,
  env: Readonly<Record<string, string>>,
  summary: string,
): Promise<StepResult> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", "--no-check", path],
    env,
  }).spawn().status;
  return { summary, failures: code === 0 ? [] : [`${path} ended with exit code ${code}`] };
}

/** A program that prints what it does, and as its last line a summary; its exit code is the verdict. */
async function runProgram(path: string): Promise<StepResult> {
  const { code, text } = await run(path, []);
  const lines = text.trimEnd().split("\n");
  const failures = code === 0 ? [] : [`${path} ended with exit code ${code}`];
  return { summary: lines.at(-1) ?? "", failures };
}

/** The last line that a program printed. */
async function outputOf(path: string, args: readonly string[]): Promise<string> {
  const { code, text } = await run(path, args);
  if (code !== 0) throw new Error(`${path} ${args.join(" ")} ended with exit code ${code}`);
  return text.trimEnd().split("\n").at(-1) ?? "";
}

async function run(path: string, args: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", path, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (args.length === 0) await Deno.stdout.write(new TextEncoder().encode(part));
  }
  const { code } = await child.status;
  return { code, text };
}

function setting(name: string, standard: number): number {
  return Number(Deno.env.get(name) ?? standard);
}
