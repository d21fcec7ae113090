/** How a validated composition is shown: text for people and one JSON document (`validation.md` 6). */
import { ipcReportDocument, type RenderIpcReportOptions } from "./report.ts";
import type { CompositionReport, MemberReport } from "./validate_composition.ts";
import { HEALTH_METHODS, printable } from "./verdict.ts";

const RULE = "━".repeat(54);

/** Names shown in one line of text. */
const NAMES_MAX = 8;

/** Unmet needs shown one by one. */
const NEEDS_MAX = 32;

/**
 * The document `net.validate.composition.v1`. Each of `members` is a document of
 * `net.validate.ipc.v1` with the member's name and what was found of it here behind it.
 */
export function compositionDocument(
  report: CompositionReport,
): Readonly<Record<string, unknown>> {
  const { members, cross } = report;
  return {
    schema: "net.validate.composition.v1",
    deploy_graph: report.name,
    healthy: report.healthy,
    compliant: report.compliant,
    subsystems: Object.fromEntries(members.map(({ name, state }) => [name, state])),
    members: members.map((member) => memberDocument(report, member)),
    unsatisfied: report.unsatisfied,
    capabilities_count: report.capabilitiesCount,
    ...(cross === undefined ? {} : {
      cross: cross.map((result) => ({ ...result, method: result.method ?? null })),
    }),
  };
}

function memberDocument(
  report: CompositionReport,
  member: MemberReport,
): Readonly<Record<string, unknown>> {
  const ipc = member.ipc === undefined
    ? absentDocument(report, member)
    : ipcReportDocument(member.ipc);
  return {
    ...ipc,
    member: member.name,
    required: member.isRequired,
    state: member.state,
    found_by: member.source ?? null,
    not_advertised: member.notAdvertised,
    not_declared: member.notDeclared,
  };
}

/** A member that was not found, in the shape of one that does not answer. */
function absentDocument(
  { rules, startedAt }: CompositionReport,
  { name, durationMs }: MemberReport,
): Readonly<Record<string, unknown>> {
  return {
    schema: "net.validate.ipc.v1",
    endpoint: name,
    transport: null,
    profile: rules,
    compliant: false,
    healthy: false,
    primal: null,
    version: null,
    started_at: startedAt,
    duration_ms: durationMs,
    results: HEALTH_METHODS.map((method) => ({
      method,
      passed: false,
      response_ms: 0,
      outcome: "connect_failed",
      error: "no socket and no port of this member were found",
      code: null,
      missing: [],
      warnings: [],
    })),
    capabilities: null,
  };
}

/** The report as text, ending with a newline. */
export function renderComposition(
  report: CompositionReport,
  options: RenderIpcReportOptions,
): string {
  const paint = (color: number, text: string) =>
    options.useColor ? `\x1b[${color}m${text}\x1b[0m` : text;
  const lines = [`Composition Report: ${printable(report.name)}`, RULE];
  for (const member of report.members) lines.push(...memberLines(member, paint));
  for (const { member, capability } of report.unsatisfied.slice(0, NEEDS_MAX)) {
    const need = printable(capability);
    lines.push(`  ${paint(31, "✗")} ${member} needs ${need}: no member provides it`);
  }
  const hidden = report.unsatisfied.length - NEEDS_MAX;
  if (hidden > 0) lines.push(`  ${paint(31, "✗")} and ${hidden} more needs, see --json`);
  for (const { member, capability, provider, method, outcome } of report.cross ?? []) {
    const isBad = outcome === "missing" || outcome === "silent";
    const mark = isBad ? paint(31, "✗") : outcome === "answered" ? paint(32, "✓") : "•";
    const via = method === undefined ? "" : ` by ${printable(method)}`;
    lines.push(`  ${mark} ${member} → ${provider}: ${printable(capability)}${via}, ${outcome}`);
  }
  const verdict = report.compliant ? paint(32, "COMPLIANT") : paint(31, "NON-COMPLIANT");
  const health = report.healthy ? paint(32, "healthy") : paint(31, "not healthy");
  lines.push(`  • ${report.capabilitiesCount} capabilities`, "", `Result: ${verdict}, ${health}`);
  return `${lines.join("\n")}\n`;
}

function* memberLines(
  { name, state, ipc, isRequired, durationMs, notAdvertised, notDeclared }: MemberReport,
  paint: (color: number, text: string) => string,
): Generator<string> {
  const mark = state === "ok"
    ? paint(32, "✓")
    : state === "degraded"
    ? paint(33, "!")
    : paint(31, "✗");
  const where = ipc === undefined ? "not found" : printable(ipc.endpoint);
  const optional = isRequired ? "" : ", not required";
  yield `  ${mark} ${name}: ${state}${optional} (${durationMs}ms) ${where}`;
  for (const { method, error, outcome } of ipc?.results ?? []) {
    if (error !== undefined) yield `    → ${method}: ${error} [${outcome}]`;
  }
  if (ipc?.compliant && !ipc.healthy) {
    const methods = ipc.results.filter(({ healthy }) => healthy === false).map((r) => r.method);
    yield `    → not healthy, says ${methods.join(" and ")}`;
  }
  if (notAdvertised.length > 0) yield `    → declared, not advertised: ${names(notAdvertised)}`;
  if (notDeclared.length > 0) {
    yield `    ${paint(33, "!")} advertised, not declared: ${names(notDeclared)}`;
  }
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, NAMES_MAX).map(printable).join(", ");
  return all.length <= NAMES_MAX ? shown : `${shown} and ${all.length - NAMES_MAX} more`;
}

/** Exit code of a finished run: 0 when all is compliant and healthy, else 1. */
export function compositionExitCode(report: CompositionReport): 0 | 1 {
  return report.compliant && report.healthy ? 0 : 1;
}
