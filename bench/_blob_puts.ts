/**
 * Puts and reads of one large file, each in a process of its own and in turns with a plain copy of the same file
 * on the same disk, and puts into memory in turns with the Rust core's.
 */
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { summarize } from "./_summary.ts";
import type { BlobStepFigures } from "./_blob_put_process.ts";

const FILE_BYTES = Number(Deno.env.get("NET_BENCH_BLOB_MIB") ?? "1024") * 1024 * 1024;
/** What both sides have in memory, twice: the payload and the store. */
const MEMORY_BYTES = 256 * 1024 * 1024;

/** Keys of the results with their values; prints each step with its spread. */
export async function measureBlobPuts(rounds: number): Promise<Record<string, number>> {
  // Beside the program, not in a temporary folder, which may be memory.
  const build = new URL("../build", import.meta.url).pathname;
  await Deno.mkdir(build, { recursive: true });
  const folder = await Deno.makeTempDir({ prefix: "net-bench-blob-", dir: build });
  try {
    const large = `${folder}/large`;
    const small = `${folder}/small`;
    await writeRandom(large, FILE_BYTES);
    await writeRandom(small, MEMORY_BYTES);
    const rates = new Map<string, number[]>();
    let peakRssBytes = 0;
    const run = async (what: string, file: string, place: string, round: number) => {
      const { bytes, seconds, peakRssBytes: peak } = await runStep(what, file, place);
      // The first round warms up the disk and the cache of the compiler.
      if (round < 0) return;
      rates.set(what, [...rates.get(what) ?? [], bytes / seconds / 1e6]);
      // What is put into memory is in it.
      if (!what.endsWith("_memory")) peakRssBytes = Math.max(peakRssBytes, peak);
    };
    const hasRust = rustPeerSkipReason() === undefined;
    for (let round = -1; round < rounds; round++) {
      for (const [put, others] of [["put", ["copy"]], ["put_tree", []]] as const) {
        const place = await Deno.makeTempDir({ dir: folder });
        // Whoever comes first finds the disk in another state; so they take turns in that, too.
        const steps = round % 2 === 0 ? [put, ...others] : [...others, put];
        for (const what of steps) await run(what, large, place, round);
        if (put === "put") await run("get", large, place, round);
        await Deno.remove(place, { recursive: true });
      }
      await run("put_memory", small, folder, round);
      if (hasRust) await run("rust_memory", small, folder, round);
    }
    for (const [what, values] of rates) {
      const { median, low, high } = summarize(values);
      console.log(
        `${what.padEnd(20)} ${median.toFixed(0)} MB/s (${low.toFixed(0)}..${high.toFixed(0)})`,
      );
    }
    const rateOf = (what: string) => summarize(rates.get(what) ?? []).median;
    const ratio = (ours: string, theirs: string) => {
      // Round by round, because the disk is another one from minute to minute.
      const all = (rates.get(ours) ?? []).map((rate, i) => rate / (rates.get(theirs)?.[i] ?? NaN));
      return Math.round(summarize(all).median * 100) / 100;
    };
    return {
      put_mb_s: Math.round(rateOf("put")),
      copy_mb_s: Math.round(rateOf("copy")),
      put_vs_copy: ratio("put", "copy"),
      put_tree_mb_s: Math.round(rateOf("put_tree")),
      read_mb_s: Math.round(rateOf("get")),
      put_memory_mb_s: Math.round(rateOf("put_memory")),
      ...(hasRust
        ? {
          rust_put_memory_mb_s: Math.round(rateOf("rust_memory")),
          put_vs_rust: ratio("put_memory", "rust_memory"),
        }
        : {}),
      peak_rss_mb: Math.round(peakRssBytes / 1e6),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function runStep(what: string, file: string, folder: string): Promise<BlobStepFigures> {
  const script = new URL("_blob_put_process.ts", import.meta.url).pathname;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", script, what, file, folder],
  }).output();
  if (!success) throw new Error(`step ${what}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1) ?? "");
}

async function writeRandom(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const piece = new Uint8Array(1024 * 1024);
  for (let at = 0; at < bytes; at += piece.length) {
    for (let from = 0; from < piece.length; from += 65_536) {
      crypto.getRandomValues(piece.subarray(from, from + 65_536));
    }
    for (let done = 0; done < piece.length;) done += await file.write(piece.subarray(done));
  }
  await file.syncData();
}
