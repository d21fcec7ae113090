/**
 * `metadata.toml`: what a member is, where its builds are and how it is started (`validation.md` 7.1).
 *
 * Keys that are not known are ignored; known ones have the right type or the file is refused. Whether a
 * file says enough is for `net validate metadata`.
 */
import { parseToml } from "../config/mod.ts";
import {
  flagAt,
  given,
  momentAt,
  portAt,
  requiredTextAt,
  type Table,
  tableAt,
  tablesIn,
  textAt,
  type TextRule,
  textsAt,
} from "./_tables.ts";
import { isFileName, isMemberName } from "./names.ts";
import { isPlatformKey } from "./platform.ts";

/** What `[primal]` says: who the member is. */
export interface MetadataPrimal {
  readonly name: string;
  readonly version: string;
  readonly domain?: string;
  readonly description?: string;
  readonly license?: string;
}

/** What one table below `[builds]` says. */
export interface MetadataBuild {
  /** Name of the executable when it is not the member's. */
  readonly binary?: string;
  /** 64 lowercase hexadecimal digits. */
  readonly checksumSha256?: string;
  /** 64 lowercase hexadecimal digits. */
  readonly checksumBlake3?: string;
  /** A target triple. */
  readonly target?: string;
  readonly pieVerified?: boolean;
  readonly staticLinked?: boolean;
}

/** What `[genomeBin.server]` says: how the member listens. */
export interface MetadataServer {
  readonly tcpPortEnv?: string;
  readonly tcpPortDefault?: number;
  /** `jsonrpc-newline`, `http`, `tarpc` or another word. */
  readonly tcpProtocol?: string;
  readonly socketFlag?: string;
  readonly portFlag?: string;
  readonly bindFlag?: string;
  readonly listenFlag?: string;
  /** For example `{addr}:{port}`. */
  readonly listenFormat?: string;
  readonly familyIdFlag?: string;
  readonly abstractFlag?: string;
  /** A method's name. */
  readonly healthProbe?: string;
}

/** What `[genomeBin]` says: how the member is run. */
export interface MetadataGenome {
  readonly tier?: string;
  readonly unibinModes?: readonly string[];
  readonly defaultMode?: string;
  readonly server?: MetadataServer;
  readonly service?: {
    readonly restartPolicy?: string;
    /** Members that are started before. */
    readonly after?: readonly string[];
    /** Members that are wanted, not needed. */
    readonly wants?: readonly string[];
  };
}

/** A whole file. */
export interface Metadata {
  readonly primal: MetadataPrimal;
  readonly provenance?: {
    readonly builtFrom?: string;
    /** RFC 3339. */
    readonly builtAt?: string;
    /** Of the one executable there was before `[builds]`. */
    readonly checksumSha256?: string;
  };
  readonly compatibility?: {
    readonly minIpcVersion?: string;
    readonly capabilities?: readonly string[];
  };
  /** By platform: `x86_64-linux`. */
  readonly builds: ReadonlyMap<string, MetadataBuild>;
  readonly genomeBin?: MetadataGenome;
}

/** Most tables below `[builds]`. */
export const BUILDS_MAX = 32;
/** Most entries of `capabilities`: no member known has 200. */
export const CAPABILITIES_MAX = 2_048;
/** Most entries of `after`, `wants` and `unibin_modes`. */
export const MEMBERS_MAX = 64;

const VERSION: TextRule = {
  lengthMax: 64,
  test: (text) => /^[0-9A-Za-z][0-9A-Za-z.+-]*$/.test(text),
  must: "a version such as 1.2.3",
};
const MEMBER: TextRule = {
  lengthMax: 64,
  test: isMemberName,
  must: "the name of a member: letters, digits, - or _",
};
const FILE: TextRule = {
  lengthMax: 128,
  test: isFileName,
  must: "the name of one file, without folder",
};
const WORD: TextRule = {
  lengthMax: 64,
  test: (text) => /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(text),
  must: "one word",
};
const FLAG: TextRule = {
  lengthMax: 64,
  test: (text) => /^--?[A-Za-z0-9][A-Za-z0-9_-]*$/.test(text),
  must: "a flag such as --port",
};
const VARIABLE: TextRule = {
  lengthMax: 64,
  test: (text) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text),
  must: "the name of a variable",
};
const FORMAT: TextRule = {
  lengthMax: 64,
  test: (text) => /^[!-~]+$/.test(text),
  must: "a format such as {addr}:{port}",
};
const HEX_256 = /^[0-9a-fA-F]{64}$/;
const CHECKSUM: TextRule = {
  lengthMax: 64,
  test: (text) => text === "" || HEX_256.test(text),
  must: "64 hexadecimal digits",
};

