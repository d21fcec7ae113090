/**
 * How often each clause of a predicate was asked and held among many candidates (`capabilities.md` 9),
 * with the values of chosen metadata keys hidden, and as text.
 */
import { type CapabilitySet, compareUtf8 } from "../capability_set.ts";
import type { Predicate } from "./predicate.ts";
import { type ClauseTrace, prepareTrace } from "./trace.ts";

/** Counts of one label. */
export interface ClauseStats {
  readonly label: string;
  /** How often the clause was asked. */
  readonly evaluated: number;
  /** How often it held. */
  readonly matched: number;
}

/** Counts of a predicate. */
export interface PredicateReport {
  readonly totalCandidates: number;
  readonly matched: number;
  /** Ascending by the UTF-8 bytes of the label, each label once. */
  readonly clauseStats: readonly ClauseStats[];
}

/** What stands in the place of a hidden value. */
export const REDACTED = "<redacted>";

const LABEL_WIDTH = 60;
const COUNT_WIDTH = 5;
const PERCENT_WIDTH = 5;

/** Labels that hold a value of metadata: what is before the key, between the two, behind the value. */
const VALUE_LABELS = [
  ["MetadataEquals(", "=", ")"],
  ["MetadataMatches(", ' contains "', '")'],
  ["MetadataNumericAtLeast(", " >= ", ")"],
] as const;

/** Asks every set. */
export function createPredicateReport(
  predicate: Predicate,
  sets: Iterable<CapabilitySet>,
): PredicateReport {
  const trace = prepareTrace(predicate);
  const counts = new Map<string, Counts>();
  let totalCandidates = 0;
  let matched = 0;
  for (const set of sets) {
    const root = trace(set);
    totalCandidates += 1;
    if (root.result) matched += 1;
    count(root, counts);
  }
  return { totalCandidates, matched, clauseStats: sorted(counts) };
}

/**
 * Hides what the predicate asked of these metadata keys: values, patterns and thresholds. Which keys it
 * asked for stays, and so do counts; those of labels that became equal are added up.
 *
 * @example
 * ```ts
 * import { redactPredicateReport } from "./report.ts";
 * const clauseStats = [{ label: "MetadataEquals(owner=ada)", evaluated: 1, matched: 0 }];
 * const report = redactPredicateReport({ totalCandidates: 1, matched: 0, clauseStats }, ["owner"]);
 * console.assert(report.clauseStats[0]?.label === "MetadataEquals(owner=<redacted>)");
 * ```
 */
export function redactPredicateReport(
  report: PredicateReport,
  keys: Iterable<string>,
): PredicateReport {
  const hidden = new Set(keys);
  const counts = new Map<string, Counts>();
  for (const { label, evaluated, matched } of report.clauseStats) {
    add(counts, redactLabel(label, hidden), evaluated, matched);
  }
  return { ...report, clauseStats: sorted(counts) };
}

/** The label without the value, if its key is one of these. */
export function redactLabel(label: string, keys: ReadonlySet<string>): string {
  for (const [before, between, behind] of VALUE_LABELS) {
    if (!label.startsWith(before)) continue;
    // A key may itself hold what separates it from the value: the shortest that is meant hides most.
    for (
      let at = label.indexOf(between, before.length);
      at !== -1;
      at = label.indexOf(between, at + 1)
    ) {
      if (keys.has(label.slice(before.length, at))) {
        return `${label.slice(0, at)}${between}${REDACTED}${behind}`;
      }
    }
  }
  return label;
}

/** The report for a terminal, without a line break at the end. */
export function formatPredicateReport(report: PredicateReport): string {
  const { totalCandidates, matched, clauseStats } = report;
  const title = "What the predicate found";
  const lines = [
    title,
    "─".repeat(title.length),
    `Candidates: ${totalCandidates}`,
    `Matched:    ${matched} (${percent(matched, totalCandidates)}%)`,
    "",
    "Clauses:",
  ];
  for (const stats of clauseStats) {
    const label = stats.label + " ".repeat(Math.max(0, LABEL_WIDTH - [...stats.label].length));
    const [asked, held] = [stats.evaluated, stats.matched]
      .map((number) => String(number).padStart(COUNT_WIDTH));
    const share = percent(stats.matched, stats.evaluated).padStart(PERCENT_WIDTH);
    lines.push(`  ${label} asked ${asked}, held ${held} (${share}%)`);
  }
  return lines.join("\n");
}

interface Counts {
  evaluated: number;
  matched: number;
}

function count(trace: ClauseTrace, counts: Map<string, Counts>): void {
  add(counts, trace.label, 1, trace.result ? 1 : 0);
  for (const child of trace.children) count(child, counts);
}

function add(
  counts: Map<string, Counts>,
  label: string,
  evaluated: number,
  matched: number,
): void {
  const entry = counts.get(label) ?? { evaluated: 0, matched: 0 };
  entry.evaluated += evaluated;
  entry.matched += matched;
  counts.set(label, entry);
}

function sorted(counts: ReadonlyMap<string, Counts>): readonly ClauseStats[] {
  return [...counts].map(([label, entry]) => ({ label, ...entry }))
    .sort((left, right) => compareUtf8(left.label, right.label));
}

function percent(part: number, whole: number): string {
  return (whole === 0 ? 0 : (100 * part) / whole).toFixed(1);
}
