/**
 * The program's front: arguments in, exit code out.
 *
 * Finds the verb, maps every way of misusing the command line to exit code 2 with what was not
 * understood and a usage line (`decisions.md` 7).
 */
import {
  AliasNotFoundError,
  type Application,
  ArgumentScannerError,
  buildApplication,
  ExitCode,
  formatMessageForArgumentScannerError,
  proposeCompletions,
  run,
  text_en,
} from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { COMPLETE_WORD } from "./completions.ts";
import type { NetContext } from "./context.ts";
import type { Doors } from "./doors.ts";
import { SHARED_VALUE_FLAGS, type SharedFlags } from "./flags.ts";
import { helpIntegration, isRouteMap, type Target, toKebab, usageLine } from "./help.ts";
import type { Io } from "./io.ts";
import { rootRoutes } from "./tree.ts";
import { reportError } from "./verb.ts";

/** Proposals printed for one word; a shell shows no more anyway. */
const PROPOSALS_MAX = 512;

/** Builds the program's command line. */
export function createApplication(): Application<NetContext> {
  return buildApplication(rootRoutes, {
    name: "net",
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    documentation: { disableAnsiColor: true },
    localization: {
      text: {
        ...text_en,
        exceptionWhileParsingArguments: (error) => describeMisuse(error),
        noCommandRegisteredForInput: ({ input, corrections }) =>
          `Cannot find verb "${input}"${didYouMean(corrections.map((word) => word.slice(1, -1)))}`,
      },
    },
  }, { help: helpIntegration });
}

/**
 * Runs the program.
 *
 * @param args Arguments without the program's name.
 * @returns The exit code.
 */
export async function runNet(args: readonly string[], io: Io, doors: Doors): Promise<number> {
  const app = createApplication();
  // Only help goes this way; written at the end, where a reader that has gone away is no error.
  const help: string[] = [];
  const misuse: string[] = [];
  const process: { exitCode?: number | string | null } & NetContext["process"] = {
    stdout: { write: (text) => void help.push(text) },
    stderr: { write: (text) => void misuse.push(text) },
  };
  const context: NetContext & { readonly process: typeof process } = {
    process,
    io,
    doors,
    exitCode: 0,
  };
  const isJson = beforeEscape(args).includes("--json");
  try {
    if (args[0] === COMPLETE_WORD) {
      await printProposals(app, context, args.slice(1));
      return 0;
    }
    const words = normalize(args);
    await run(app, words, context);
    const code = Number(process.exitCode ?? 0);
    if (help.length > 0) io.writeOut(help.join(""));
    if (code === ExitCode.Success) return context.exitCode;
    const message = misuse.join("").trim();
    if (code === ExitCode.InvalidArgument || code === ExitCode.UnknownCommand) {
      throw misuseError(app, words, message);
    }
    throw new NetError("internal", `Cannot run: ${message.split("\n", 1)[0]}`, {
      next: "report this with the command you ran",
    });
  } catch (error) {
    // Whoever read our output has seen enough, as with head.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    return reportError(context, error, isJson);
  }
}

/**
 * Arguments as the verbs expect them: `--version` and `help WORDS` become verbs and flags, and shared
 * flags in front of the verb move behind it.
 */
export function normalize(args: readonly string[]): string[] {
  const words = [...args];
  const moved: string[] = [];
  for (let first = words[0]; first !== undefined; first = words[0]) {
    if (SHARED_VALUE_FLAGS.includes(first)) moved.push(...words.splice(0, 2));
    else if (isSharedSwitch(first)) moved.push(...words.splice(0, 1));
    else break;
  }
  if (words[0] === "--version" || words[0] === "-V") words[0] = "version";
  if (words[0] === "help") {
    const asked = words.slice(1).filter((word) => !word.startsWith("-"));
    return [...asked, "--help"];
  }
  const escape = words.indexOf("--");
  words.splice(escape === -1 ? words.length : escape, 0, ...moved);
  return words;
}

function isSharedSwitch(word: string): boolean {
  return word === "--json" || word === "--quiet" ||
    SHARED_VALUE_FLAGS.some((flag) => word.startsWith(`${flag}=`));
}

function beforeEscape(args: readonly string[]): readonly string[] {
  const escape = args.indexOf("--");
  return escape === -1 ? args : args.slice(0, escape);
}

