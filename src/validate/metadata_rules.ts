/**
 * The rules of `metadata.toml` as a table: what each key must be (`validation.md` 7.1).
 *
 * Pure: a value in, a finding or nothing out.
 */
import { isFileName, isMemberName } from "../deploy/mod.ts";
import { printable } from "./verdict.ts";

/** How bad a finding is. */
export type Severity = "error" | "warning";

/** What is wrong with one value, behind the name of its key. */
export interface RuleFinding {
  readonly severity: Severity;
  readonly message: string;
}

/** Looks at one value. */
export type ValueRule = (value: unknown) => RuleFinding | undefined;

/** Keys of one table. */
export type TableRules = Readonly<Record<string, ValueRule>>;

const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;
const MOMENT_UTC = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?[Zz]$/;
const CHECKSUM = /^[0-9a-fA-F]{64}$/;
const METHOD = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;
const TRIPLE = /^[a-z0-9_]+(-[a-z0-9_]+){2,3}$/;

/** Longest text of one value. */
const TEXT_LENGTH_MAX = 1024;

/** Entries of one list. */
const LIST_LENGTH_MAX = 2048;

const name = text(isMemberName, "must be a member's name: letters, digits, - or _");
const flag = text(
  (value) => /^--?[A-Za-z0-9][A-Za-z0-9_-]*$/.test(value),
  "must be a flag such as --port",
);
const yesOrNo: ValueRule = (value) =>
  typeof value === "boolean" ? undefined : error(value, "must be true or false");
const names = list(isMemberName, "must be members' names");
const modes = list((value) => /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value), "must be single words");
const checksum = text(
  (value) => value === "" || CHECKSUM.test(value),
  "must be 64 hexadecimal digits",
);

/** The tables whose names are fixed. */
export const TABLE_RULES: Readonly<Record<string, TableRules>> = {
  primal: {
    name,
    version: text((value) => SEMVER.test(value), "must be a version such as 1.2.3"),
    domain: text((value) => METHOD.test(value), "must be lower-case words with dots between"),
    description: text(),
    license: text(),
    architecture: legacy("[builds.ARCH-linux]"),
    checksum_sha256: legacy("[builds.ARCH-linux]"),
  },
  provenance: {
    built_from: text(),
    built_at: moment,
    checksum_sha256: (value) => checksum(value) ?? legacy("[builds.ARCH-linux]")(value),
  },
  compatibility: {
    min_ipc_version: text((value) => /^\d+\.\d+$/.test(value), 'must be a version such as "1.0"'),
    capabilities: (value) =>
      list((entry) => METHOD.test(entry), "must be names such as domain.operation")(value) ??
        repeated(value),
  },
  genomeBin: {
    tier: word("ecoBin", "genomeBin"),
    unibin_modes: modes,
    default_mode: text((value) => /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value), "must be one word"),
  },
  "genomeBin.server": {
    tcp_port_env: text(
      (value) => /^[A-Z][A-Z0-9_]*$/.test(value),
      "must be the name of a variable such as NET_PORT",
    ),
    tcp_port_default: port,
    tcp_protocol: word("jsonrpc-newline", "http", "tarpc"),
    socket_flag: flag,
    port_flag: (value) =>
      flag(value) ?? (value === "--port" ? undefined : error(value, 'must be "--port"')),
    bind_flag: flag,
    listen_flag: flag,
    listen_format: text(
      (value) => value.includes("{port}"),
      "must contain {port}, as in {addr}:{port}",
    ),
    family_id_flag: flag,
    abstract_flag: flag,
    health_probe: text((value) => METHOD.test(value), "must be a method such as health.liveness"),
  },
  "genomeBin.service": {
    restart_policy: word("always", "on-failure", "no", "never"),
    after: names,
    wants: names,
  },
};

/** Keys of one table below `[builds]`. */
export const BUILD_RULES: TableRules = {
  binary: text(isFileName, "must be the name of one file, without folder"),
  checksum_sha256: checksum,
  checksum_blake3: checksum,
  target: text((value) => TRIPLE.test(value), "must be a target such as x86_64-unknown-linux-gnu"),
  pie_verified: yesOrNo,
  static_linked: yesOrNo,
};

/** Keys that must be there, by table. */
export const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  primal: ["name", "version"],
};

/** Keys that should be there where their table is, by table. */
export const EXPECTED_KEYS: Readonly<Record<string, readonly string[]>> = {
  primal: ["domain", "description", "license"],
  compatibility: ["min_ipc_version", "capabilities"],
  genomeBin: ["tier"],
  "genomeBin.server": ["tcp_port_default", "tcp_protocol", "port_flag"],
};

/** A finding about a value that breaks a rule. */
export function error(value: unknown, must: string): RuleFinding {
  return { severity: "error", message: `is ${shown(value)}, ${must}` };
}

/** A finding that does not make a file invalid. */
export function warning(message: string): RuleFinding {
  return { severity: "warning", message };
}

/** A value for a message: texts quoted, others named by their type. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    return `"${printable(value.length > 60 ? `${value.slice(0, 60)}…` : value)}"`;
  }
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    return String(value);
  }
  return Array.isArray(value) ? "a list" : value instanceof Date ? "a date" : "a table";
}

function text(test: (value: string) => boolean = () => true, must: string = ""): ValueRule {
  return (value) => {
    if (typeof value !== "string") return error(value, "must be a text");
    if (value.length > TEXT_LENGTH_MAX) {
      return error(value, `must have at most ${TEXT_LENGTH_MAX} characters`);
    }
    return test(value) ? undefined : error(value, must);
  };
}

function word(...words: readonly string[]): ValueRule {
  return text(
    (value) => words.includes(value),
    `must be ${words.join(", ")}`.replace(/, ([^,]*)$/, " or $1"),
  );
}

function list(test: (entry: string) => boolean, must: string): ValueRule {
  return (value) => {
    if (!Array.isArray(value)) return error(value, "must be a list of texts");
    if (value.length > LIST_LENGTH_MAX) {
      return { severity: "error", message: `has more than ${LIST_LENGTH_MAX} entries` };
    }
    const wrong: unknown = value.find((entry) => typeof entry !== "string" || !test(entry));
    return wrong === undefined
      ? undefined
      : { severity: "error", message: `has the entry ${shown(wrong)}, ${must}` };
  };
}

function repeated(value: unknown): RuleFinding | undefined {
  if (!Array.isArray(value)) return undefined;
  const twice: unknown = value.find((entry, index) => value.indexOf(entry) !== index);
  return twice === undefined ? undefined : warning(`names ${shown(twice)} twice`);
}

function legacy(place: string): ValueRule {
  return () => warning(`is an older place for it, now it belongs to ${place}`);
}

function moment(value: unknown): RuleFinding | undefined {
  // TOML's own dates are taken too; they say whether they have an offset.
  const written = value instanceof Date ? value.toISOString() : value;
  if (typeof written !== "string") return error(value, "must be a moment in UTC");
  return MOMENT_UTC.test(written) && !Number.isNaN(Date.parse(written))
    ? undefined
    : error(value, "must be a moment in UTC such as 2026-01-31T12:00:00Z");
}

function port(value: unknown): RuleFinding | undefined {
  const isPort = typeof value === "number" && Number.isInteger(value) && value >= 1 &&
    value <= 65_535;
  return isPort ? undefined : error(value, "must be a whole number from 1 to 65535");
}
