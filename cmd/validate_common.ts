/** What the verbs of `net validate` share: their flags for a member, and how a report is shown. */
import { NetError } from "../src/base/mod.ts";
import { absolutePath, type Environment } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import type { Io } from "./io.ts";
import {
  durationFlag,
  hiddenTextFlag,
  oneSpelling,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";

/** Rule sets, the mildest first. */
export const RULES = ["reference", "standard", "strict"] as const;

/** Longest line that may be asked for. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;

/** Flags about one member that is probed. */
export interface MemberFlags extends SharedFlags {
  readonly rules?: string;
  readonly profile?: string;
  readonly deadline?: string;
  readonly connectTimeout?: string;
  readonly maxLine?: string;
  readonly requireHealthy?: boolean;
  readonly familySeedFile?: string;
}

/** Declarations of {@linkcode MemberFlags}, without the shared ones. */
export const MEMBER_FLAGS = {
  rules: textFlag("reference|standard|strict", "Rule set; default: standard"),
  profile: hiddenTextFlag("reference|standard|strict", "Same as --rules"),
  deadline: textFlag("DURATION", "Time for the whole run; default: 5s, 46s for reference"),
  connectTimeout: textFlag("DURATION", "Time for one connection; default: 5s"),
  maxLine: textFlag("SIZE", "Longest reply line, such as 64KiB; default: 1MiB"),
  requireHealthy: switchFlag("A member that is not healthy is not compliant"),
  familySeedFile: textFlag("FILE", "Seed of the member's family, to probe it over BTSP"),
};

/**
 * Values of the flags about a member.
 *
 * @param timeout Value of `--timeout`, which is the time for one reply here.
 * @throws NetError `usage`.
 */
export function memberOptions(flags: MemberFlags, timeout: string | undefined) {
  return {
    rules: rulesOf(oneSpelling({ "--rules": flags.rules, "--profile": flags.profile })),
    deadlineMs: durationFlag("--deadline", flags.deadline),
    connectTimeoutMs: durationFlag("--connect-timeout", flags.connectTimeout),
    replyTimeoutMs: durationFlag("--timeout", timeout),
    maxLineBytes: sizeOf("--max-line", flags.maxLine),
    requireHealthy: flags.requireHealthy ?? false,
  };
}

/**
 * The seed of `--family-seed-file`.
 *
 * @throws NetError `config_invalid` when it cannot be used.
 */
export async function familySeedOf(
  { io }: NetContext,
  path: string | undefined,
): Promise<Uint8Array | undefined> {
  if (path === undefined) return undefined;
  const { readFamilySeed } = await import("../src/control/mod.ts");
  const { silentLog } = await import("../src/observe/mod.ts");
  return await readFamilySeed(`@${absolutePath(path, io.cwd)}`, silentLog);
}

/** The environment in which a member is looked up by its name: `--family` comes before its variables. */
export function memberEnv(env: Environment, family: string | undefined): Environment {
  return family === undefined ? env : { ...env, NET_FAMILY_ID: family };
}

/** True when a report on standard output may carry colours. */
export function isReportColored({ env, isStdoutTerminal }: Io): boolean {
  return isStdoutTerminal && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
}

/** A report as it is printed; with `--quiet` only its last line, which is the result. */
export function reportText(text: string, isQuiet: boolean): string {
  const whole = text.trimEnd();
  return isQuiet ? whole.slice(whole.lastIndexOf("\n") + 1) : whole;
}

/**
 * The rule set that a text names.
 *
 * @throws NetError `usage`.
 */
export function rulesOf(text: string | undefined): typeof RULES[number] {
  const rules = RULES.find((name) => name === (text ?? "standard"));
  if (rules !== undefined) return rules;
  throw new NetError(
    "usage",
    `Cannot use --rules: value is "${text}", must be one of ${RULES.join(", ")}`,
    { next: "leave --rules out for standard" },
  );
}

function sizeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^([0-9]{1,9})(B|KiB|MiB)?$/i.exec(text);
  const unit = { b: 1, kib: 1024, mib: 1024 * 1024 }[(match?.[2] ?? "b").toLowerCase()] ?? 1;
  const bytes = Number(match?.[1] ?? 0) * unit;
  if (bytes > 0 && bytes <= LINE_BYTES_MAX) return bytes;
  throw new NetError("usage", `Cannot use ${name}: value is "${text}", must be 1B to 64MiB`, {
    next: `write for example ${name} 64KiB`,
  });
}