/**
 * Reads a `metadata.toml`.
 *
 * @param name What the file is called, for errors.
 * @throws NetError `usage` naming `table.key`, or line and column of what is no TOML.
 */
export function parseMetadata(text: string, name: string): Metadata {
  const top: Table = { file: name, path: "", values: parseToml(text, name) };
  const primal = tableAt(top, "primal") ?? { file: name, path: "primal", values: {} };
  const provenance = tableAt(top, "provenance");
  const compatibility = tableAt(top, "compatibility");
  const genomeBin = tableAt(top, "genomeBin");
  return {
    primal: {
      name: requiredTextAt(primal, "name", MEMBER),
      version: requiredTextAt(primal, "version", VERSION),
      ...given({
        domain: textAt(primal, "domain", WORD),
        description: textAt(primal, "description"),
        license: textAt(primal, "license", { lengthMax: 128 }),
      }),
    },
    ...given({
      provenance: provenance && given({
        builtFrom: textAt(provenance, "built_from"),
        builtAt: momentAt(provenance, "built_at"),
        checksumSha256: checksumAt(provenance, "checksum_sha256"),
      }),
      compatibility: compatibility && given({
        minIpcVersion: textAt(compatibility, "min_ipc_version", VERSION),
        capabilities: textsAt(compatibility, "capabilities", CAPABILITIES_MAX, {
          lengthMax: 128,
        }),
      }),
      genomeBin: genomeBin && readGenome(genomeBin),
    }),
    builds: readBuilds(top, primal),
  };
}

function readBuilds(top: Table, primal: Table): ReadonlyMap<string, MetadataBuild> {
  const builds = new Map<string, MetadataBuild>();
  for (const [key, table] of tablesIn(tableAt(top, "builds"), BUILDS_MAX, isPlatformKey)) {
    builds.set(
      key,
      given({
        binary: textAt(table, "binary", FILE),
        checksumSha256: checksumAt(table, "checksum_sha256"),
        checksumBlake3: checksumAt(table, "checksum_blake3"),
        target: textAt(table, "target", WORD),
        pieVerified: flagAt(table, "pie_verified"),
        staticLinked: flagAt(table, "static_linked"),
      }),
    );
  }
  // The oldest files have one build, described in [primal] itself.
  const architecture = textAt(primal, "architecture", {
    lengthMax: 64,
    test: isPlatformKey,
    must: "a platform such as x86_64-linux",
  });
  const checksumSha256 = checksumAt(primal, "checksum_sha256");
  if (architecture !== undefined && !builds.has(architecture)) {
    builds.set(architecture, given({ checksumSha256 }));
  }
  return builds;
}

function readGenome(table: Table): MetadataGenome {
  const server = tableAt(table, "server");
  const service = tableAt(table, "service");
  return given({
    tier: textAt(table, "tier", WORD),
    unibinModes: textsAt(table, "unibin_modes", MEMBERS_MAX, WORD),
    defaultMode: textAt(table, "default_mode", WORD),
    server: server && readServer(server),
    service: service && given({
      restartPolicy: textAt(service, "restart_policy", WORD),
      after: textsAt(service, "after", MEMBERS_MAX, MEMBER),
      wants: textsAt(service, "wants", MEMBERS_MAX, MEMBER),
    }),
  });
}

function readServer(table: Table): MetadataServer {
  return given({
    tcpPortEnv: textAt(table, "tcp_port_env", VARIABLE),
    tcpPortDefault: portAt(table, "tcp_port_default"),
    tcpProtocol: textAt(table, "tcp_protocol", WORD),
    socketFlag: textAt(table, "socket_flag", FLAG),
    portFlag: textAt(table, "port_flag", FLAG),
    bindFlag: textAt(table, "bind_flag", FLAG),
    listenFlag: textAt(table, "listen_flag", FLAG),
    listenFormat: textAt(table, "listen_format", FORMAT),
    familyIdFlag: textAt(table, "family_id_flag", FLAG),
    abstractFlag: textAt(table, "abstract_flag", FLAG),
    healthProbe: textAt(table, "health_probe", WORD),
  });
}

/** A checksum in lower case; an empty one counts as not given, as before the first harvest. */
function checksumAt(table: Table, key: string): string | undefined {
  return textAt(table, key, CHECKSUM)?.toLowerCase() || undefined;
}
