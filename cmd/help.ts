/** `net help`, `--help` and the overview of all verbs. */
import {
  type Application,
  buildCommand,
  type Command,
  type RouteMap,
  type StricliIntegration,
} from "@stricli/core";
import { PROGRAM_NAME, PROGRAM_VERSION } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";

/** Longest choice of words shown beside a flag; a longer one is told behind it. */
const CHOICE_COLUMNS = 24;

/** Width of help; a terminal is rarely narrower. */
const HELP_COLUMNS = 80;

/** Names up to this width stand beside what they mean, longer ones above it. */
const NAME_COLUMNS = 36;

const ROOT_EXAMPLES = `EXAMPLES
  net node start                       start a node, print a ticket
  net node start --join - < ticket     join the node that printed it
  net blob put big.iso                 store a file, print its address
  net blob get b3:ADDRESS big.iso      fetch it on the other node
  net cap find gpu --wait 30s          find a node that has one
  net channel subscribe room/lobby     print the events of a channel
  net log tail app/orders --last 10    print a log's last events and new ones
  net db tasks add 'buy milk'          add a row, net db tasks ls lists them
  net identity new owner               make an identity to issue tokens with
  net fetch --composition tower        bring executables of members, verified
  net validate ipc 127.0.0.1:9900      check that a member behaves
  net start --composition mesh         start three nodes that are one mesh

Every verb takes --json, --quiet, --timeout, --socket, --family and --data-dir.
Exit codes: 0 ok, 1 failed, 2 usage, 3 network or in use, 4 not found,
  5 not allowed, 6 not reachable, 7 timeout, 9 integrity, 12 limit or no space,
  130 and 143 by signal.`;

/** One verb in an overview. */
export interface VerbLine {
  /** Words after the program's name. */
  readonly words: readonly string[];
  readonly brief: string;
}

/** Every visible verb below `routes`, in the order of declaration. */
export function listVerbs(
  routes: RouteMap<NetContext>,
  prefix: readonly string[] = [],
): readonly VerbLine[] {
  return routes.getAllEntries().filter((entry) => !entry.hidden).flatMap((entry) => {
    const words = [...prefix, entry.name["convert-camel-to-kebab"]];
    return isRouteMap(entry.target)
      ? listVerbs(entry.target, words)
      : [{ words, brief: entry.target.brief }];
  });
}

/** Overview of a group of verbs; of the whole program when `prefix` is its name alone. */
export function groupHelp(routes: RouteMap<NetContext>, prefix: readonly string[]): string {
  const verbs = listVerbs(routes, prefix).map((verb) =>
    [`  ${verb.words.join(" ")}`, verb.brief] as const
  );
  const isRoot = prefix.length <= 1;
  const head = isRoot
    ? `${PROGRAM_NAME} ${PROGRAM_VERSION}\n${routes.brief}\n\n`
    : `${routes.brief}\n\n`;
  const tail = isRoot ? `\n\n${ROOT_EXAMPLES}` : "";
  return `${head}USAGE\n  ${prefix.join(" ")} ${
    isRoot ? "VERB" : "WORD"
  } [FLAGS] [ARGUMENTS]\n\nVERBS\n${meanings(verbs)}${tail}\n\n` +
    `Run ${prefix.join(" ")} ${isRoot ? "VERB" : "WORD"} --help for the flags of one verb.\n`;
}

/** Help of one verb. */
export function verbHelp(verb: Command<NetContext>, prefix: readonly string[]): string {
  const flags = Object.entries(verb.parameters.flags ?? {}).filter(([, flag]) => !flag.hidden);
  const rows = flags.map(([name, flag]) => {
    const words = "values" in flag ? flag.values : [];
    const choice = words.join("|");
    const isShort = choice.length <= CHOICE_COLUMNS;
    const value = "placeholder" in flag && flag.placeholder !== undefined
      ? flag.placeholder
      : isShort
      ? choice
      : "WORD";
    const meaning = isShort ? flag.brief : `${flag.brief}; one of ${words.join(", ")}`;
    const letters = Object.entries(verb.parameters.aliases ?? {})
      .filter(([, target]) => target === name).map(([letter]) => `, -${letter}`).join("");
    return [`  --${toKebab(name)} ${value}`.trimEnd() + letters, meaning] as const;
  });
  const args = positionals(verb).map(({ word, brief }) => [`  ${word}`, brief] as const);
  return [
    `USAGE\n  ${usageLine(verb, prefix)}`,
    wrap(verb.fullDescription ?? verb.brief),
    ...(args.length === 0 ? [] : [`ARGUMENTS\n${meanings(args)}`]),
    `FLAGS\n${meanings([...rows, ["  --help, -h", "Print this help"]])}`,
  ].join("\n\n") + "\n";
}

