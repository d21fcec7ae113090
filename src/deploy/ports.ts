/**
 * `ports.env`: the usual port of each member (`promises-standards.md` V-h).
 *
 * The file is read, never executed. A line counts when it is `NAME=NUMBER`, with or without quotes and
 * `export`, or the shell's way of giving a default to the same name, `NAME="${NAME:-NUMBER}"`, which is
 * how existing toolkits write it. Everything else is ignored with a warning.
 */
import { NetError } from "../base/mod.ts";
import { portVariable, quote } from "./names.ts";

/** What a file said. */
export interface Ports {
  /** Port by variable: `BEARDOG_PORT` → 9100. */
  readonly ports: ReadonlyMap<string, number>;
  /** One sentence for each line that was ignored, at most {@linkcode PORT_WARNINGS_MAX} and one. */
  readonly warnings: readonly string[];
}

/** Longest file, in characters. */
export const PORTS_LENGTH_MAX = 256 * 1024;
/** Most ports of a file. */
export const PORTS_MAX = 4_096;
/** Most warnings: existing files hold whole shell functions. */
export const PORT_WARNINGS_MAX = 8;

const LINE =
  /^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]{0,127})=(["']?)(?:([0-9]{1,9})|\$\{\1:-([0-9]{1,9})\})\2(?:[ \t]+#.*)?$/;

/**
 * Reads a `ports.env`.
 *
 * @throws NetError `usage` when it is too long.
 */
export function parsePorts(text: string): Ports {
  if (text.length > PORTS_LENGTH_MAX) {
    throw new NetError("usage", `ports.env has more than ${PORTS_LENGTH_MAX} characters`, {
      next: "check that it is the right file",
    });
  }
  const ports = new Map<string, number>();
  const warnings: string[] = [];
  let ignored = 0;
  const ignore = (index: number, why: string, line: string) => {
    ignored += 1;
    if (ignored > PORT_WARNINGS_MAX) return;
    warnings.push(`ports.env:${index + 1}: ignored, ${why}: ${quote(line)}`);
  };
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, variable, , plain, fallback] = line.length > 512 ? [] : LINE.exec(line) ?? [];
    if (variable === undefined) {
      ignore(index, "not NAME=NUMBER", line);
      continue;
    }
    const port = Number(plain ?? fallback);
    if (port < 1 || port > 65_535) ignore(index, "the port is not between 1 and 65535", line);
    else if (!ports.has(variable) && ports.size >= PORTS_MAX) ignore(index, "too many", line);
    else ports.set(variable, port);
  }
  if (ignored > PORT_WARNINGS_MAX) {
    warnings.push(`ports.env: ignored ${ignored - PORT_WARNINGS_MAX} more lines`);
  }
  return { ports, warnings };
}

/** A member's port in a file: of the variable `NAME_PORT`. */
export function portOf({ ports }: Ports, member: string): number | undefined {
  return ports.get(portVariable(member));
}
