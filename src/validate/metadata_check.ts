/**
 * `net validate metadata`: every finding about a `metadata.toml`, each with its key and line
 * (`validation.md` 7.1).
 *
 * The reader in `deploy` stops at the first thing it cannot use; this goes through all of it.
 */
import { NetError } from "../base/mod.ts";
import { parseToml } from "../config/mod.ts";
import { ARCHITECTURES, isMemberName, type Metadata, parseMetadata } from "../deploy/mod.ts";
import {
  BUILD_RULES,
  error,
  EXPECTED_KEYS,
  REQUIRED_KEYS,
  type RuleFinding,
  type Severity,
  shown,
  TABLE_RULES,
  type TableRules,
  warning,
} from "./metadata_rules.ts";
import { findTomlPlaces, type TomlPlaces } from "./toml_places.ts";
import { asRecord, printable } from "./verdict.ts";

/** Findings of one file; what comes after is left out. */
const FINDINGS_MAX = 200;

/** Tables below `[builds]`. */
const BUILDS_MAX = 32;

/** One thing that is wrong, or that may be. */
export interface MetadataFinding {
  readonly severity: Severity;
  /** Dotted key, such as `genomeBin.server.port_flag`; empty for the whole file. */
  readonly key: string;
  /** Line of the key or of its table, `undefined` where it is not in the file. */
  readonly line: number | undefined;
  /** A sentence that goes on after the key. */
  readonly message: string;
}

/** What was found. */
export interface MetadataCheck {
  /** In the order of the lines. */
  readonly findings: readonly MetadataFinding[];
  /** What the file says; `undefined` when it has errors. */
  readonly metadata: Metadata | undefined;
}

/**
 * Checks the text of a `metadata.toml`.
 *
 * @param folder Name of the folder it lies in, which should be the member's.
 *
 * @example
 * ```ts
 * import { checkMetadata } from "./metadata_check.ts";
 * const { findings, metadata } = checkMetadata('[primal]\nname = "net"\n');
 * console.assert(metadata === undefined);
 * console.assert(findings.some(({ key, line }) => key === "primal.version" && line === 1));
 * ```
 */
export function checkMetadata(text: string, folder?: string): MetadataCheck {
  let top: Fields;
  try {
    top = parseToml(text, "metadata.toml");
  } catch (cause) {
    if (!(cause instanceof NetError)) throw cause;
    return { findings: [syntaxFinding(cause)], metadata: undefined };
  }
  const findings = new Findings(findTomlPlaces(text));
  checkTables(top, findings);
  checkBuilds(tableOf(top.builds), findings);
  checkTogether(top, findings, folder);
  const metadata = findings.hasErrors ? undefined : readMetadata(text, findings);
  return { findings: findings.sorted(), metadata };
}

type Fields = Readonly<Record<string, unknown>>;

class Findings {
  readonly #places: TomlPlaces;
  readonly #list: MetadataFinding[] = [];
  readonly #keys = new Set<string>();
  hasErrors = false;

  constructor(places: TomlPlaces) {
    this.#places = places;
  }

  add(key: string, finding: RuleFinding | undefined): void {
    // What is wrong with a value by itself says enough; how it fits others does not matter then.
    if (finding === undefined || this.#keys.has(key)) return;
    this.#keys.add(key);
    if (finding.severity === "error") this.hasErrors = true;
    if (this.#list.length >= FINDINGS_MAX) return;
    this.#list.push({
      severity: finding.severity,
      key: printable(key),
      line: this.#lineOf(key),
      message: printable(finding.message),
    });
  }

  sorted(): readonly MetadataFinding[] {
    return this.#list.toSorted((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity) || 0);
  }

  /** The line of a key, or of the nearest table around it. */
  #lineOf(key: string): number | undefined {
    for (let name = key; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
      const line = this.#places.get(name);
      if (line !== undefined) return line;
    }
    return undefined;
  }
}

function checkTables(top: Fields, findings: Findings): void {
  const names = Object.keys(TABLE_RULES);
  for (const key of Object.keys(top)) {
    if (key !== "builds" && !names.includes(key)) findings.add(key, unknown());
  }
  for (const [name, rules] of Object.entries(TABLE_RULES)) {
    const value = valueAt(top, name);
    const isRequired = name in REQUIRED_KEYS;
    if (value === undefined && !isRequired) continue;
    const table = tableOf(value ?? {});
    if (table === undefined) {
      findings.add(name, error(value, "must be a table"));
      continue;
    }
    const below = names.filter((other) => other.startsWith(`${name}.`));
    checkTable(name, table, rules, findings, below.map((other) => other.slice(name.length + 1)));
    for (const key of REQUIRED_KEYS[name] ?? []) {
      if (!Object.hasOwn(table, key)) findings.add(`${name}.${key}`, missing("error"));
    }
    for (const key of EXPECTED_KEYS[name] ?? []) {
      if (!Object.hasOwn(table, key)) findings.add(`${name}.${key}`, missing("warning"));
    }
  }
}

