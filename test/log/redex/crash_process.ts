/**
 * Kills writers: each seed is a log that is written to by a program that is killed at a seeded moment, again
 * and again, and looked at after each time. What a killed program has written is in the system's memory,
 * so that every event whose append returned must be there.
 *
 * As a program: `crash_process.ts FIRST END STRIDE KILLS`; the last line is the report as JSON.
 */
import { systemClock, systemDisk } from "../../../src/base/mod.ts";
import { openRedex, type RedexFile, type TailItem } from "../../../src/log/redex/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { CRASH_CHANNEL, crashPayload, planCrash } from "./crash_writer.ts";

/** What became of the writers. */
export interface KillReport {
  kills: number;
  /** Events in the logs in the end, those that retention took included. */
  appended: number;
  /** Times that a program said how much is durable. */
  acknowledged: number;
  /** Events that were read after the kills. */
  recovered: number;
  readonly faults: string[];
}

const WRITER = new URL("./crash_writer.ts", import.meta.url).pathname;
/** So long a program lives after its first word, at most. */
const LIFE_MS_MAX = 60;

if (import.meta.main) {
  const [first = 1, end = 2, stride = 1, kills = 10] = Deno.args.map(Number);
  const total = emptyKillReport();
  for (let seed = first; seed < end; seed += stride) {
    addKillReport(total, await runKills(seed, kills));
  }
  console.log(JSON.stringify(total));
}

/** A report of nothing. */
export function emptyKillReport(): KillReport {
  return { kills: 0, appended: 0, acknowledged: 0, recovered: 0, faults: [] };
}

/** Adds a report to a total. */
export function addKillReport(total: KillReport, report: KillReport): void {
  total.kills += report.kills;
  total.appended += report.appended;
  total.acknowledged += report.acknowledged;
  total.recovered += report.recovered;
  total.faults.push(...report.faults);
}

/** Runs the writers of a seed. */
export async function runKills(seed: number, kills: number): Promise<KillReport> {
  const folder = await Deno.makeTempDir({ prefix: "net-crash-" });
  const report = emptyKillReport();
  const chance = seededRandom(seed + 77);
  /** Payloads that were found, by number: what was there once stays. */
  let found = new Map<number, string>();
  try {
    for (let run = 1; run <= kills; run++) {
      const said = await runWriter(folder, seed, run, chance() ** 2 * LIFE_MS_MAX);
      report.kills += 1;
      report.acknowledged += said.acknowledged;
      const check = await checkLog(folder, seed, run, said, found);
      found = check.found;
      report.recovered += found.size;
      report.faults.push(...check.faults.map((fault) => `seed ${seed}, run ${run}: ${fault}`));
      if (run === kills) report.appended = check.next;
      // What follows a fault is only its consequence.
      if (check.faults.length > 0) break;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return report;
}

/** What a program had said before it was killed. */
interface Said {
  /** All below was appended. */
  readonly appended: number;
  /** All below is durable. */
  readonly durable: number;
  readonly acknowledged: number;
}

async function runWriter(folder: string, seed: number, run: number, lifeMs: number): Promise<Said> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", WRITER, folder, String(seed), String(run)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    timer ??= setTimeout(() => child.kill("SIGKILL"), lifeMs);
    text += part;
  }
  clearTimeout(timer);
  const { signal } = await child.status;
  if (signal !== "SIGKILL") throw new Error(`the writer of seed ${seed} ended by itself`);
  let [appended, durable, acknowledged] = [0, 0, 0];
  // The last line may be cut, and a number that is cut is a smaller one.
  for (const line of text.split("\n").slice(0, -1)) {
    const next = Number(line.slice(2));
    if (line.startsWith("a")) appended = Math.max(appended, next);
    else {
      durable = Math.max(durable, next);
      acknowledged += 1;
    }
  }
  return { appended, durable, acknowledged };
}

async function checkLog(
  folder: string,
  seed: number,
  run: number,
  { appended, durable }: Said,
  before: ReadonlyMap<number, string>,
) {
  const { config, segmentBytesMax } = planCrash(seed);
  const faults: string[] = [];
  await using redex = openRedex({ clock: systemClock, disk: systemDisk }, {
    folder,
    segmentBytesMax,
  });
  // Retention rests, so that all that is there is looked at.
  const file = await redex.open(CRASH_CHANNEL, { isPersistent: true });
  const next = Number(file.nextSeq);
  if (next < Math.max(appended, durable)) {
    faults.push(`the next number is ${next}, but ${appended} were appended`);
  }
  const found = new Map<number, string>();
  const hasRetention = Object.keys(config.retention ?? {}).length > 0;
  for (const item of itemsOf(file)) {
    if (item.kind === "lag") {
      if (item.reason !== "retention" || !hasRetention) {
        faults.push(`${item.from} to ${item.to} are missing: ${item.reason}`);
      }
      continue;
    }
    const seq = Number(item.seq);
    const text = new TextDecoder().decode(item.payload);
    found.set(seq, text);
    const known = before.get(seq);
    const isRight = known === undefined ? isWritten(text, seq, run) : known === text;
    if (!isRight) faults.push(`event ${seq} was never written: ${text.slice(0, 30)}`);
  }
  return { next, found, faults: faults.slice(0, 5) };
}

function* itemsOf(file: RedexFile): Generator<TailItem> {
  using tail = file.tail({ from: 0n });
  for (let items = tail.takeNow(500); items.length > 0; items = tail.takeNow(500)) yield* items;
}

/** It is what this run, or an earlier one that was killed before it was looked at, writes at this number. */
function isWritten(text: string, seq: number, run: number): boolean {
  return text === new TextDecoder().decode(crashPayload(run, seq));
}
