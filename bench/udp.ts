/**
 * The batched socket against the portable one, bare: two processes, datagrams sent as fast as they are
 * given back, in alternation; and round trips one after the other, with polling and without.
 *
 * What counts is what arrives; the share that was lost on the way stands beside it. Ratios are batched
 * over portable, for round trips below 1 is faster. `NET_BENCH_ROUNDS` changes the number of rounds.
 */

import { startLineProcess } from "../test/interop/line_process.ts";
import type { UdpOpenOptions, UdpOperations } from "./_udp_process.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "3");
const SIZES: readonly number[] = [64, 1_200, 8_192];
const BLAST_MS = 1_000;
const ROUND_TRIPS = 3_000;
/** What is in the receiver's buffer when the sender stops has been read by then. */
const SETTLE_MS = 100;

const KINDS: Readonly<Record<string, UdpOpenOptions>> = {
  portable: { kind: "portable", pollMicroseconds: 0 },
  batched: { kind: "auto", pollMicroseconds: 50 },
  sleeping: { kind: "auto", pollMicroseconds: 0 },
};

interface Figures {
  readonly perSecond: number[];
  readonly lostPercent: number[];
  /** Growth of the receiver's resident memory from after the first quarter to the end. */
  readonly grownBytes: number[];
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  const results: Record<string, number> = {};
  console.log("bytes  socket    received/s (low..high)        MB/s   lost   memory grown");
  for (const size of SIZES) {
    const figures: Record<string, Figures> = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of ["portable", "batched"]) {
        const entry = figures[name] ??= { perSecond: [], lostPercent: [], grownBytes: [] };
        await measureBlast(KINDS[name] as UdpOpenOptions, size, entry);
      }
    }
    for (const [name, entry] of Object.entries(figures)) reportBlast(name, size, entry, results);
    const ratio = (results[`batched_${size}_per_second`] ?? 0) /
      (results[`portable_${size}_per_second`] ?? 1);
    results[`ratio_${size}`] = round3(ratio);
    console.log(`${" ".repeat(7)}ratio ${ratio.toFixed(2)}`);
  }
  for (const [name, options] of Object.entries(KINDS)) {
    const microseconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) microseconds.push(await measureRoundTrip(options));
    const p50 = median(microseconds);
    results[`${name}_round_trip_p50_us`] = round3(p50);
    console.log(`round trip of 64 B, ${name.padEnd(9)} p50 ${p50.toFixed(1)} µs`);
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}

function openProcess(name: string) {
  const program = new URL("./_udp_process.ts", import.meta.url);
  return startLineProcess<UdpOperations>(program, { name });
}

async function measureBlast(
  options: UdpOpenOptions,
  sizeBytes: number,
  figures: Figures,
): Promise<void> {
  await using source = openProcess("source");
  await using target = openProcess("target");
  await source.call("open", options);
  const { port } = await target.call("open", options);
  const blast = async (milliseconds: number) => {
    const sent = await source.call("blast", { port, sizeBytes, milliseconds });
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return { sent, got: await target.call("counts", {}) };
  };
  const warm = await blast(BLAST_MS / 3);
  const { sent, got } = await blast(BLAST_MS);
  figures.perSecond.push(got.datagrams / got.seconds);
  figures.lostPercent.push(100 * (1 - got.datagrams / sent.datagrams));
  figures.grownBytes.push(got.residentBytes - warm.got.residentBytes);
}

async function measureRoundTrip(options: UdpOpenOptions): Promise<number> {
  await using source = openProcess("source");
  await using target = openProcess("target");
  await source.call("open", options);
  const { port } = await target.call("open", options);
  await target.call("echo", {});
  const { microseconds } = await source.call("roundTrips", { port, count: ROUND_TRIPS });
  return median(microseconds);
}

function reportBlast(
  name: string,
  size: number,
  figures: Figures,
  results: Record<string, number>,
): void {
  const perSecond = median(figures.perSecond);
  const [low, high] = [Math.min(...figures.perSecond), Math.max(...figures.perSecond)];
  const lost = median(figures.lostPercent);
  const grown = Math.max(...figures.grownBytes);
  results[`${name}_${size}_per_second`] = Math.round(perSecond);
  results[`${name}_${size}_mb_per_second`] = round3(perSecond * size / 1e6);
  results[`${name}_${size}_lost_percent`] = round3(lost);
  results[`${name}_${size}_grown_mib`] = round3(grown / 1024 ** 2);
  const rates = `${kilo(perSecond)} (${kilo(low)}..${kilo(high)})`;
  console.log(
    `${String(size).padEnd(6)} ${name.padEnd(9)} ${rates.padEnd(28)} ` +
      `${(perSecond * size / 1e6).toFixed(0).padStart(5)} ${lost.toFixed(1).padStart(5)} % ` +
      `${(grown / 1024 ** 2).toFixed(1).padStart(6)} MiB`,
  );
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function kilo(value: number): string {
  return `${Math.round(value / 1000)}k`;
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
