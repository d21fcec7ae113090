/**
 * One frozen configuration of a node: defaults < file < environment < flags, with each value's origin
 * (`decisions.md` 4 and 6, `validation.md` 4).
 *
 * Pure: it reads neither files nor the machine. The file layer is handed in already parsed.
 */
import {
  formatSocketAddress,
  NetError,
  parseId,
  parseSubnetId,
  type SocketAddress,
} from "../base/mod.ts";
import { LOG_LEVELS, type LogLevel } from "../observe/mod.ts";
import {
  parseDuration,
  parseFamily,
  parseLabel,
  parseListen,
  parsePeer,
  parseSubnetRule,
  parseSwitch,
  type PeerSpec,
  type SubnetRuleSpec,
} from "./parse.ts";
import {
  absolutePath,
  defaultDataDir,
  defaultRevocationFile,
  type Environment,
  identityPath,
} from "./paths.ts";
import { type Given, type Layer, Layers, type Origin } from "./layers.ts";
import { type ControlSettings, readControlSettings } from "./control_settings.ts";
import { checkHttpWrite, type HttpSettings, readHttpSettings } from "./http_settings.ts";
import { type BlobSettings, readBlobSettings } from "./blob_settings.ts";
import { type LogSettings, readLogSettings } from "./log_settings.ts";
import { readStoreSettings, type StoreSettings } from "./store_settings.ts";

/** More peers than this on a command line is a mistake. */
const PEERS_MAX = 1024;

/** More tags than this do not fit in one announcement. */
const TAGS_MAX = 1024;
const TAG_BYTES_MAX = 1024;

/** Sixteen rules for each of the four levels of a subnet. */
const SUBNET_RULES_MAX = 64;

/** How much a node runs: small and lean, or everything. */
export type Profile = "micro" | "macro";

/** Configuration of one node; frozen. */
export interface NodeConfig
  extends ControlSettings, LogSettings, BlobSettings, StoreSettings, HttpSettings {
  /** Address of the mesh socket; port 0 means the kept one, or any. */
  readonly udp: SocketAddress;
  readonly family: string | undefined;
  /** Absolute path of the data folder; `undefined` keeps everything in RAM. */
  readonly dataDir: string | undefined;
  /** True when the user named the data folder, so that it must work. */
  readonly isDataDirExplicit: boolean;
  readonly isAmnesia: boolean;
  readonly profile: Profile;
  /** Ticket text; a secret, never logged. */
  readonly join: string | undefined;
  readonly peers: readonly PeerSpec[];
  /** Node ids whose direct handshakes are accepted. */
  readonly expect: readonly bigint[];
  /** No session that is not sealed. */
  readonly isSealedOnly: boolean;
  readonly pskFile: string | undefined;
  /** File of the identity to run as; `undefined` for the data folder's own. */
  readonly identityFile: string | undefined;
  /** File of the issuers whose tokens were taken back; `undefined` for none. */
  readonly revocationFile: string | undefined;
  /** File that the mesh's datagrams are recorded in. */
  readonly pcapFile: string | undefined;
  /** Whose measurements the node takes part in. */
  readonly bench: "proven" | "any" | "off";
  /** Whether the node looks for ways through NATs, for itself and for others. */
  readonly nat: "auto" | "off";
  /** Tags announced for this run, beside what the operator said before. */
  readonly tags: readonly string[];
  /** Time between announcements in milliseconds, 0 for only on change; `undefined` for 150 s. */
  readonly announceEveryMs: number | undefined;
  /** Subnet of the node; `undefined` for the one its own tags give by the rules. */
  readonly subnet: number | undefined;
  readonly subnetRules: readonly SubnetRuleSpec[];
  /** It decides on channels that leave a subnet through it. */
  readonly isGateway: boolean;
  /** When the gateway is asked to let others reach the mesh's port: when there is a need, always, never. */
  readonly portMap: "auto" | "on" | "off";
  /** What publishing on a channel that nobody configured does: open it, open it with a warning, or fail. */
  readonly unregisteredChannels: "warn" | "allow" | "deny";
  /** Time between snapshots of folds in milliseconds, 0 for only at the end; `undefined` for 5 min. */
  readonly snapshotEveryMs: number | undefined;
  /** Time between sweeps of kept tokens in milliseconds, 0 for never; `undefined` for 30 s. */
  readonly tokenSweepMs: number | undefined;
  /** Time between sweeps of expired announcements in milliseconds, 0 for never; `undefined` for 1 s. */
  readonly capabilitySweepMs: number | undefined;
  readonly label: string;
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
  /** Time in milliseconds that work under way has when the node stops. */
  readonly drainTimeoutMs: number;
  /** Heartbeat interval; `undefined` for the transport's own. */
  readonly heartbeatMs: number | undefined;
  /** Silence after which a session is lost; `undefined` for the transport's own. */
  readonly sessionTimeoutMs: number | undefined;
  /** Where each value came from, by the names above. */
  readonly origins: Readonly<Record<string, Origin>>;
}

