/** How the validation of an executable is shown: text for people and one JSON document. */
import { printable } from "../verdict.ts";
import type { BinaryReport } from "./validate_binary.ts";

/** The document `net.validate.binary.v1`. */
export function binaryReportDocument(report: BinaryReport): Readonly<Record<string, unknown>> {
  const { elf } = report;
  return {
    schema: "net.validate.binary.v1",
    path: report.path,
    compliant: report.compliant,
    kind: report.kind,
    size_bytes: report.sizeBytes,
    interpreter: report.interpreter ?? null,
    elf: elf === undefined ? null : {
      bits: elf.bits,
      machine: elf.machine,
      little_endian: elf.isLittleEndian,
      static: elf.interpreter === undefined,
      pie: elf.type === "shared",
      stripped: !elf.hasSymbols,
    },
    checks: report.checks.map(({ name, passed, error }) => ({
      name,
      passed,
      error: error ?? null,
    })),
    warnings: report.warnings,
    findings: report.findings,
    runs: report.runs.map(({ argument, outcome, exitCode, durationMs, firstLine }) => ({
      argument,
      outcome,
      exit_code: exitCode ?? null,
      duration_ms: durationMs,
      first_line: firstLine,
    })),
  };
}

/** The report as text, ending with a newline. */
export function renderBinaryReport(
  report: BinaryReport,
  options: { readonly useColor: boolean },
): string {
  const paint = (color: number, text: string) =>
    options.useColor ? `\x1b[${color}m${text}\x1b[0m` : text;
  const lines = [`Binary Report: ${printable(report.path)}`, "━".repeat(54)];
  for (const { name, passed, error } of report.checks) {
    lines.push(`  ${passed ? paint(32, "✓") : paint(31, "✗")} ${name}`);
    if (error !== undefined) lines.push(`    → ${error}`);
    for (const { rule, offset, text } of report.findings) {
      if (name === `no_${rule}`) lines.push(`    → at byte ${offset}: ${text}`);
    }
    const run = report.runs.find(({ argument }) => argument === `--${name}`);
    if (passed && run !== undefined) lines.push(`    ${run.firstLine} (${run.durationMs}ms)`);
  }
  for (const warning of report.warnings) lines.push(`  ${paint(33, "!")} ${warning}`);
  const result = report.compliant ? paint(32, "COMPLIANT") : paint(31, "NON-COMPLIANT");
  return `${[...lines, "", `Result: ${result}`].join("\n")}\n`;
}

/** Exit code of a finished run: 0 or 1. */
export function binaryExitCode(report: BinaryReport): 0 | 1 {
  return report.compliant ? 0 : 1;
}
