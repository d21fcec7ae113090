/**
 * How results and errors look: standard output carries the result only, everything else goes to
 * standard error (`decisions.md` 7).
 *
 * A result is human text or, with `--json`, one document with a `schema`. No secret is printed in an
 * error: what looks like a ticket is cut.
 */
import type { NetError } from "../src/base/mod.ts";
import type { Io } from "./io.ts";

/** What to do after an error that says nothing of its own. */
const FALLBACK_NEXT = "run net doctor to check this machine";

/** How a verb prints. */
export interface OutputOptions {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
}

/** Printer of one verb. */
export interface Output extends OutputOptions {
  /**
   * Prints the result.
   *
   * @param verb Words of the verb joined by dots; the schema is `net.<verb>.v1`.
   * @param fields Members of the document; plain JSON and bigint.
   * @param text Makes the human text, without the last newline.
   */
  result(verb: string, fields: object, text: () => string): void;
  /** A hint for people on standard error; silent with `--quiet` and `--json`. */
  note(text: string): void;
  /** Something that needs an action, on standard error; silent with `--quiet`. */
  warn(text: string): void;
}

/** Creates the printer of one verb. */
export function createOutput(io: Io, options: OutputOptions): Output {
  return {
    ...options,
    result: (verb, fields, text) => {
      io.writeOut(`${options.isJson ? toDocument(verb, fields) : text()}\n`);
    },
    note: (text) => {
      if (!options.isQuiet && !options.isJson) io.writeErr(`${text}\n`);
    },
    warn: (text) => {
      if (!options.isQuiet) io.writeErr(`net: warning: ${text}\n`);
    },
  };
}

/** One line of JSON with the schema of `verb`. */
export function toDocument(verb: string, fields: object): string {
  return toJson({ schema: `net.${verb}.v1`, ...fields });
}

/** JSON text; a bigint becomes its decimal text. Characters that could steer a terminal are escaped. */
export function toJson(value: unknown): string {
  return escapeControls(
    JSON.stringify(value, (_, member) => typeof member === "bigint" ? String(member) : member),
  );
}

/** JSON with escapes for the control characters that `JSON.stringify` leaves as they are. */
export function escapeControls(json: string): string {
  return json.replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

/** How {@linkcode renderError} prints. */
export interface RenderErrorOptions {
  readonly isJson: boolean;
  readonly isColor: boolean;
}

/**
 * Text of an error with its newline: `net:`, `code:` and `next:` lines, or one JSON line.
 *
 * @example
 * ```ts
 * import { NetError } from "../src/base/mod.ts";
 * import { renderError } from "./output.ts";
 * const error = new NetError("usage", "Cannot use --port", { next: "see net node start --help" });
 * console.assert(
 *   renderError(error, { isJson: false, isColor: false }) ===
 *     "net: Cannot use --port\ncode: usage\nnext: see net node start --help\n",
 * );
 * ```
 */
export function renderError(error: NetError, options: RenderErrorOptions): string {
  const { code, exitCode: exit, data } = error;
  const message = redactSecrets(error.message);
  const next = redactSecrets(error.next ?? FALLBACK_NEXT);
  if (options.isJson) {
    const document = { code, message, next, exit, data };
    return `${redactSecrets(toDocument("error", { error: document }))}\n`;
  }
  const name = options.isColor ? "\x1b[1;31mnet:\x1b[0m" : "net:";
  const lines = [`${name} ${message}`, `code: ${code}`];
  if (typeof data?.usage === "string") lines.push(`usage: ${data.usage}`);
  lines.push(`next: ${next}`);
  return `${lines.join("\n")}\n`;
}

/** Cuts everything that looks like a ticket, whole or damaged. */
export function redactSecrets(text: string): string {
  return text.replace(/\b(net1)[0-9a-z]{16,}/gi, "$1…");
}

/** True when standard error may carry colours. */
export function isColorWanted(io: Io): boolean {
  return io.isStderrTerminal && (io.env.NO_COLOR ?? "") === "" && io.env.TERM !== "dumb";
}
