/**
 * The codecs of blobs alone, in memory and on one core: finding content-defined cuts, Reed-Solomon parity
 * 10+4, restoring lost chunks, building trees. `memcpy` is the yardstick of the machine; the plain
 * references are the tests' own.
 *
 * Run: `deno run -A bench/blob_codecs.ts`. `NET_BENCH_ROUNDS` changes the number of rounds. Rates are 10^6
 * bytes of data per second, without hashes.
 */
import {
  CONTENT_DEFINED_CHUNKING,
  createCutter,
  createTreeBuilder,
  parityRows,
  restoringRows,
  STRIPE_CODE,
} from "../src/blob/mod.ts";
import { galoisAddProducts } from "../src/core/crypto/mod.ts";
import { summarize } from "./_summary.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "7");
const CHUNK_BYTES = 4 * 1024 * 1024;
const CUT_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const TREE_CHUNKS = 100_000;

if (import.meta.main) {
  console.log(`RESULT ${JSON.stringify(measureBlobCodecs(ROUNDS))}`);
}

/** Medians over `rounds` rounds, all candidates in turn; prints each with its spread. */
export function measureBlobCodecs(rounds: number): Record<string, number> {
  const bytes = randomBytes(CUT_BYTES);
  const copy = new Uint8Array(CUT_BYTES);
  const { data, parity } = STRIPE_CODE;
  const shards = Array.from(
    { length: data },
    (_, i) => bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  );
  const rows = parityRows(STRIPE_CODE);
  const lost = Array.from({ length: parity }, (_, i) => i);
  // The first four are lost; every other data chunk and all parity are there.
  const present = Array.from({ length: data }, (_, i) => i + parity);
  const restoring = restoringRows(STRIPE_CODE, present, lost);
  const candidates: Readonly<Record<string, () => number>> = {
    memcpy_mb_s: () => rateOf(CUT_BYTES, () => copy.set(bytes)),
    cdc_mb_s: () => rateOf(CUT_BYTES, () => cutAll(bytes)),
    rs_encode_mb_s: () => rateOf(data * CHUNK_BYTES, () => multiply(rows, shards)),
    rs_restore_mb_s: () => rateOf(data * CHUNK_BYTES, () => multiply(restoring, shards)),
    tree_chunks_per_ms: () => rateOf(TREE_CHUNKS * 1_000, buildTree),
  };
  const samples = new Map<string, number[]>();
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (const [name, measure] of Object.entries(candidates)) {
      const rate = measure();
      if (round >= 0) samples.set(name, [...samples.get(name) ?? [], rate]);
    }
  }
  const results: Record<string, number> = {};
  for (const [name, rates] of samples) {
    const { median, low, high } = summarize(rates);
    results[name] = Math.round(median);
    console.log(
      `${name.padEnd(20)} ${median.toFixed(0)} (${low.toFixed(0)}..${high.toFixed(0)})`,
    );
  }
  return results;
}

/** 10^6 bytes per second, or thousands of anything per second. */
function rateOf(bytes: number, run: () => void): number {
  const startMs = performance.now();
  run();
  return bytes / (performance.now() - startMs) / 1_000;
}

/** As a stream is cut: the chunk so far grows by a piece at a time. */
function cutAll(bytes: Uint8Array): number {
  const cutter = createCutter(CONTENT_DEFINED_CHUNKING);
  let [start, end, cuts] = [0, 0, 0];
  while (end < bytes.length) {
    end = Math.min(end + PIECE_BYTES, bytes.length);
    for (;;) {
      const size = cutter.find(bytes.subarray(start, end));
      if (size === 0) break;
      start += size;
      cuts += 1;
    }
  }
  return cuts;
}

function multiply(rows: readonly Uint8Array[], shards: readonly Uint8Array[]): void {
  const outputs = rows.map(() => new Uint8Array(CHUNK_BYTES));
  for (const [column, shard] of shards.entries()) {
    galoisAddProducts(shard, Uint8Array.from(rows, (row) => row[column] ?? 0), outputs);
  }
}

function buildTree(): void {
  const builder = createTreeBuilder();
  const chunk = { hash: new Uint8Array(32), size: CHUNK_BYTES };
  for (let i = 0; i < TREE_CHUNKS; i++) builder.addChunk(chunk);
  builder.finish();
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}
