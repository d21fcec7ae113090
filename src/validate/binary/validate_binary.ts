/**
 * `net validate binary`: whether a file is an executable that a toolkit could ship
 * (`validation.md` 6).
 *
 * What breaks a rule fails; how it is linked, its symbols and its size are warnings, because documents
 * disagree about them (`validation.md` 10). The program itself is run with `--help` and `--version`
 * only, and not at all on request.
 */
import { isMissing, NetError } from "../../base/mod.ts";
import { absolutePath } from "../../config/mod.ts";
import { type Platform, platformOf, thisPlatform } from "../../deploy/mod.ts";
import { printable } from "../verdict.ts";
import { type ElfFacts, readElfFacts } from "./elf_facts.ts";
import { type ProgramRun, runProgram } from "./run_program.ts";
import { FORBIDDEN_BYTES_MAX, type ScanFinding, type ScanRule, StringScan } from "./string_scan.ts";

/** Sizes of a plausible executable, in bytes. */
const SIZE_MIN = 1_000_000;
const SIZE_MAX = 100_000_000;

/** Largest file that is looked through. */
const SCANNED_BYTES_MAX = 4 * 1024 * 1024 * 1024;

/** Time for one run of the program. */
const RUN_TIMEOUT_MS = 10_000;

const CHUNK_BYTES = 1024 * 1024;

/** Longest `#!` line, as the kernel reads it. */
const SCRIPT_LINE_BYTES = 256;

/** Texts that may be forbidden in one run. */
const FORBIDDEN_MAX = 64;

/** Options of {@linkcode validateBinary}. */
export interface ValidateBinaryOptions {
  /** Machine it must be for; this one when left out. */
  readonly arch?: string;
  /** Texts that must not be in it. */
  readonly forbidden?: readonly string[];
  /** False to look at the file only. */
  readonly isRunning?: boolean;
  /** Milliseconds for one run of the program: 10,000 when left out. */
  readonly runTimeoutMs?: number;
  /** Folder that a relative path starts from; the process's own when left out. */
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

/** One rule. */
export interface BinaryCheck {
  readonly name:
    | "regular_file"
    | "executable"
    | "format"
    | "machine"
    | "no_home_path"
    | "no_private_address"
    | "no_forbidden_text"
    | "help"
    | "version";
  readonly passed: boolean;
  /** What is wrong; `undefined` when nothing is. */
  readonly error: string | undefined;
}

/** A run of the program. */
export interface BinaryRun extends Omit<ProgramRun, "output"> {
  readonly argument: string;
  /** First line that it printed, cleaned for a terminal. */
  readonly firstLine: string;
}

/** Everything that was found. */
export interface BinaryReport {
  readonly path: string;
  readonly compliant: boolean;
  readonly kind: "elf" | "script" | "other";
  readonly sizeBytes: number;
  readonly elf: ElfFacts | undefined;
  /** What runs it: the loader of an ELF file, the words behind `#!` of a script. */
  readonly interpreter: string | undefined;
  readonly checks: readonly BinaryCheck[];
  readonly warnings: readonly string[];
  readonly findings: readonly ScanFinding[];
  readonly runs: readonly BinaryRun[];
}

/**
 * Validates a file.
 *
 * @throws NetError `not_found`, or `usage` for an unknown architecture. What is wrong with the file is
 * a finding, not an error.
 */
export async function validateBinary(
  path: string,
  options: ValidateBinaryOptions = {},
): Promise<BinaryReport> {
  const full = absolutePath(path, options.cwd ?? Deno.cwd());
  const platform = options.arch === undefined ? thisPlatform() : platformOf(options.arch);
  const forbidden = checkForbidden(options.forbidden ?? []);
  const info = await statOf(full);
  const checks: BinaryCheck[] = [check("regular_file", fileProblem(info))];
  const nothing = { elf: undefined, interpreter: undefined, warnings: [], findings: [], runs: [] };
  // Opening a pipe would wait for its other end.
  if (!info.isFile) return report(full, "other", info.size, checks, nothing);
  const isExecutable = ((info.mode ?? 0) & 0o111) !== 0;
  checks.push(check("executable", isExecutable ? undefined : "no one may execute it"));

  const found = await readFile(full, info.size, forbidden, options.signal);
  const { elf, script, scan } = found;
  const kind = elf !== undefined ? "elf" : script !== undefined ? "script" : "other";
  checks.push(
    check("format", kind === "other" ? "it begins neither as ELF nor with #!" : undefined),
  );
  if (elf !== undefined) checks.push(check("machine", machineProblem(elf, platform)));
  checks.push(
    check("no_home_path", scanProblem(scan, "home_path", "paths of home folders")),
    check("no_private_address", scanProblem(scan, "private_address", "private addresses")),
  );
  if (forbidden.length > 0) {
    checks.push(check("no_forbidden_text", scanProblem(scan, "forbidden_text", "forbidden texts")));
  }
  const warnings = warningsAbout(info.size, elf, script);
  const isRunnable = isExecutable && kind !== "other" && isForThisMachine(elf);
  const runs: BinaryRun[] = [];
  if (options.isRunning === false) warnings.push("it was not run");
  else if (!isRunnable) warnings.push("it was not run, because it cannot run here");
  else {
    for (const [name, argument] of [["help", "--help"], ["version", "--version"]] as const) {
      const { output, ...run } = await runProgram(full, argument, {
        timeoutMs: options.runTimeoutMs ?? RUN_TIMEOUT_MS,
        signal: options.signal,
      });
      const error = run.error === undefined ? undefined : printable(run.error);
      runs.push({
        ...run,
        error,
        argument,
        firstLine: printable(output.trim().split("\n", 1)[0] ?? ""),
      });
      checks.push(check(name, runProblem(run, output)));
      if (name === "version" && run.outcome === "ok" && !/\d+\.\d+/.test(output)) {
        warnings.push("--version names no version");
      }
    }
  }
  return report(full, kind, info.size, checks, {
    elf,
    interpreter: script ?? elf?.interpreter,
    warnings,
    findings: scan.findings,
    runs,
  });
}

function report(
  path: string,
  kind: BinaryReport["kind"],
  sizeBytes: number,
  checks: readonly BinaryCheck[],
  facts: Pick<BinaryReport, "elf" | "interpreter" | "warnings" | "findings" | "runs">,
): BinaryReport {
  const interpreter = facts.interpreter === undefined ? undefined : printable(facts.interpreter);
  const compliant = checks.every(({ passed }) => passed);
  return { ...facts, path, compliant, kind, sizeBytes, interpreter, checks };
}

function check(name: BinaryCheck["name"], error: string | undefined): BinaryCheck {
  return { name, passed: error === undefined, error };
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new NetError("not_found", `Cannot validate binary: "${path}" does not exist`, {
      next: "give the path of an executable",
    });
  }
}

