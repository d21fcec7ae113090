/**
 * `net validate metadata`: a file's own rules, and on demand the running member it describes
 * (`validation.md` 7.1).
 */
import { type IpcReport, ipcReportDocument, renderIpcReport } from "./report.ts";
import { checkMetadata, type MetadataFinding } from "./metadata_check.ts";
import { readMetadataFile } from "./metadata_file.ts";
import { validateIpc, type ValidateIpcOptions } from "./validate_ipc.ts";
import { printable } from "./verdict.ts";
import type { Metadata } from "../deploy/mod.ts";

/** Options of {@linkcode validateMetadata}. */
export interface ValidateMetadataOptions extends Omit<ValidateIpcOptions, "metadata"> {
  /** Member to compare with; only the file is looked at when left out. */
  readonly endpoint?: string;
}

/** Everything that was found. */
export interface MetadataReport {
  readonly path: string;
  /** True when the file has no errors. */
  readonly valid: boolean;
  /** True when the file is valid and so is the member that it was compared with. */
  readonly compliant: boolean;
  readonly metadata: Metadata | undefined;
  readonly findings: readonly MetadataFinding[];
  /** `undefined` when no member was asked for, or the file is not valid. */
  readonly member: IpcReport | undefined;
}

/**
 * Validates a file.
 *
 * @param path The file, or the folder it lies in.
 * @throws NetError `not_found` or `usage` when there is no such file or endpoint. What is wrong in
 * the file is a finding, not an error.
 */
export async function validateMetadata(
  path: string,
  options: ValidateMetadataOptions = {},
): Promise<MetadataReport> {
  const { endpoint, ...ipcOptions } = options;
  const file = await readMetadataFile(path, options.cwd ?? Deno.cwd());
  const { findings, metadata } = file.text === undefined
    ? { findings: [NO_UTF8], metadata: undefined }
    : checkMetadata(file.text, file.folder);
  const valid = metadata !== undefined;
  const member = endpoint === undefined || metadata === undefined
    ? undefined
    : await validateIpc(endpoint, { ...ipcOptions, metadata });
  const compliant = valid && (endpoint === undefined || member?.compliant === true);
  return { path: file.path, valid, compliant, metadata, findings, member };
}

const NO_UTF8: MetadataFinding = {
  severity: "error",
  key: "",
  line: undefined,
  message: "the file is not valid UTF-8",
};

/** The document `net.validate.metadata.v1`. */
export function metadataReportDocument(report: MetadataReport): Readonly<Record<string, unknown>> {
  const { metadata, findings, member } = report;
  const of = (severity: MetadataFinding["severity"]) =>
    findings.filter((finding) => finding.severity === severity).map(({ key, line, message }) => ({
      key,
      line: line ?? null,
      message,
    }));
  return {
    schema: "net.validate.metadata.v1",
    path: report.path,
    valid: report.valid,
    compliant: report.compliant,
    name: metadata?.primal.name ?? null,
    version: metadata?.primal.version ?? null,
    builds: [...metadata?.builds.keys() ?? []],
    capabilities: metadata?.compatibility?.capabilities ?? [],
    errors: of("error"),
    warnings: of("warning"),
    member: member === undefined ? null : ipcReportDocument(member),
  };
}

/** The report as text, ending with a newline. */
export function renderMetadataReport(
  report: MetadataReport,
  options: { readonly useColor: boolean },
): string {
  const paint = (color: number, text: string) =>
    options.useColor ? `\x1b[${color}m${text}\x1b[0m` : text;
  const lines = [`Metadata Report: ${printable(report.path)}`, "━".repeat(54)];
  for (const { severity, key, line, message } of report.findings) {
    const mark = severity === "error" ? paint(31, "✗") : paint(33, "!");
    const place = line === undefined ? "" : `line ${line}: `;
    lines.push(`  ${mark} ${place}${key === "" ? message : `${key} ${message}`}`);
  }
  const { metadata } = report;
  if (metadata !== undefined) {
    const builds = [...metadata.builds.keys()].join(", ") || "no builds";
    lines.push(
      `  ${paint(32, "✓")} ${metadata.primal.name} ${metadata.primal.version}: ${builds}`,
    );
  }
  const result = report.valid ? paint(32, "VALID") : paint(31, "INVALID");
  lines.push("", `Result: ${result}`, "");
  const text = lines.join("\n");
  return report.member === undefined ? text : `${text}\n${renderIpcReport(report.member, options)}`;
}

/** Exit code of a finished run: 0 or 1. */
export function metadataExitCode(report: MetadataReport): 0 | 1 {
  return report.compliant ? 0 : 1;
}
