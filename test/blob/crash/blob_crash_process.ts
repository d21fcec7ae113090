/**
 * Kills nodes at work on their blobs: each seed is a data folder that is used by a program that is killed at a seeded
 * moment, again and again, and looked at after each time. What was acknowledged must be there and whole, what
 * is listed must be whole, and nothing on the disk may be damaged.
 *
 * As a program: `blob_crash_process.ts FIRST END STRIDE KILLS`; the last line is the report as JSON.
 */
import { toHex } from "../../../src/base/mod.ts";
import type { Storage } from "../../../src/services/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import {
  checkFiles,
  type FilePromises,
  type FileWord,
  lookAtLent,
  readFilePromises,
} from "./blob_crash_files.ts";
import { hasQuota, openCrashStorage } from "./blob_crash_writer.ts";

/** What became of the programs. */
export interface BlobKillReport {
  kills: number;
  /** Things that were said to be done. */
  acknowledged: number;
  /** Blobs that were looked at after the kills. */
  checked: number;
  /** Files that were got. */
  files: number;
  /** Chunks that a kill left outside of the store. */
  lent: number;
  readonly faults: string[];
}

const WRITER = new URL("./blob_crash_writer.ts", import.meta.url).pathname;
/** So long a program lives after its first word, at most. */
const LIFE_MS_MAX = 400;

if (import.meta.main) {
  const [first = 1, end = 2, stride = 1, kills = 10] = Deno.args.map(Number);
  const total = emptyBlobKillReport();
  for (let seed = first; seed < end; seed += stride) {
    addBlobKillReport(total, await runBlobKills(seed, kills));
  }
  console.log(JSON.stringify(total));
}

/** A report of nothing. */
export function emptyBlobKillReport(): BlobKillReport {
  return { kills: 0, acknowledged: 0, checked: 0, files: 0, lent: 0, faults: [] };
}

/** Adds a report to a total. */
export function addBlobKillReport(total: BlobKillReport, report: BlobKillReport): void {
  total.kills += report.kills;
  total.acknowledged += report.acknowledged;
  total.checked += report.checked;
  total.files += report.files;
  total.lent += report.lent;
  total.faults.push(...report.faults);
}

