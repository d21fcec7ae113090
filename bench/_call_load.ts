/**
 * Loads of calls, the same for whoever is measured: so many at a time until so many are done, each timed from
 * the call to its result in JavaScript.
 */
import process from "node:process";

/** How many calls, and how. */
export interface CallLoad {
  readonly count: number;
  readonly inFlight: number;
  readonly bodyBytes: number;
}

/** How many items of what size. */
export interface ItemLoad {
  readonly count: number;
  readonly bodyBytes: number;
}

/** What a load gave. */
export interface CallFigures {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Calls without a result. */
  readonly failed: number;
  /** Text of the first of them. */
  readonly failure: string | undefined;
  /** CPU time of the process per call, all threads. */
  readonly cpuUsPerCall: number;
}

/** Items that were moved, or round trips that were made. */
export interface ItemFigures {
  readonly perSecond: number;
  /** Items that never came. */
  readonly lost: number;
}

/** Figures of items of which so many came. */
export function itemFigures(items: number, count: number, startMs: number): ItemFigures {
  return { perSecond: items / ((performance.now() - startMs) / 1000), lost: count - items };
}

/** Runs a load; a call that fails ends nothing but is counted. */
export async function measureCalls(
  call: () => Promise<unknown>,
  { count, inFlight }: CallLoad,
): Promise<CallFigures> {
  const microseconds: number[] = [];
  let left = count;
  let failed = 0;
  let failure: string | undefined;
  const usage = process.cpuUsage();
  const startMs = performance.now();
  const work = async () => {
    while (left-- > 0) {
      const callMs = performance.now();
      try {
        await call();
        microseconds.push(1000 * (performance.now() - callMs));
      } catch (error) {
        failed += 1;
        failure ??= String(error instanceof Error ? error.message : error);
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(usage);
  microseconds.sort((a, b) => a - b);
  return {
    perSecond: microseconds.length / seconds,
    p50Us: quantile(microseconds, 0.5),
    p99Us: quantile(microseconds, 0.99),
    failed,
    failure,
    cpuUsPerCall: (user + system) / count,
  };
}

/** Value below which that share of sorted values lies; NaN without values. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