/** One line that shows how a group or a verb is used. */
export function usageLine(target: Target, prefix: readonly string[]): string {
  const words = isRouteMap(target)
    ? [
      target.getAllEntries().filter((entry) => !entry.hidden)
        .map((entry) => entry.name["convert-camel-to-kebab"]).join("|"),
    ]
    : positionals(target).map(({ word }) => word);
  return [...prefix, ...words, "[FLAGS]"].join(" ");
}

/** Flag or word as typed: `dataDir` is `data-dir`. */
export function toKebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Breaks lines of prose at 80 columns; examples, which are indented, stay as they can be pasted. */
function wrap(text: string): string {
  return text.split("\n").flatMap((line) => line.startsWith(" ") ? [line] : fold(line, 80))
    .join("\n");
}

/** Names and what they mean; a meaning that is too long goes on below itself. */
function meanings(rows: readonly (readonly [name: string, meaning: string])[]): string {
  const widths = rows.map(([name]) => name.length).filter((width) => width <= NAME_COLUMNS);
  const width = Math.max(0, ...widths);
  const indent = " ".repeat(width + 2);
  return rows.flatMap(([name, meaning]) => {
    const lines = fold(meaning, HELP_COLUMNS - indent.length);
    if (name.length > width) return [name, ...lines.map((line) => `${indent}${line}`)];
    return lines.map((line, i) => `${i === 0 ? name.padEnd(width + 2) : indent}${line}`);
  }).join("\n");
}

/** Breaks a line between words; a word that is longer stays whole. */
function fold(line: string, columnsMax: number): readonly string[] {
  const lines: string[] = [];
  let text = "";
  for (const word of line.split(" ")) {
    if (text !== "" && text.length + 1 + word.length > columnsMax) {
      lines.push(text);
      text = word;
    } else text = text === "" ? word : `${text} ${word}`;
  }
  return [...lines, text];
}

function positionals(
  verb: Command<NetContext>,
): readonly { readonly word: string; readonly brief: string }[] {
  const { positional } = verb.parameters;
  if (positional === undefined) return [];
  if (positional.kind === "array") {
    const { placeholder, brief } = positional.parameter;
    const word = placeholder ?? "WORD";
    // Several arguments in one say themselves which of them may be left out.
    return [{ word: word.includes("...") ? word : `[${word}...]`, brief }];
  }
  return positional.parameters.map(({ placeholder, optional, brief }) => {
    const name = placeholder ?? "WORD";
    return { word: optional ? `[${name}]` : name, brief };
  });
}

/** Adds `--help` and `-h` to every verb and group. */
export const helpIntegration: StricliIntegration<NetContext> = {
  flag: {
    brief: "Print help and exit",
    global: true,
    aliases: ["h"],
    defaultForRouteMap: true,
    complete: true,
    run(_app, { result }) {
      const { target, prefix } = result;
      this.process.stdout.write(
        isRouteMap(target) ? groupHelp(target, prefix) : verbHelp(target, prefix),
      );
    },
  },
};

/** `net help [WORD...]`; the words are handled in front of the verbs, see `root.ts`. */
export const helpCommand = buildCommand<SharedFlags, string[], NetContext>({
  docs: {
    brief: "Print this overview, or the help of one verb",
    fullDescription: "Prints the overview, or the help of one verb.\n\n" +
      "EXAMPLES\n  net help\n  net help blob put",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "array",
      parameter: { parse: String, placeholder: "WORD", brief: "Words of a verb" },
    },
  },
  func() {},
});

/** What the command line names: a group or a verb. */
export type Target = Application<NetContext>["root"];

/** True for a group of verbs. */
export function isRouteMap(target: Target): target is RouteMap<NetContext> {
  return "getAllEntries" in target;
}