function checkTable(
  name: string,
  table: Fields,
  rules: TableRules,
  findings: Findings,
  below: readonly string[] = [],
): void {
  for (const [key, value] of Object.entries(table)) {
    if (below.includes(key)) continue;
    const rule = Object.hasOwn(rules, key) ? rules[key] : unknown;
    findings.add(`${name}.${key}`, rule?.(value));
  }
}

function checkBuilds(builds: Fields | undefined, findings: Findings): void {
  for (const [index, [key, value]] of Object.entries(builds ?? {}).entries()) {
    const name = `builds.${key}`;
    const table = tableOf(value);
    if (index >= BUILDS_MAX) {
      return findings.add("builds", error(builds, "must have at most 32 tables"));
    }
    if (table === undefined) {
      findings.add(name, error(value, "must be a table"));
      continue;
    }
    const [, arch = ""] = /^(.*)-linux$/.exec(key) ?? [];
    if (!/^[a-z0-9][a-z0-9_]{0,31}-[a-z0-9]{1,16}$/.test(key)) {
      findings.add(name, { severity: "error", message: "must be named ARCH-linux" });
    } else if (arch === "") findings.add(name, warning("is not for Linux"));
    else if (!ARCHITECTURES.includes(arch)) {
      findings.add(name, warning("is for an architecture that is not known here"));
    }
    checkTable(name, table, BUILD_RULES, findings);
    if (!table.checksum_sha256 && !table.checksum_blake3) {
      findings.add(name, warning("has no checksum, so a download cannot be verified"));
    }
    const { target } = table;
    if (typeof target === "string" && arch !== "" && !target.startsWith(arch)) {
      findings.add(`${name}.target`, error(target, `must be a target of ${arch}`));
    }
  }
}

/** Values that must agree with each other. */
function checkTogether(top: Fields, findings: Findings, folder: string | undefined): void {
  const primal = tableOf(top.primal) ?? {};
  const genomeBin = tableOf(top.genomeBin) ?? {};
  const builds = Object.entries(tableOf(top.builds) ?? {});
  if (folder !== undefined && typeof primal.name === "string" && primal.name !== folder) {
    findings.add(
      "primal.name",
      warning(`is ${shown(primal.name)}, the folder is ${shown(folder)}`),
    );
  }
  const { tier, unibin_modes: modes, default_mode: mode } = genomeBin;
  if (typeof mode === "string" && Array.isArray(modes) && !modes.includes(mode)) {
    findings.add("genomeBin.default_mode", error(mode, "must be one of unibin_modes"));
  }
  if (builds.length === 0) findings.add("builds", missing("warning"));
  for (const [key, value] of builds) {
    const { binary, static_linked: isStatic } = tableOf(value) ?? {};
    const isNamed = typeof primal.name === "string" && isMemberName(primal.name);
    if (isNamed && typeof binary === "string" && binary !== primal.name) {
      findings.add(`builds.${key}.binary`, warning("is not the member's name"));
    }
    if (tier === "ecoBin" && isStatic === false) {
      findings.add(`builds.${key}.static_linked`, warning("is false, an ecoBin is static"));
    }
  }
  const server = tableOf(genomeBin.server) ?? {};
  if (server.listen_flag !== undefined && server.listen_format === undefined) {
    findings.add("genomeBin.server.listen_format", missing("warning"));
  }
  const service = tableOf(genomeBin.service) ?? {};
  for (const key of ["after", "wants"]) {
    const others = service[key];
    if (Array.isArray(others) && typeof primal.name === "string" && others.includes(primal.name)) {
      findings.add(`genomeBin.service.${key}`, {
        severity: "error",
        message: "names the member itself",
      });
    }
  }
}

/** The reader has the last word: what it refuses can be neither fetched nor started. */
function readMetadata(text: string, findings: Findings): Metadata | undefined {
  try {
    return parseMetadata(text, "metadata.toml");
  } catch (cause) {
    if (!(cause instanceof NetError)) throw cause;
    findings.add("", { severity: "error", message: cause.message });
    return undefined;
  }
}

function syntaxFinding(cause: NetError): MetadataFinding {
  const { line } = asRecord(cause.cause) ?? {};
  const place = /^metadata\.toml:(\d+):/.exec(cause.message)?.[1];
  return {
    severity: "error",
    key: "",
    line: typeof line === "number" ? line : place === undefined ? undefined : Number(place),
    message: printable(cause.message.replace(/^metadata\.toml(:\d+:\d+:)? /, "")),
  };
}

function valueAt(top: Fields, name: string): unknown {
  let value: unknown = top;
  for (const part of name.split(".")) {
    const table = tableOf(value);
    value = table !== undefined && Object.hasOwn(table, part) ? table[part] : undefined;
  }
  return value;
}

function tableOf(value: unknown): Fields | undefined {
  return value instanceof Date ? undefined : asRecord(value);
}

function unknown(): RuleFinding {
  return warning("is not known");
}

function missing(severity: Severity): RuleFinding {
  return { severity, message: "is missing" };
}
