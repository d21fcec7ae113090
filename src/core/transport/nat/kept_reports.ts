/** What the last searches for peers came to, for those who ask later. */
import { REPORTS_MAX } from "./limits.ts";
import type { PathReport } from "./types.ts";

/** What came of the last search for a peer. */
export interface KeptReport {
  readonly report: PathReport;
  /** By the clock of whoever kept it. */
  readonly atMs: number;
}

/** One report for each of the {@linkcode REPORTS_MAX} peers sought last. */
export class KeptReports {
  /** The least recent first. */
  readonly #reports = new Map<bigint, KeptReport>();

  /** Keeps a report in place of the one of the same peer before. */
  keep(report: PathReport, atMs: number): void {
    this.#reports.delete(report.peer);
    for (const oldest of this.#reports.keys()) {
      if (this.#reports.size < REPORTS_MAX) break;
      this.#reports.delete(oldest);
    }
    this.#reports.set(report.peer, { report, atMs });
  }

  /** The last one about a peer. */
  get(peer: bigint): KeptReport | undefined {
    return this.#reports.get(peer);
  }
}
