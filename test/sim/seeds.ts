/** Runs many scenarios and adds up what happened. */

import { runScenario } from "./network_scenario.ts";
import { describePlan, type PlanOptions, planScenario } from "./scenario_plan.ts";

/** What became of many scenarios. */
export interface SeedsReport {
  networks: number;
  streamsDone: number;
  streamsFailed: number;
  streamsSkipped: number;
  linksSealed: number;
  routesUsed: number;
  datagrams: number;
  /** One text per failing seed: how to replay it, what it was, what went wrong. */
  readonly failures: string[];
}

/** Options of {@linkcode runSeeds}. */
export interface RunSeedsOptions extends PlanOptions {
  readonly writeLog?: (line: string) => void;
}

/** A report of nothing. */
export function emptyReport(): SeedsReport {
  return {
    networks: 0,
    streamsDone: 0,
    streamsFailed: 0,
    streamsSkipped: 0,
    linksSealed: 0,
    routesUsed: 0,
    datagrams: 0,
    failures: [],
  };
}

/** Runs one scenario per seed. */
export async function runSeeds(
  seeds: Iterable<number>,
  options: RunSeedsOptions = {},
): Promise<SeedsReport> {
  const total = emptyReport();
  for (const seed of seeds) {
    const plan = planScenario(seed, options);
    const { faults, ...report } = await runScenario(plan, options).catch((error: unknown) => {
      // What could not even be judged has to name its seed too.
      throw new Error(`NET_SIM_SEED=${seed}: ${describePlan(plan)}`, { cause: error });
    });
    addReport(total, { ...report, networks: 1, failures: [] });
    if (faults.length === 0) continue;
    const text = faults.map((fault) => `  ${fault}`).join("\n");
    total.failures.push(`NET_SIM_SEED=${seed}: ${describePlan(plan)}\n${text}`);
  }
  return total;
}

/** Adds a report to a total. */
export function addReport(total: SeedsReport, report: SeedsReport): void {
  total.networks += report.networks;
  total.streamsDone += report.streamsDone;
  total.streamsFailed += report.streamsFailed;
  total.streamsSkipped += report.streamsSkipped;
  total.linksSealed += report.linksSealed;
  total.routesUsed += report.routesUsed;
  total.datagrams += report.datagrams;
  total.failures.push(...report.failures);
}

/** One line about what happened. */
export function describeReport(report: SeedsReport): string {
  return `${report.networks} networks: ${report.streamsDone} streams done, ` +
    `${report.streamsFailed} ended with an error, ${report.linksSealed} links sealed, ` +
    `${report.routesUsed} learned routes used, ${report.datagrams} datagrams`;
}
