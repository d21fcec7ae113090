/** How a validation run is shown: text for people and one JSON document (`validation.md` 5.4). */
import type { CapabilityReport } from "./capability_probe.ts";
import type { DeclaredReport } from "./declared.ts";
import type { StrictCheck } from "./strict_checks.ts";
import { type HealthMethod, type MethodVerdict, printable, type RuleSet } from "./verdict.ts";

const RULE = "━".repeat(54);

/** Names of one list in the text; the document has all of them. */
const NAMES_SHOWN_MAX = 12;

/** Result of one health method. */
export interface IpcMethodResult extends MethodVerdict {
  readonly method: HealthMethod;
  /** Milliseconds from connect to verdict, rounded. */
  readonly responseMs: number;
}

/** Everything a run found. */
export interface IpcReport {
  /** The endpoint as it was understood. */
  readonly endpoint: string;
  readonly transport: "uds" | "tcp" | "abstract";
  readonly rules: RuleSet;
  readonly compliant: boolean;
  readonly healthy: boolean;
  readonly primal: string | undefined;
  readonly version: string | undefined;
  /** RFC 3339 time in UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly results: readonly IpcMethodResult[];
  /** Only under the strict rule set. */
  readonly checks: readonly StrictCheck[] | undefined;
  readonly capabilities: CapabilityReport | undefined;
  /** Only where metadata was given. */
  readonly declared: DeclaredReport | undefined;
}

/** The document `net.validate.ipc.v1`. */
export function ipcReportDocument(report: IpcReport): Readonly<Record<string, unknown>> {
  const { capabilities, checks, declared } = report;
  return {
    schema: "net.validate.ipc.v1",
    endpoint: report.endpoint,
    transport: report.transport,
    profile: report.rules,
    compliant: report.compliant,
    healthy: report.healthy,
    primal: report.primal ?? null,
    version: report.version ?? null,
    started_at: report.startedAt,
    duration_ms: report.durationMs,
    results: report.results.map((result) => ({
      method: result.method,
      passed: result.passed,
      response_ms: result.responseMs,
      outcome: result.outcome,
      error: result.error ?? null,
      code: result.code ?? null,
      missing: result.missing,
      warnings: result.warnings,
    })),
    ...(checks === undefined ? {} : {
      checks: checks.map(({ name, passed, error }) => ({ name, passed, error: error ?? null })),
    }),
    capabilities: capabilities === undefined ? null : {
      level: capabilities.level,
      form: capabilities.form ?? null,
      count: capabilities.methods.length,
      not_callable: capabilities.notCallable,
      unverified: capabilities.unverified,
      reasons: capabilities.reasons,
    },
    ...(declared === undefined ? {} : {
      metadata: {
        declared: declared.declared,
        not_advertised: declared.notAdvertised,
        not_declared: declared.notDeclared,
        warnings: declared.warnings,
      },
    }),
  };
}

/** Options of {@linkcode renderIpcReport}. */
export interface RenderIpcReportOptions {
  /** True on a terminal without `NO_COLOR`. */
  readonly useColor: boolean;
}

/** The report as text, ending with a newline. */
export function renderIpcReport(report: IpcReport, options: RenderIpcReportOptions): string {
  const paint = (color: number, text: string) =>
    options.useColor ? `\x1b[${color}m${text}\x1b[0m` : text;
  const mark = (passed: boolean) => passed ? paint(32, "✓") : paint(31, "✗");
  const lines = [`IPC Compliance Report: ${printable(report.endpoint)}`, RULE];
  for (const result of report.results) {
    lines.push(`  ${mark(result.passed)} ${result.method} (${result.responseMs}ms)`);
    if (result.error !== undefined) {
      // The reference's layout has no label.
      const label = report.rules === "reference" ? "" : ` [${result.outcome}]`;
      lines.push(`    → ${result.error}${label}`);
    }
    for (const warning of result.warnings) lines.push(`    ${paint(33, "!")} ${warning}`);
  }
  for (const { name, passed, error } of report.checks ?? []) {
    lines.push(`  ${mark(passed)} strict: ${name}`);
    if (error !== undefined) lines.push(`    → ${error}`);
  }
  if (report.capabilities !== undefined) {
    const { level, methods, notCallable, unverified, reasons } = report.capabilities;
    lines.push(`  • capabilities: level ${level}, ${methods.length} methods`);
    for (const reason of reasons) lines.push(`    ${paint(33, "!")} ${reason}`);
    if (notCallable.length > 0) lines.push(`    → not callable: ${someOf(notCallable)}`);
    if (unverified.length > 0) {
      lines.push(`    ${paint(33, "!")} not verified: ${unverified.length} methods`);
    }
  }
  if (report.declared !== undefined) {
    const { declared, notAdvertised, notDeclared, warnings } = report.declared;
    lines.push(`  ${mark(notAdvertised.length === 0)} metadata: ${declared} capabilities declared`);
    if (notAdvertised.length > 0) {
      lines.push(`    → declared, not advertised: ${someOf(notAdvertised)}`);
    }
    if (notDeclared.length > 0) {
      lines.push(`    ${paint(33, "!")} advertised, not declared: ${someOf(notDeclared)}`);
    }
    for (const warning of warnings) lines.push(`    ${paint(33, "!")} ${warning}`);
  }
  lines.push("");
  const result = report.compliant ? paint(32, "COMPLIANT") : paint(31, "NON-COMPLIANT");
  lines.push(`Result: ${result}`);
  return `${lines.join("\n")}\n`;
}

/** The first few names; a stranger's list may be long. */
function someOf(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(", ");
  const more = names.length - NAMES_SHOWN_MAX;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** Exit code of a finished run: 0 or 1. */
export function ipcExitCode(report: IpcReport): 0 | 1 {
  return report.compliant ? 0 : 1;
}