/** Values of the command line by setting. */
export type NodeFlags = Layer;

/** Options of {@linkcode loadNodeConfig}. */
export interface LoadNodeConfigOptions {
  readonly flags: NodeFlags;
  readonly env: Environment;
  /** Parsed configuration file, with the settings' names as keys. */
  readonly file?: Layer;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  /** Name of the machine, the default label. */
  readonly hostname?: string;
}

/**
 * Builds the configuration.
 *
 * @throws NetError `usage` for a bad flag, `config_invalid` for a bad variable or file entry.
 *
 * @example
 * ```ts
 * import { loadNodeConfig } from "./config.ts";
 * const config = loadNodeConfig({
 *   flags: { port: "9900" },
 *   env: { NET_PORT: "9000", HOME: "/home/ada" },
 *   cwd: "/",
 * });
 * console.assert(config.tcp?.port === 9900 && config.origins.tcp === "flag");
 * console.assert(config.dataDir === "/home/ada/.local/share/net");
 * ```
 */
export function loadNodeConfig(options: LoadNodeConfigOptions): NodeConfig {
  const { env, cwd } = options;
  const layers = new Layers(options.flags, env, options.file ?? {});
  const given = layers.given.bind(layers);

  const family = readFamily(layers, env);
  const isAmnesia = layers.read("amnesia", parseSwitch, "must be true or false") ?? false;
  const dataDirGiven = given("dataDir");
  if (isAmnesia && dataDirGiven?.origin === "flag" && layers.origins.amnesia === "flag") {
    throw new NetError("usage", "Cannot combine --amnesia and --data-dir: amnesia keeps no files", {
      next: "leave one of the two out",
    });
  }
  const dataDir = dataDirGiven === undefined
    ? defaultDataDir(env, family)
    : absolutePath(dataDirGiven.text, cwd);

  const config: NodeConfig = {
    udp: layers.read("udp", parseListen, "must be ADDR:PORT with an IP address") ??
      { host: "0.0.0.0", port: 0 },
    ...readControlSettings(layers, cwd),
    ...readHttpSettings(layers),
    family,
    dataDir: isAmnesia ? undefined : dataDir,
    isDataDirExplicit: dataDirGiven !== undefined && !isAmnesia,
    isAmnesia,
    profile: layers.read("profile", oneOf("micro", "macro"), "must be micro or macro") ?? "micro",
    join: given("join")?.text,
    peers: readPeers(layers),
    expect: layers.readAll("expect", parseId, "must be a node id of 16 hex digits", PEERS_MAX),
    isSealedOnly:
      (layers.read("peersMode", oneOf("sealed", "any"), "must be sealed or any") ?? "any") ===
        "sealed",
    pskFile: pathOf(given("pskFile"), cwd),
    identityFile: readIdentity(given("identity"), env, cwd),
    revocationFile: pathOf(given("revocations"), cwd) ??
      (isAmnesia ? undefined : defaultRevocationFile(env)),
    pcapFile: pathOf(given("pcap"), cwd),
    bench: layers.read(
      "bench",
      oneOf("proven", "any", "off"),
      "must be proven, any or off",
    ) ?? "proven",
    nat: layers.read("nat", oneOf("auto", "off"), "must be auto or off") ?? "auto",
    tags: layers.readAll("tag", parseTagText, "must be 1 to 1024 bytes of UTF-8", TAGS_MAX),
    subnet: layers.read(
      "subnet",
      parseSubnetId,
      "must be global, or up to four numbers such as 1.2 with the last one not 0",
    ),
    subnetRules: layers.readAll(
      "subnetRule",
      parseSubnetRule,
      "must be PREFIX=LEVEL:NAME=NUMBER,… with level 0 to 3 and numbers 1 to 255",
      SUBNET_RULES_MAX,
    ),
    isGateway: layers.read("gateway", parseSwitch, "must be true or false") ?? false,
    portMap: layers.read("portMap", oneOf("auto", "on", "off"), "must be auto, on or off") ??
      "auto",
    unregisteredChannels: layers.read(
      "unregisteredChannels",
      oneOf("warn", "allow", "deny"),
      "must be warn, allow or deny",
    ) ?? "warn",
    announceEveryMs: layers.read("announceEvery", parseEvery, EVERY_REQUIRED),
    snapshotEveryMs: layers.read("snapshotEvery", parseEvery, EVERY_REQUIRED),
    tokenSweepMs: layers.read("tokenSweep", parseEvery, EVERY_REQUIRED),
    capabilitySweepMs: layers.read("capabilitySweep", parseEvery, EVERY_REQUIRED),
    label: layers.read("label", parseLabel, "must be 1 to 64 bytes without control characters") ??
      (options.hostname === undefined ? undefined : parseLabel(options.hostname.slice(0, 63))) ??
      "net",
    logLevel: layers.read(
      "logLevel",
      oneOf(...LOG_LEVELS),
      `must be one of ${LOG_LEVELS.join(", ")}`,
    ) ?? "info",
    logFormat: layers.read("logFormat", oneOf("text", "json"), "must be text or json") ?? "text",
    ...readLogSettings(layers, cwd),
    ...readStoreSettings(layers),
    ...readBlobSettings(layers),
    drainTimeoutMs: layers.read("drainTimeout", parseDrain, DRAIN_REQUIRED) ?? DRAIN_MS,
    heartbeatMs: layers.read("heartbeat", parseInterval, INTERVAL_REQUIRED),
    sessionTimeoutMs: layers.read("sessionTimeout", parseInterval, INTERVAL_REQUIRED),
    origins: {},
  };
  if (config.join === "") {
    throw new NetError("usage", "Cannot join: the ticket is empty", {
      next: "print a ticket on the other node with net node ticket",
    });
  }
  return Object.freeze({ ...config, origins: originsOf(config, layers) });
}

