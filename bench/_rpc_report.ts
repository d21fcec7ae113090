/** What `bench/rpc.ts` prints of calls, and which figures it keeps. */
import type { CallFigures } from "./_call_load.ts";
import { summarize } from "./_summary.ts";

/** Figures by key. */
export type Results = Record<string, number>;

/** One side's rounds of one load. */
export interface SideRounds {
  readonly figures: CallFigures[];
  /** CPU microseconds of the serving process per call. */
  readonly serverUs: number[];
}

/** Medians over the rounds of one side. */
export interface SideMedians {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Prints a side's line, with where the time goes, and gives its medians. */
export function reportSide(
  side: string,
  load: string,
  { figures, serverUs }: SideRounds,
): SideMedians {
  const of = (read: (each: CallFigures) => number) => summarize(figures.map(read)).median;
  const rates = summarize(figures.map(({ perSecond }) => perSecond));
  const medians = {
    perSecond: rates.median,
    p50Us: of(({ p50Us }) => p50Us),
    p99Us: of(({ p99Us }) => p99Us),
  };
  const failed = figures.reduce((sum, each) => sum + each.failed, 0);
  const cost = `CPU per call: caller ${of(({ cpuUsPerCall }) => cpuUsPerCall).toFixed(1)} us, ` +
    `server ${summarize(serverUs).median.toFixed(1)} us`;
  const failure = figures.find((each) => each.failed > 0)?.failure;
  console.log(
    `${side.padEnd(14)} ${load.padEnd(20)} ${describeRate(rates)}, p50 ${
      medians.p50Us.toFixed(0)
    } us, ` +
      `p99 ${medians.p99Us.toFixed(0)} us; ${cost}` +
      (failed === 0 ? "" : `; ${failed} failed: ${failure}`),
  );
  return medians;
}

/** Median and spread of rates. */
export function describeRate({ median, low, high }: ReturnType<typeof summarize>): string {
  return `${Math.round(median)}/s (${Math.round(low)}..${Math.round(high)})`;
}

/** Three places behind the point. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