/** What was not understood, in our own words. */
function describeMisuse(error: unknown): string {
  if (!(error instanceof ArgumentScannerError)) {
    return `Cannot read arguments: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (error instanceof AliasNotFoundError) return `Cannot read flag -${error.input}: unknown`;
  return formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input, corrections }) =>
      `Cannot read flag --${input}: unknown${
        didYouMean(corrections.map((flag) => `--${toKebab(flag)}`))
      }`,
    EnumValidationError: ({ externalFlagName, input, values }) =>
      `Cannot use --${toKebab(externalFlagName)}: value is "${input}", must be one of ${
        values.join(", ")
      }`,
    ArgumentParseError: ({ externalFlagNameOrPlaceholder, input, exception }) =>
      `Cannot read ${nameOf(externalFlagNameOrPlaceholder)} "${input}": ${
        exception instanceof Error ? exception.message : String(exception)
      }`,
    // A flag that was left out, and one at the end that lacks its value, look the same here.
    UnsatisfiedFlagError: ({ externalFlagName }) =>
      `Cannot run: --${toKebab(externalFlagName)} has no value`,
    UnsatisfiedPositionalError: ({ placeholder }) => `Cannot run: ${placeholder} is missing`,
    UnexpectedPositionalError: ({ input }) => `Cannot read argument "${input}": one too many`,
    UnexpectedFlagError: ({ externalFlagName }) =>
      `Cannot read flag --${toKebab(externalFlagName)}: given more than once`,
    InvalidNegatedFlagSyntaxError: ({ externalFlagName }) =>
      `Cannot read flag --${toKebab(externalFlagName)}: it takes no value`,
  });
}

/** A flag, or the word that stands for an argument, as help names it. */
function nameOf(flagOrPlaceholder: string): string {
  const isFlag = flagOrPlaceholder !== flagOrPlaceholder.toUpperCase();
  return isFlag ? `flag --${toKebab(flagOrPlaceholder)}` : flagOrPlaceholder;
}

function misuseError(
  app: Application<NetContext>,
  words: readonly string[],
  message: string,
): NetError {
  const { target, prefix } = findTarget(app, words);
  return new NetError("usage", message.replaceAll("\n", "; "), {
    next: `see ${prefix.join(" ")} --help`,
    data: { usage: usageLine(target, prefix) },
  });
}

function findTarget(
  app: Application<NetContext>,
  words: readonly string[],
): { readonly target: Target; readonly prefix: readonly string[] } {
  let target: Target = app.root;
  const prefix = ["net"];
  for (const word of words) {
    const next: Target | undefined = isRouteMap(target)
      ? target.getRoutingTargetForInput(word)
      : undefined;
    if (next === undefined) break;
    target = next;
    prefix.push(word);
  }
  return { target, prefix };
}

async function printProposals(
  app: Application<NetContext>,
  context: NetContext,
  words: readonly string[],
): Promise<void> {
  const typed = words.length === 0 ? [""] : words;
  const isFlagWanted = (typed.at(-1) ?? "").startsWith("-");
  const hidden = hiddenFlags(findTarget(app, typed).target);
  const asked = { ...context, typed: placeTyped(typed) };
  const proposals = (await proposeCompletions(app, typed, asked)).filter(({ completion }) =>
    completion.startsWith("-")
      ? isFlagWanted && completion !== "--" && !hidden.has(completion)
      : true
  );
  for (const { completion, brief } of proposals.slice(0, PROPOSALS_MAX)) {
    context.io.writeOut(`${completion}\t${brief}\n`);
  }
}

/** The node that is meant by flags typed already. */
function placeTyped(words: readonly string[]): SharedFlags {
  const valueOf = (flag: string) => {
    const at = words.indexOf(flag);
    // What follows the last word is still to be typed.
    const isWhole = at >= 0 && at + 1 < words.length - 1;
    return isWhole
      ? words[at + 1]
      : words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1);
  };
  return {
    family: valueOf("--family"),
    dataDir: valueOf("--data-dir"),
    socket: valueOf("--socket"),
  };
}

/** Flags that help leaves out, as typed. */
function hiddenFlags(target: Target): ReadonlySet<string> {
  if (isRouteMap(target)) return new Set();
  const flags = Object.entries(target.parameters.flags ?? {});
  return new Set(flags.filter(([, flag]) => flag.hidden).map(([name]) => `--${toKebab(name)}`));
}

function didYouMean(words: readonly string[]): string {
  return words.length === 0 ? "" : `, did you mean ${words.join(" or ")}`;
}