/** The same configuration with another data folder; for the way down to RAM. */
export function withDataDir(config: NodeConfig, dataDir: string | undefined): NodeConfig {
  return Object.freeze({ ...config, dataDir });
}

/** Where sockets listen that a service manager opened. */
export interface OpenedAddresses {
  readonly socketPath?: string;
  readonly tcp?: SocketAddress;
  readonly http?: SocketAddress;
}

/**
 * The same configuration with the addresses of sockets that are open already.
 *
 * @throws NetError `usage` when it names another address for one of them, or anonymous writes where others come.
 */
export function withOpened(config: NodeConfig, opened: OpenedAddresses): NodeConfig {
  const { socketPath, tcp, http } = opened;
  const refuse = (flag: string, wanted: string, given: string) => {
    throw new NetError(
      "usage",
      `Cannot use ${`${flag} ${wanted}`.trim()}: the service manager opened ${given}`,
      {
        next: `leave ${flag} out, or change the socket unit`,
      },
    );
  };
  const { socketPath: wantedPath } = config;
  if (socketPath !== undefined && !config.hasSocket) refuse("--no-socket", "", socketPath);
  if (socketPath !== undefined && wantedPath !== undefined && wantedPath !== socketPath) {
    refuse("--socket", wantedPath, socketPath);
  }
  for (
    const [flag, wanted, given] of [["--port", config.tcp, tcp], [
      "--http",
      config.http,
      http,
    ]] as const
  ) {
    if (given === undefined || wanted === undefined || wanted.port === 0) continue;
    const [wantedText, givenText] = [formatSocketAddress(wanted), formatSocketAddress(given)];
    if (wantedText !== givenText) refuse(flag, wantedText, givenText);
  }
  if (http !== undefined) checkHttpWrite(config.httpWrite, http, "usage");
  return Object.freeze({
    ...config,
    socketPath: socketPath ?? wantedPath,
    tcp: tcp ?? config.tcp,
    http: http ?? config.http,
  });
}

/** What the transport takes, which refuses the rest. */
const INTERVAL_MS_MIN = 10;
const INTERVAL_MS_MAX = 86_400_000;
const INTERVAL_REQUIRED = "must be a duration from 10ms to 24h, such as 500ms, 5s or 2m";