/** Runs the programs of a seed. */
export async function runBlobKills(seed: number, kills: number): Promise<BlobKillReport> {
  const folder = await Deno.makeTempDir({ prefix: "net-blob-crash-" });
  const report = emptyBlobKillReport();
  const chance = seededRandom(seed + 177);
  /** Blobs that were put and not removed since, in all runs. */
  const promised = new Set<string>();
  const files: FilePromises = new Map();
  try {
    for (let run = 1; run <= kills; run++) {
      const said = await runWriter(folder, seed, run, chance() * LIFE_MS_MAX);
      report.kills += 1;
      report.acknowledged += said.filter(({ what }) =>
        /^(put|removed|spilled|got)$/.test(what)
      ).length;
      const gone = readPromises(said, promised);
      const taken = readFilePromises(said, files);
      const left = await lookAtLent(folder);
      report.files += said.filter(({ what }) => what === "got").length;
      report.lent += left.chunks.size;
      const storage = await openCrashStorage(folder, seed);
      try {
        await storage.settleLent();
        const faults = await checkFiles(folder, storage, left, files, !hasQuota(seed));
        const blobs = await check(storage, promised, gone);
        report.checked += blobs.checked;
        faults.push(...taken, ...blobs.faults);
        report.faults.push(...faults.map((fault) => `seed ${seed}, run ${run}: ${fault}`));
        // What follows a fault is only its consequence.
        if (faults.length > 0) break;
      } finally {
        await storage.stop();
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return report;
}

async function runWriter(
  folder: string,
  seed: number,
  run: number,
  lifeMs: number,
): Promise<FileWord[]> {
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
  // The last line may be cut.
  return text.split("\n").slice(0, -1).map((line) => {
    const [what = "", name = "", content = ""] = line.split(" ");
    return { what, name, content };
  });
}

/** Follows what was said; the blobs that must be gone. */
function readPromises(said: readonly FileWord[], promised: Set<string>): Set<string> {
  const gone = new Set<string>();
  for (const { what, name } of said) {
    if (what === "putting" || what === "fetching") gone.delete(name);
    else if (what === "put") promised.add(name);
    else if (what === "removing") promised.delete(name);
    else if (what === "removed") gone.add(name);
  }
  return gone;
}

async function check(
  storage: Storage,
  promised: ReadonlySet<string>,
  gone: ReadonlySet<string>,
): Promise<{ readonly checked: number; readonly faults: string[] }> {
  const faults: string[] = [];
  const before = await listed(storage);
  for (const name of promised) if (!before.has(name)) faults.push(`blob ${name} is lost`);
  for (const name of gone) if (before.has(name)) faults.push(`blob ${name} is back`);
  faults.push(...await incomplete(storage));
  faults.push(...await scrub(storage));
  // What the crash left is found, and goes; nothing else does.
  await storage.blobs.adoptStrangers();
  await storage.blobs.collect({ retentionMs: 0, isUnderPressure: true });
  const after = await listed(storage);
  if (after.size !== before.size) faults.push("a collection took blobs");
  faults.push(...(await incomplete(storage)).map((fault) => `after a collection: ${fault}`));
  faults.push(...await leftovers(storage));
  return { checked: before.size, faults: faults.slice(0, 5) };
}

async function listed({ blobs }: Storage): Promise<Set<string>> {
  const names = new Set<string>();
  for (let page = await blobs.list({ limit: 1_000 });;) {
    for (const { address } of page.blobs) names.add(toHex(address));
    if (page.next === undefined) return names;
    page = await blobs.list({ limit: 1_000, after: page.next });
  }
}

/** Chunks of listed blobs that are not here though no peer is known to hold them. */
async function incomplete({ ledger, blobs }: Storage): Promise<string[]> {
  const chunks = await ledger.db.selectFrom("blob_chunk")
    .leftJoin("chunk_spill", "chunk_spill.hash", "blob_chunk.hash")
    .select(["blob_chunk.hash", "blob_chunk.address", "chunk_spill.holder"]).distinct().execute();
  const faults: string[] = [];
  for (const { hash, address, holder } of chunks) {
    if (holder !== null || await blobs.readChunk(hash) !== undefined) continue;
    faults.push(`chunk ${toHex(hash)} of blob ${toHex(address)} is missing`);
  }
  return faults;
}

/** Reads every chunk that is on the disk. */
async function scrub({ chunks }: Storage): Promise<string[]> {
  const faults: string[] = [];
  for await (const hash of chunks.list()) {
    if (await chunks.read(hash) === undefined) faults.push(`chunk ${toHex(hash)} is damaged`);
  }
  if (chunks.counters.corrupt > 0) faults.push(`${chunks.counters.corrupt} chunks were damaged`);
  return faults;
}

/** Chunks that nothing needs, rows without chunks, bytes that nobody counted. */
async function leftovers({ ledger, chunks, blobs }: Storage): Promise<string[]> {
  const faults: string[] = [];
  const rows = await ledger.db.selectFrom("chunk").select(["hash"]).execute();
  const known = new Set(rows.map(({ hash }) => toHex(hash)));
  let bytes = 0;
  for await (const hash of chunks.list()) {
    bytes += await chunks.has(hash) ?? 0;
    if (!known.delete(toHex(hash))) faults.push(`chunk ${toHex(hash)} has no row`);
    if ((await blobs.standingOf(hash))?.refcount === 0) {
      faults.push(`chunk ${toHex(hash)} is needed by nothing and stays`);
    }
  }
  const { usedBytes } = blobs.room();
  if (usedBytes !== bytes) faults.push(`${usedBytes} bytes are counted, ${bytes} are there`);
  return faults;
}
