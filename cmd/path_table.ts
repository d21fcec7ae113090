/** Ways to a peer that were tried, as a table for people. */
import { formatTable, formatTimeMs, listOf, numberOf, recordOf, textOf } from "./format.ts";

/** One row for each way, in the order they were tried. */
export function pathTable(paths: unknown): string {
  const rows = listOf(paths).map(recordOf).map((path) => [
    textOf(path.kind),
    textOf(path.outcome),
    textOf(path.address) || "-",
    textOf(path.via) || "-",
    path.outcome === "skipped" ? "-" : formatTimeMs(numberOf(path.ms) ?? 0),
    textOf(path.reason),
  ]);
  return formatTable([["PATH", "OUTCOME", "ADDRESS", "VIA", "TIME", "WHY"], ...rows]);
}
