/** Flags that every verb takes, and small helpers to declare flags. */
import type { FlagParametersForType } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseDuration } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";

/** Values of the flags that every verb takes. */
export interface SharedFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly timeout?: string;
  readonly socket?: string;
  readonly unix?: string;
  readonly udsPath?: string;
  readonly family?: string;
  readonly dataDir?: string;
}

/** A flag that takes a text. */
export function textFlag(placeholder: string, brief: string) {
  return { kind: "parsed", parse: String, optional: true, placeholder, brief } as const;
}

/** A flag that may be given several times. */
export function listFlag(placeholder: string, brief: string) {
  return { ...textFlag(placeholder, brief), variadic: true } as const;
}

/** A flag that takes a text and is left out of help. */
export function hiddenTextFlag(placeholder: string, brief: string) {
  return { ...textFlag(placeholder, brief), hidden: true } as const;
}

/** A flag that takes one of a few words. */
export function choiceFlag<const T extends readonly string[]>(values: T, brief: string) {
  return { kind: "enum", values, optional: true, brief } as const;
}

/** A flag without a value. */
export function switchFlag(brief: string) {
  return { kind: "boolean", optional: true, withNegated: false, brief } as const;
}

/** Names of shared flags that take a value, as typed. */
export const SHARED_VALUE_FLAGS: readonly string[] = [
  "--timeout",
  "--socket",
  "--family",
  "--data-dir",
];

/** Declarations of the flags that every verb takes. */
export const SHARED_FLAGS: FlagParametersForType<SharedFlags, NetContext> = {
  json: switchFlag("Print one JSON document"),
  quiet: switchFlag("Print no progress and no hints"),
  timeout: textFlag("DURATION", "Give up after this time, such as 500ms, 5s or 2m"),
  socket: textFlag("PATH", "Control socket of the node"),
  unix: hiddenTextFlag("PATH", "Same as --socket"),
  udsPath: hiddenTextFlag("PATH", "Same as --socket"),
  family: textFlag("NAME", "Family of the node"),
  dataDir: textFlag("DIR", "Data folder of the node"),
};

/**
 * Flags as a record that inherits nothing, so that `--constructor` is unknown rather than a method of
 * every object.
 */
export function bareRecord<T extends object>(record: T): T {
  return Object.assign(Object.create(null), record);
}

/**
 * The one value of a flag with several spellings.
 *
 * @throws NetError `usage` when two spellings name different values.
 */
export function oneSpelling(
  spellings: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const given = Object.entries(spellings).filter(([, value]) => value !== undefined);
  const [first, ...others] = given;
  for (const [name, value] of others) {
    if (value === first?.[1]) continue;
    throw new NetError(
      "usage",
      `Cannot use ${first?.[0]} and ${name}: they name different values`,
      {
        next: `give ${first?.[0]} alone`,
      },
    );
  }
  return first?.[1];
}

/** Path of the control socket in any of its spellings. */
export function socketFlag(flags: SharedFlags): string | undefined {
  return oneSpelling({
    "--socket": flags.socket,
    "--unix": flags.unix,
    "--uds-path": flags.udsPath,
  });
}

/**
 * Milliseconds of a duration flag.
 *
 * @throws NetError `usage` when the text is no positive duration.
 */
export function durationFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new NetError(
    "usage",
    `Cannot use ${name}: value is "${text}", must be a positive duration such as 500ms, 5s or 2m`,
    { next: `write for example ${name} 5s` },
  );
}
