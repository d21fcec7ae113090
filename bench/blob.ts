/**
 * Blobs of ours against the Rust core's: put into memory, and fetched by another process over the mesh
 * with every chunk verified; each side in two processes of its own, in alternation on the same cores.
 *
 * Behind them the codecs of `blob_codecs.ts` in this process, and what is done to one large file, in
 * processes whose peak memory is told (`_blob_puts.ts`). Last a folder of many small files against `tar`
 * (`_blob_folder.ts`), and a get of 1 GiB from node to node against one stream of the transport (`_blob_get.ts`).
 *
 * Ratios are ours / theirs, so above 1 is faster. `memcpy` is the yardstick of the machine.
 * `NET_BENCH_ROUNDS` changes the number of rounds.
 */
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { measureMeshBlobFetch, openMeshPair } from "./_mesh_pair.ts";
import { measureBlobPuts } from "./_blob_puts.ts";
import { measureFolders } from "./_blob_folder.ts";
import { measureBlobGets } from "./_blob_get.ts";
import { summarize } from "./_summary.ts";
import { measureBlobCodecs } from "./blob_codecs.ts";
import { measureRustBlobFetch, openRustPair } from "./_rust_pair.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");
const SIZE_BYTES = 64 * 1024 * 1024;
const GET_BYTES = Number(Deno.env.get("NET_BENCH_GET_MIB") ?? "1024") * 1024 * 1024;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const skip = rustPeerSkipReason();
  if (skip !== undefined) console.log(`without the Rust core: ${skip}`);
  const ours = { put: [] as number[], fetch: [] as number[] };
  const theirs = { put: [] as number[], fetch: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    {
      await using pair = await openMeshPair();
      const figures = await measureMeshBlobFetch(pair, SIZE_BYTES);
      ours.put.push(figures.putMegabytesPerSecond);
      ours.fetch.push(figures.fetchMegabytesPerSecond);
    }
    if (skip !== undefined) continue;
    await using pair = await openRustPair();
    const figures = await measureRustBlobFetch(pair, { sizeBytes: SIZE_BYTES });
    theirs.put.push(figures.putMegabytesPerSecond);
    theirs.fetch.push(figures.fetchMegabytesPerSecond);
  }
  const results: Record<string, number> = { memcpy_mb_per_second: measureCopy() };
  console.log("MB/s     ours (low..high)            Rust core (low..high)       ratio");
  for (const name of ["put", "fetch"] as const) {
    const mine = summarize(ours[name]);
    results[`${name}_mb_per_second`] = Math.round(mine.median);
    if (skip !== undefined) continue;
    const rival = summarize(theirs[name]);
    const ratio = mine.median / rival.median;
    results[`rust_${name}_mb_per_second`] = Math.round(rival.median);
    results[`${name}_ratio`] = Math.round(ratio * 100) / 100;
    const text = [mine, rival].map(({ median, low, high }) =>
      `${median.toFixed(0)} (${low.toFixed(0)}..${high.toFixed(0)})`.padEnd(28)
    );
    console.log(`${name.padEnd(8)} ${text.join("")}${ratio.toFixed(2)}`);
  }
  const codecs = measureBlobCodecs(ROUNDS);
  results.cdc_mb_s = codecs.cdc_mb_s ?? NaN;
  results.rs_encode_mb_s = codecs.rs_encode_mb_s ?? NaN;
  Object.assign(results, await measureBlobPuts(ROUNDS));
  const folders = await measureFolders(Math.min(ROUNDS, 3));
  Object.assign(results, folders);
  const gets = await measureBlobGets({ sizeBytes: GET_BYTES, rounds: Math.min(ROUNDS, 3) });
  Object.assign(results, gets);
  const peaks = [results.peak_rss_mb ?? 0, folders.dir_peak_rss_mb, gets.get_peak_mb];
  results.peak_rss_mb = Math.max(...peaks);
  console.log(`RESULT ${JSON.stringify(results)}`);
}

/** Copies of 64 MiB in this process, in 10^6 bytes per second. */
function measureCopy(): number {
  const source = new Uint8Array(SIZE_BYTES).fill(1);
  const target = new Uint8Array(SIZE_BYTES);
  target.set(source);
  const startMs = performance.now();
  for (let i = 0; i < 4; i++) target.set(source);
  return Math.round(4 * SIZE_BYTES / (performance.now() - startMs) / 1000);
}
