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
  /** True when a member that is not healthy was to fail. */
  readonly isHealthRequired: boolean;
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
  const signs = signsOf(options);
  const result = report.compliant ? signs.paint(32, "COMPLIANT") : signs.paint(31, "NON-COMPLIANT");
  const lines = [
    `IPC Compliance Report: ${printable(report.endpoint)}`,
    RULE,
    ...report.results.flatMap((found) => methodLines(found, report.rules, signs)),
    ...healthLines(report, signs),
    ...(report.checks ?? []).flatMap(({ name, passed, error }) => [
      `  ${signs.mark(passed)} strict: ${name}`,
      ...(error === undefined ? [] : [`    → ${error}`]),
    ]),
    ...capabilityLines(report, signs),
    ...declaredLines(report.declared, signs),
    "",
    `Result: ${result}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Signs before lines, with colour or without. */
interface Signs {
  paint(color: number, text: string): string;
  mark(passed: boolean): string;
  readonly warning: string;
}

function signsOf({ useColor }: RenderIpcReportOptions): Signs {
  const paint = (color: number, text: string) => useColor ? `\x1b[${color}m${text}\x1b[0m` : text;
  return {
    paint,
    mark: (passed) => passed ? paint(32, "✓") : paint(31, "✗"),
    warning: paint(33, "!"),
  };
}

function methodLines(result: IpcMethodResult, rules: RuleSet, signs: Signs): readonly string[] {
  // The reference's layout has no label.
  const label = rules === "reference" ? "" : ` [${result.outcome}]`;
  return [
    `  ${signs.mark(result.passed)} ${result.method} (${result.responseMs}ms)`,
    ...(result.error === undefined ? [] : [`    → ${result.error}${label}`]),
    ...result.warnings.map((warning) => `    ${signs.warning} ${warning}`),
  ];
}

/** Says it where a member answers well that it is not well; the reference says nothing of it. */
function healthLines(report: IpcReport, signs: Signs): readonly string[] {
  const isSaid = report.rules !== "reference" || report.isHealthRequired;
  if (report.healthy || !isSaid || !report.results.every(({ passed }) => passed)) return [];
  const methods = report.results.filter(({ healthy }) => healthy === false).map((r) => r.method);
  const text = `not healthy, says ${methods.join(" and ")}`;
  return [`  ${report.isHealthRequired ? signs.mark(false) : signs.warning} ${text}`];
}

function capabilityLines({ capabilities, rules }: IpcReport, signs: Signs): readonly string[] {
  if (capabilities === undefined) return [];
  const { level, methods, notCallable, unverified, reasons } = capabilities;
  const mark = rules === "strict" ? signs.mark(level >= 2) : "•";
  return [
    `  ${mark} capabilities: level ${level}, ${methods.length} methods`,
    ...reasons.map((reason) => `    ${signs.warning} ${reason}`),
    ...(notCallable.length > 0 ? [`    → not callable: ${someOf(notCallable)}`] : []),
    ...(unverified.length > 0
      ? [`    ${signs.warning} not verified: ${unverified.length} methods`]
      : []),
  ];
}

function declaredLines(report: DeclaredReport | undefined, signs: Signs): readonly string[] {
  if (report === undefined) return [];
  const { declared, notAdvertised, notDeclared, warnings } = report;
  return [
    `  ${signs.mark(notAdvertised.length === 0)} metadata: ${declared} capabilities declared`,
    ...(notAdvertised.length > 0
      ? [`    → declared, not advertised: ${someOf(notAdvertised)}`]
      : []),
    ...(notDeclared.length > 0
      ? [`    ${signs.warning} advertised, not declared: ${someOf(notDeclared)}`]
      : []),
    ...warnings.map((warning) => `    ${signs.warning} ${warning}`),
  ];
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