function checkForbidden(texts: readonly string[]): readonly string[] {
  const isUsable = texts.length <= FORBIDDEN_MAX &&
    texts.every((text) =>
      text !== "" && new TextEncoder().encode(text).length <= FORBIDDEN_BYTES_MAX
    );
  if (isUsable) return texts;
  throw new NetError(
    "usage",
    `Cannot use --forbid: must be up to ${FORBIDDEN_MAX} texts of 1 to ${FORBIDDEN_BYTES_MAX} bytes`,
    { next: "repeat --forbid TEXT for each text" },
  );
}

function fileProblem(info: Deno.FileInfo): string | undefined {
  if (info.isFile) return undefined;
  return info.isDirectory ? "it is a folder" : "it is no regular file";
}

/** Reads the file once: its tables, its first line and its texts. */
async function readFile(
  path: string,
  size: number,
  forbidden: readonly string[],
  signal: AbortSignal | undefined,
) {
  using file = await Deno.open(path);
  const elf = readElfFacts({
    size,
    read: (offset, length) => {
      file.seekSync(offset, Deno.SeekMode.Start);
      return readFully(file, length);
    },
  });
  file.seekSync(0, Deno.SeekMode.Start);
  const script = scriptLine(readFully(file, SCRIPT_LINE_BYTES));
  file.seekSync(0, Deno.SeekMode.Start);
  const scan = new StringScan(forbidden);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let total = 0; total < SCANNED_BYTES_MAX;) {
    signal?.throwIfAborted();
    const length = await file.read(chunk);
    if (length === null) break;
    scan.push(chunk.subarray(0, length));
    total += length;
  }
  return { elf, script, scan: scan.finish() };
}

function readFully(file: Deno.FsFile, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  while (offset < length) {
    const count = file.readSync(bytes.subarray(offset));
    if (count === null) break;
    offset += count;
  }
  return bytes.subarray(0, offset);
}

/** The words behind `#!`; `undefined` for what is no script. */
function scriptLine(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) return undefined;
  return new TextDecoder().decode(bytes).split("\n", 1)[0]?.slice(2).trim() ?? "";
}

function machineProblem(elf: ElfFacts, { arch, elf: wanted }: Platform): string | undefined {
  if (elf.isDamaged) return "its tables are damaged";
  if (elf.type === "other") return "it is no executable but another kind of ELF file";
  if (elf.bits === wanted.bits && elf.machine === wanted.machine && elf.isLittleEndian) {
    return undefined;
  }
  return `it is for ELF machine ${elf.machine} with ${elf.bits} bits, must be ${wanted.machine} ` +
    `with ${wanted.bits} bits for ${arch}`;
}

function isForThisMachine(elf: ElfFacts | undefined): boolean {
  return elf === undefined || machineProblem(elf, thisPlatform()) === undefined;
}

function scanProblem(
  { counts }: { readonly counts: Readonly<Record<ScanRule, number>> },
  rule: ScanRule,
  what: string,
): string | undefined {
  return counts[rule] === 0 ? undefined : `it holds ${what}: ${counts[rule]}`;
}

function warningsAbout(
  size: number,
  elf: ElfFacts | undefined,
  script: string | undefined,
): string[] {
  const warnings: string[] = [];
  if (size < SIZE_MIN) warnings.push(`it has ${size} bytes, less than 1 MB`);
  if (size > SIZE_MAX) warnings.push(`it has ${size} bytes, more than 100 MB`);
  if (script !== undefined) {
    warnings.push(`it is a script: it needs ${printable(script) || "an interpreter"}`);
  }
  if (elf === undefined) return warnings;
  if (elf.interpreter !== undefined) {
    warnings.push(`it is linked dynamically: it needs ${printable(elf.interpreter)}`);
  }
  if (elf.type === "executable") warnings.push("it is not position independent (PIE)");
  if (elf.hasSymbols) warnings.push("it carries symbols; strip takes them out");
  return warnings;
}

function runProblem(run: Omit<ProgramRun, "output">, output: string): string | undefined {
  switch (run.outcome) {
    case "ok":
      return output.trim() === "" ? "it printed nothing" : undefined;
    case "failed":
      return `it ended with exit code ${run.exitCode}`;
    case "timeout":
      return "it did not end in time and was killed";
    case "too_much_output":
      return "it printed more than 64 KiB and was killed";
    case "not_started":
      return printable(`it cannot be started: ${run.error}`);
  }
}
