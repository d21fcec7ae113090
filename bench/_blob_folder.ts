/**
 * A folder of 100,000 files of 1 KiB as one blob, against `tar` of the same files on the same disk, in turns.
 *
 * Each put and get has a process and a data folder of its own. `tar` is timed with its start, ours without; ours ends
 * with everything synced, `tar` does not. The disk is one in memory where there is room, and each round is removed
 * behind it; on any other nothing is removed until the end, because some file systems make new files slowly for
 * minutes after many were removed.
 */
import { statfsSync } from "node:fs";
import { summarize } from "./_summary.ts";

/** What was measured. */
export interface FolderFigures {
  /** Time of ours as a multiple of that of `tar`, the worse of put and get. */
  readonly dir_vs_tar: number;
  readonly dir_put_vs_tar: number;
  readonly dir_get_vs_tar: number;
  readonly dir_put_files_per_second: number;
  readonly dir_get_files_per_second: number;
  readonly dir_peak_rss_mb: number;
}

/** Memory that is a disk: what a device makes of it would be measured beside ours and `tar`. */
const MEMORY_DISK = "/dev/shm";
/** What one round and the files themselves take of it, with room to spare. */
const ROUND_BYTES = 2 * 1024 ** 3;

const FOLDERS = 100;
const FILES_PER_FOLDER = 1_000;
const FILE_BYTES = 1_024;
const PROCESS = new URL("./_blob_folder_process.ts", import.meta.url).pathname;

interface Run {
  readonly seconds: number;
  readonly rssMb: number;
  readonly address?: string;
}

/**
 * Measures puts and gets of a folder.
 *
 * @param rounds Times that each is done.
 */
export async function measureFolders(rounds: number): Promise<FolderFigures> {
  const base = await Deno.makeTempDir({ prefix: "net-bench-folder-", dir: whereToMeasure() });
  try {
    const source = `${base}/source`;
    makeFiles(source);
    const times: Record<"tarPut" | "put" | "tarGet" | "get", number[]> = {
      tarPut: [],
      put: [],
      tarGet: [],
      get: [],
    };
    const ratios = { put: [] as number[], get: [] as number[] };
    let rssMb = 0;
    for (let round = 0; round < rounds; round++) {
      const at = `${base}/${round}`;
      Deno.mkdirSync(`${at}/tar`, { recursive: true });
      times.tarPut.push(await tar(["-cf", `${at}/a.tar`, "-C", source, "."]));
      const put = await ours(["put", `${at}/data`, source]);
      times.tarGet.push(await tar(["-xf", `${at}/a.tar`, "-C", `${at}/tar`]));
      const get = await ours(["get", `${at}/data`, `${at}/ours`, put.address ?? ""]);
      times.put.push(put.seconds);
      times.get.push(get.seconds);
      ratios.put.push(put.seconds / (times.tarPut.at(-1) ?? NaN));
      ratios.get.push(get.seconds / (times.tarGet.at(-1) ?? NaN));
      rssMb = Math.max(rssMb, put.rssMb, get.rssMb);
      if (base.startsWith(MEMORY_DISK)) await Deno.remove(at, { recursive: true });
    }
    const files = FOLDERS * FILES_PER_FOLDER;
    const put = summarize(ratios.put).median;
    const get = summarize(ratios.get).median;
    for (const [name, list] of Object.entries(times)) {
      const { median, low, high } = summarize(list);
      console.log(
        `${name.padEnd(8)} ${median.toFixed(2)} s (${low.toFixed(2)}..${high.toFixed(2)})`,
      );
    }
    return {
      dir_vs_tar: round2(Math.max(put, get)),
      dir_put_vs_tar: round2(put),
      dir_get_vs_tar: round2(get),
      dir_put_files_per_second: Math.round(files / summarize(times.put).median),
      dir_get_files_per_second: Math.round(files / summarize(times.get).median),
      dir_peak_rss_mb: Math.round(rssMb),
    };
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

/** The folder to measure in; `undefined` for the usual one. */
function whereToMeasure(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_DISK);
    return bavail * bsize >= ROUND_BYTES ? MEMORY_DISK : undefined;
  } catch {
    return undefined; // There is none.
  }
}

function makeFiles(root: string): void {
  const bytes = new Uint8Array(FILE_BYTES);
  for (let folder = 0; folder < FOLDERS; folder++) {
    Deno.mkdirSync(`${root}/${folder}`, { recursive: true });
    for (let file = 0; file < FILES_PER_FOLDER; file++) {
      crypto.getRandomValues(bytes);
      Deno.writeFileSync(`${root}/${folder}/${file}.bin`, bytes);
    }
  }
}

/** Seconds of one run. */
async function tar(args: string[]): Promise<number> {
  const startMs = performance.now();
  const { success } = await new Deno.Command("tar", { args }).output();
  if (!success) throw new Error(`tar ${args[0]} failed`);
  return (performance.now() - startMs) / 1000;
}

async function ours(args: string[]): Promise<Run> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", PROCESS, ...args],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}

if (import.meta.main) {
  const figures = await measureFolders(Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "3"));
  console.log(`RESULT ${JSON.stringify(figures)}`);
}
