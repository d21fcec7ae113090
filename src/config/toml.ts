/**
 * TOML from a file somebody else wrote: metadata, manifests, compositions.
 *
 * smol-toml reads the language; here are the limits and the errors.
 */
import { parse, TomlError } from "smol-toml";
import { NetError } from "../base/mod.ts";

/** Longest text that is read, in characters. */
export const TOML_LENGTH_MAX = 1 << 20;

/**
 * The tables of a TOML text. Integers beyond 2^53 are bigints, dates are `Date`s of their own class.
 *
 * @param name What the text is, for the error: a path or a file name.
 * @throws NetError `usage` with the line and column where the text is no TOML, or when it is too long.
 */
export function parseToml(text: string, name: string): Readonly<Record<string, unknown>> {
  if (text.length > TOML_LENGTH_MAX) {
    throw new NetError("usage", `${name} has more than ${TOML_LENGTH_MAX} characters`, {
      next: "check that it is the right file",
    });
  }
  try {
    return parse(text, { integersAsBigInt: "asNeeded", maxDepth: 64 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n", 1)[0] ?? "";
    throw new NetError("usage", `${name}:${error.line}:${error.column}: ${reason}`, {
      cause: error,
      next: "mend that line",
    });
  }
}
