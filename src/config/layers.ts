/**
 * The layers a setting can come from, highest first: flag, environment, file.
 *
 * Knows the name of each setting on each layer, so that an error names what the user wrote.
 */
import { NetError } from "../base/mod.ts";
import type { Environment } from "./paths.ts";

/** Where a value came from. */
export type Origin = "default" | "file" | "environment" | "flag";

/** Values of one layer by setting. */
export type Layer = { readonly [K in Setting]?: string | boolean | readonly string[] };

/** One value as the user wrote it. */
export interface Given {
  readonly text: string;
  readonly origin: Exclude<Origin, "default">;
  /** How the user named it: `--port`, `NET_PORT`, `port`. */
  readonly source: string;
}

/** Settings: the flag, and the environment variables with the strongest first. */
const SETTINGS = {
  udp: ["--udp", "NET_UDP"],
  port: ["--port", "NET_PORT"],
  listen: ["--listen", "NET_LISTEN"],
  bind: ["--bind", "NET_BIND"],
  http: ["--http", "NET_HTTP"],
  httpWrite: ["--http-write", "NET_HTTP_WRITE"],
  socket: ["--socket", "NET_SOCKET"],
  noSocket: ["--no-socket", "NET_NO_SOCKET"],
  abstract: ["--abstract", "NET_ABSTRACT"],
  noPlainLink: ["--no-plain-link", "NET_NO_PLAIN_LINK"],
  pidDir: ["--pid-dir", "NET_PID_DIR"],
  auditDir: ["--audit-dir", "NET_AUDIT_DIR"],
  maxLine: ["--max-line", "NET_MAX_LINE"],
  familySeedFile: ["--family-seed-file", "NET_FAMILY_SEED_FILE"],
  familySeed: ["--family-seed", "NET_FAMILY_SEED", "FAMILY_SEED"],
  requireBtsp: ["--require-btsp", "NET_REQUIRE_BTSP"],
  family: ["--family", "NET_FAMILY_ID", "FAMILY_ID"],
  dataDir: ["--data-dir", "NET_DATA_DIR"],
  amnesia: ["--amnesia", "NET_AMNESIA"],
  profile: ["--profile", "NET_PROFILE"],
  join: ["--join", "NET_TICKET"],
  peer: ["--peer", "NET_PEER"],
  expect: ["--expect", "NET_EXPECT"],
  peersMode: ["--peers", "NET_PEERS"],
  pskFile: ["--psk-file", "NET_PSK_FILE"],
  identity: ["--identity", "NET_IDENTITY"],
  revocations: ["--revocations", "NET_REVOCATIONS"],
  pcap: ["--pcap", "NET_PCAP"],
  bench: ["--bench", "NET_BENCH"],
  nat: ["--nat", "NET_NAT"],
  tag: ["--tag", "NET_TAGS"],
  announceEvery: ["--announce-every", "NET_ANNOUNCE_EVERY"],
  subnet: ["--subnet", "NET_SUBNET"],
  subnetRule: ["--subnet-rule", "NET_SUBNET_RULES"],
  gateway: ["--gateway", "NET_GATEWAY"],
  portMap: ["--port-map", "NET_PORT_MAP"],
  unregisteredChannels: ["--unregistered-channels", "NET_UNREGISTERED_CHANNELS"],
  snapshotEvery: ["--snapshot-every", "NET_SNAPSHOT_EVERY"],
  tokenSweep: ["--token-sweep", "NET_TOKEN_SWEEP"],
  capabilitySweep: ["--capability-sweep", "NET_CAPABILITY_SWEEP"],
  label: ["--label", "NET_NODE_ID", "NODE_ID"],
  logLevel: ["--log-level", "NET_LOG_LEVEL"],
  logFormat: ["--log-format", "NET_LOG_FORMAT"],
  logFsync: ["--log-fsync", "NET_LOG_FSYNC"],
  logKeep: ["--log-keep", "NET_LOG_KEEP"],
  logSegment: ["--log-segment", "NET_LOG_SEGMENT"],
  logSweep: ["--log-sweep", "NET_LOG_SWEEP"],
  blobRetention: ["--blob-retention", "NET_BLOB_RETENTION"],
  blobGc: ["--blob-gc", "NET_BLOB_GC"],
  bus: ["--bus", "NET_BUS"],
  busUrl: ["--bus-url", "NET_BUS_URL"],
  busPeer: ["--bus-peer", "NET_BUS_PEER"],
  busAccept: ["--bus-accept", "NET_BUS_ACCEPT"],
  busShards: ["--bus-shards", "NET_BUS_SHARDS"],
  busFull: ["--bus-full", "NET_BUS_FULL"],
  blobQuota: ["--blob-quota", "NET_BLOB_QUOTA"],
  encryptStore: ["--encrypt-store", "NET_ENCRYPT_STORE"],
  scrubEvery: ["--scrub-every", "NET_SCRUB_EVERY"],
  scrubRate: ["--scrub-rate", "NET_SCRUB_RATE"],
  drainTimeout: ["--drain-timeout", "NET_DRAIN_TIMEOUT"],
  heartbeat: ["--heartbeat"],
  sessionTimeout: ["--session-timeout"],
} as const satisfies Record<string, readonly string[]>;