/** Work under way has so long when a node stops (`validation.md` 3.3), and at most. */
const DRAIN_MS = 5_000;
const DRAIN_MS_MAX = 600_000;
const DRAIN_REQUIRED = "must be a duration from 0s to 10m";

function parseDrain(text: string): number | undefined {
  const durationMs = parseDuration(text);
  return durationMs !== undefined && durationMs <= DRAIN_MS_MAX ? durationMs : undefined;
}

/** Others forget what is not announced again, and disks wear out; less often than a day is never. */
const EVERY_MS_MIN = 10_000;
const EVERY_REQUIRED = "must be a duration from 10s to 24h, or never";

function parseEvery(text: string): number | undefined {
  if (text === "never") return 0;
  const durationMs = parseDuration(text);
  const isUsable = durationMs !== undefined && durationMs >= EVERY_MS_MIN &&
    durationMs <= INTERVAL_MS_MAX;
  return isUsable ? durationMs : undefined;
}

function parseTagText(text: string): string | undefined {
  const isUsable = text !== "" && text.isWellFormed() &&
    new TextEncoder().encode(text).length <= TAG_BYTES_MAX;
  return isUsable ? text : undefined;
}

function readFamily(layers: Layers, env: Environment): string | undefined {
  const family = layers.read(
    "family",
    parseFamily,
    "must be 1 to 32 letters, digits, dashes or underscores",
  );
  if (family === undefined || family === "") return undefined;
  if (parseSwitch(env.BIOMEOS_INSECURE ?? "") === true) {
    throw new NetError(
      "config_invalid",
      `Cannot start: family "${family}" (FAMILY_ID) and BIOMEOS_INSECURE=1 exclude each other`,
      { next: "unset BIOMEOS_INSECURE, or start without a family" },
    );
  }
  return family;
}

function readPeers(layers: Layers): readonly PeerSpec[] {
  return layers.readAll(
    "peer",
    parsePeer,
    "must be ADDR:PORT#NODEID#NOISEKEY with 16 and 64 hex digits",
    PEERS_MAX,
  );
}

function readIdentity(
  given: Given | undefined,
  env: Environment,
  cwd: string,
): string | undefined {
  return given === undefined ? undefined : identityPath(given.text, env, cwd);
}

function pathOf(given: Given | undefined, cwd: string): string | undefined {
  return given === undefined ? undefined : absolutePath(given.text, cwd);
}

/** A duration that the mesh can keep to. */
function parseInterval(text: string): number | undefined {
  const durationMs = parseDuration(text);
  const isUsable = durationMs !== undefined && durationMs >= INTERVAL_MS_MIN &&
    durationMs <= INTERVAL_MS_MAX;
  return isUsable ? durationMs : undefined;
}

function oneOf<T extends string>(...values: readonly T[]): (text: string) => T | undefined {
  return (text) => values.find((value) => value === text);
}

/** Names of {@linkcode NodeConfig} whose setting is called differently. */
const SETTING_OF: Readonly<Record<string, string>> = {
  socketPath: "socket",
  isAmnesia: "amnesia",
  isSealedOnly: "peersMode",
  pcapFile: "pcap",
  revocationFile: "revocations",
  identityFile: "identity",
  isDataDirExplicit: "dataDir",
  peers: "peer",
  tags: "tag",
  announceEveryMs: "announceEvery",
  subnetRules: "subnetRule",
  isGateway: "gateway",
  snapshotEveryMs: "snapshotEvery",
  tokenSweepMs: "tokenSweep",
  capabilitySweepMs: "capabilitySweep",
  logSweepMs: "logSweep",
  scrubEveryMs: "scrubEvery",
  blobRetentionMs: "blobRetention",
  blobGcMs: "blobGc",
  drainTimeoutMs: "drainTimeout",
  heartbeatMs: "heartbeat",
  sessionTimeoutMs: "sessionTimeout",
};

function originsOf(config: NodeConfig, layers: Layers): Readonly<Record<string, Origin>> {
  const origins: Record<string, Origin> = {};
  for (const name of Object.keys(config)) {
    if (name !== "origins") origins[name] = layers.origins[SETTING_OF[name] ?? name] ?? "default";
  }
  return Object.freeze(origins);
}