/** Settings whose variable holds several values, and what stands between them. */
const LISTS: ReadonlyMap<string, string> = new Map([
  ["peer", ","],
  ["expect", ","],
  ["tag", ","],
  ["busAccept", ","],
  ["subnetRule", ";"],
]);

/** Name of a setting. */
export type Setting = keyof typeof SETTINGS;

/** Looks settings up and remembers which layer decided each. */
export class Layers {
  /** The deciding layer of each setting that was found. */
  readonly origins: Record<string, Origin> = {};
  readonly #flags: Layer;
  readonly #env: Environment;
  readonly #file: Layer;

  constructor(flags: Layer, env: Environment, file: Layer) {
    this.#flags = flags;
    this.#env = env;
    this.#file = file;
  }

  /** The strongest single value of a setting. */
  given(setting: Setting): Given | undefined {
    for (const origin of ["flag", "environment", "file"] as const) {
      const given = this.givenIn(origin, setting);
      if (given !== undefined) {
        this.origins[setting] = origin;
        return given;
      }
    }
    return undefined;
  }

  /** The value of a setting on one layer. */
  givenIn(origin: Given["origin"], setting: Setting): Given | undefined {
    return this.#allIn(origin, setting)[0];
  }

  /**
   * The parsed value of a setting, or `undefined` when nobody gave one.
   *
   * @param required What a valid text looks like, starting with "must".
   * @throws NetError `usage` or `config_invalid`, by layer.
   */
  read<T>(setting: Setting, parse: (text: string) => T | undefined, required: string) {
    return this.parse(this.given(setting), parse, required);
  }

  /** Every value of a repeatable setting, from the strongest layer that has any. */
  readAll<T>(
    setting: Setting,
    parse: (text: string) => T | undefined,
    required: string,
    countMax: number,
  ): readonly T[] {
    for (const origin of ["flag", "environment", "file"] as const) {
      const all = this.#allIn(origin, setting);
      if (all.length === 0) continue;
      this.origins[setting] = origin;
      if (all.length > countMax) {
        throw invalid(all[0], `${all.length} values`, `at most ${countMax}`);
      }
      const values: T[] = [];
      for (const given of all) {
        const value = this.parse(given, parse, required);
        if (value !== undefined) values.push(value);
      }
      return Object.freeze(values);
    }
    return Object.freeze([]);
  }

  /** Parses one value, naming its source when it is invalid. */
  parse<T>(
    given: Given | undefined,
    parse: (text: string) => T | undefined,
    required: string,
  ): T | undefined {
    if (given === undefined) return undefined;
    const value = parse(given.text);
    if (value === undefined) throw invalid(given, `"${given.text.slice(0, 128)}"`, required);
    return value;
  }

  #allIn(origin: Given["origin"], setting: Setting): readonly Given[] {
    const [flag, ...variables] = SETTINGS[setting];
    if (origin === "environment") {
      for (const name of variables) {
        const text = this.#env[name];
        if (text === undefined || text === "") continue;
        const separator = LISTS.get(setting);
        const texts = separator === undefined
          ? [text]
          : text.split(separator).map((part) => part.trim());
        return texts.filter((part) => part !== "").map((part) => ({
          text: part,
          origin,
          source: name,
        }));
      }
      return [];
    }
    const value = origin === "flag" ? this.#flags[setting] : this.#file[setting];
    if (value === undefined) return [];
    const texts = typeof value === "object" ? value : [String(value)];
    const source = origin === "flag" ? flag : `${setting} in the configuration file`;
    return texts.map((text) => ({ text, origin, source }));
  }
}

function invalid(given: Given | undefined, value: string, required: string): NetError {
  const source = given?.source ?? "the configuration";
  return new NetError(
    given?.origin === "flag" ? "usage" : "config_invalid",
    `Cannot use ${source}: value is ${value}, ${required}`,
    {
      next: given?.origin === "flag"
        ? "see net node start --help"
        : `correct ${source} or override it with a flag`,
    },
  );
}
