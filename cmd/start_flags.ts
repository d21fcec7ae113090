/** Flags of `net node start` (`decisions.md` 4, `validation.md` 4), and their way back into arguments. */
import type { FlagParametersForType } from "@stricli/core";
import type { NodeFlags } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import {
  hiddenTextFlag,
  listFlag,
  oneSpelling,
  SHARED_FLAGS,
  type SharedFlags,
  socketFlag,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { toKebab } from "./help.ts";

/** Values of the flags of `net node start`. */
export interface StartFlags extends SharedFlags {
  readonly udp?: string;
  readonly port?: string;
  readonly tcpPort?: string;
  readonly jsonrpcPort?: string;
  readonly listen?: string;
  readonly bind?: string;
  readonly noSocket?: boolean;
  readonly abstract?: boolean;
  readonly noPlainLink?: boolean;
  readonly pidDir?: string;
  readonly auditDir?: string;
  readonly maxLine?: string;
  readonly familySeedFile?: string;
  readonly requireBtsp?: boolean;
  readonly http?: string;
  readonly httpWrite?: "token" | "loopback" | "off";
  readonly join?: string;
  readonly peer?: readonly string[];
  readonly expect?: readonly string[];
  readonly peers?: string;
  readonly pskFile?: string;
  readonly identity?: string;
  readonly revocations?: string;
  readonly pcap?: string;
  readonly bench?: "proven" | "any" | "off";
  readonly profile?: "micro" | "macro";
  readonly nat?: "auto" | "off";
  readonly tag?: readonly string[];
  readonly announceEvery?: string;
  readonly subnet?: string;
  readonly subnetRule?: readonly string[];
  readonly gateway?: boolean;
  readonly portMap?: "auto" | "on" | "off";
  readonly unregisteredChannels?: string;
  readonly label?: string;
  readonly amnesia?: boolean;
  readonly detach?: boolean;
  readonly foreground?: boolean;
  readonly showTicket?: boolean;
  readonly logLevel?: "debug" | "info" | "warn" | "error" | "off";
  readonly logFormat?: "text" | "json";
  readonly logFsync?: string;
  readonly logKeep?: string;
  readonly logSegment?: string;
  readonly logSweep?: string;
  readonly blobRetention?: string;
  readonly blobGc?: string;
  readonly bus?: "log" | "noop" | "redis" | "jetstream" | "mesh";
  readonly busUrl?: string;
  readonly busPeer?: string;
  readonly busAccept?: readonly string[];
  readonly busShards?: string;
  readonly busFull?: string;
  readonly blobQuota?: string;
  readonly encryptStore?: boolean;
  readonly scrubEvery?: string;
  readonly scrubRate?: string;
  readonly snapshotEvery?: string;
  readonly tokenSweep?: string;
  readonly capabilitySweep?: string;
  readonly drainTimeout?: string;
  readonly heartbeat?: string;
  readonly sessionTimeout?: string;
}

/** Declarations of the flags of `net node start`. */
export const START_FLAGS: FlagParametersForType<StartFlags, NetContext> = {
  udp: textFlag("ADDR:PORT", "Address of the mesh; default: all addresses and the port kept"),
  port: textFlag("PORT", "Serve JSON-RPC lines over TCP on 127.0.0.1; 0 picks a port"),
  tcpPort: hiddenTextFlag("PORT", "Same as --port"),
  jsonrpcPort: hiddenTextFlag("PORT", "Same as --port"),
  listen: textFlag("ADDR:PORT", "Serve JSON-RPC lines over TCP there"),
  bind: textFlag("ADDR", "Address that goes with --port"),
  noSocket: switchFlag("Serve over TCP alone, outside the rule that every member has a socket"),
  abstract: switchFlag("Listen under the abstract name @net as well, or @net-F for family F"),
  noPlainLink: switchFlag("Keep net.sock free beside a family's socket"),
  pidDir: textFlag("DIR", "Folder of the pid file; default: beside the socket"),
  familySeedFile: textFlag("FILE", "Seed of the family: lets its members speak BTSP"),
  requireBtsp: switchFlag("Refuse clear text: whoever connects proves to be of the family"),
  auditDir: textFlag("DIR", "Record there who changes what; default: nowhere"),
  maxLine: textFlag("SIZE", "Longest request line, such as 4M; default: 1M"),
  http: textFlag("ADDR:PORT", "Serve objects over HTTP there; a port alone means 127.0.0.1"),
  httpWrite: {
    kind: "enum",
    values: ["token", "loopback", "off"],
    optional: true,
    brief: "Who stores objects over HTTP: who has the secret, this machine, none; default: token",
  },
  join: textFlag("TICKET", "Join with a ticket: a word, - for standard input, or @FILE"),
  peer: listFlag("ADDR#NODEID#NOISEKEY", "Connect to a peer without a ticket; repeatable"),
  expect: listFlag("NODEID", "Accept the direct handshake of this node; repeatable"),
  peers: textFlag("sealed|any", "Sessions to accept: only sealed ones, or any; default: any"),
  pskFile: textFlag("FILE", "Mesh secret: 32 bytes, or 64 hex digits"),
  identity: textFlag(
    "NAME",
    "Identity to run as, taken into the data folder; default: that folder's own",
  ),
  revocations: textFlag(
    "FILE",
    "Issuers whose tokens were taken back; default: the user's own list",
  ),
  pcap: textFlag(
    "FILE",
    "Record the mesh's datagrams, as sealed as they are, for packet analysers",
  ),
  bench: {
    kind: "enum",
    values: ["proven", "any", "off"],
    optional: true,
    brief: "Peers to take part in measurements of: proven ones, any, none; default: proven",
  },
  profile: {
    kind: "enum",
    values: ["micro", "macro"],
    optional: true,
    brief: "How much the node runs; default: micro",
  },
  nat: {
    kind: "enum",
    values: ["auto", "off"],
    optional: true,
    brief: "Look for ways through NATs, and introduce others; default: auto",
  },
  tag: listFlag(
    "TAG",
    "Something this node can do, such as gpu or hardware.memory_gb=64; repeatable",
  ),
  announceEvery: textFlag(
    "DURATION",
    "Time between announcements, or never; default: 150s. Others forget after twice that",
  ),
  subnet: textFlag(
    "ID",
    "Subnet of the node, such as 1.2; default: what the rules make of its tags",
  ),
  subnetRule: listFlag(
    "PREFIX=LEVEL:NAME=NUMBER,…",
    "Read a level of subnets from tags, as region:=0:eu=1,us=2; repeatable",
  ),
  gateway: switchFlag("Decide on channels that leave a subnet through this node"),
  portMap: {
    kind: "enum",
    values: ["auto", "on", "off"],
    optional: true,
    brief: "Ask the router for a port: auto, for peers outside its network; default: auto",
  },
  unregisteredChannels: textFlag(
    "warn|allow|deny",
    "Publishing on a channel nobody made: open it, or not; default: warn and open",
  ),
  label: textFlag("TEXT", "Name of the node in tickets; default: the machine's name"),
  amnesia: switchFlag("Keep everything in memory"),
  foreground: switchFlag("Run in the foreground, which is what happens anyway"),
  detach: switchFlag("Run in the background, return when the node answers"),
  showTicket: switchFlag("Print the ticket even when standard output is no terminal"),
  logLevel: {
    kind: "enum",
    values: ["debug", "info", "warn", "error", "off"],
    optional: true,
    brief: "Least severe records to log; default: info",
  },
  logFormat: {
    kind: "enum",
    values: ["text", "json"],
    optional: true,
    brief: "Shape of log records on standard error; default: text",
  },
  logFsync: textFlag(
    "WHEN",
    "Channel logs go to the device: never, every:N, interval:TIME; default: interval:1s",
  ),
  logKeep: textFlag(
    "WHAT",
    "What channel logs keep: all, or events:N,bytes:SIZE,age:TIME; default: all",
  ),
  logSegment: textFlag("SIZE", "Size of a channel log's segments on disk, up to 3G"),
  logSweep: hiddenTextFlag("DURATION", "Time between runs of retention, or never"),
  blobRetention: textFlag(
    "DURATION",
    "Time that chunks of blobs stay when nothing needs them any more; default: 24h",
  ),
  blobGc: textFlag("DURATION", "Time between collections of such chunks, or never; default: 10m"),
  bus: {
    kind: "enum",
    values: ["log", "noop", "redis", "jetstream", "mesh"],
    optional: true,
    brief:
      "What keeps the events of the bus: the node's log, nothing, a server, or another node; " +
      "default: log",
  },
  busUrl: textFlag("URL", "Address of that server, or @FILE; a password belongs into the file"),
  busPeer: textFlag("NODEID", "Node that gets the events of the bus, with --bus mesh"),
  busAccept: listFlag(
    "NODEID|any",
    "Keep events that this node's bus hands over here; default: nobody's; repeatable",
  ),
  busShards: textFlag("N", "Shards of the bus; default: one for each processor"),
  busFull: textFlag(
    "MODE",
    "When the bus is full: drop-newest, drop-oldest, fail, sample:N; default: drop-oldest",
  ),
  blobQuota: textFlag(
    "SIZE",
    "Most bytes of chunks, such as 20G, or none; kept for later starts; default: what the disk has",
  ),
  encryptStore: {
    kind: "boolean",
    optional: true,
    withNegated: true,
    brief:
      "Encrypt chunks that are stored from now on, with the key store.key; kept for later starts",
  },
  scrubEvery: textFlag("DURATION", "Time between checks of all chunks, such as 7d; default: never"),
  scrubRate: textFlag("SIZE", "Bytes per second that a check reads; default: 50M"),
  drainTimeout: textFlag("DURATION", "Time that work has to end when the node stops; default: 5s"),
  snapshotEvery: hiddenTextFlag("DURATION", "Time between snapshots of folds, or never"),
  tokenSweep: hiddenTextFlag("DURATION", "Time between sweeps of kept tokens, or never"),
  capabilitySweep: hiddenTextFlag("DURATION", "Time between sweeps of announcements, or never"),
  heartbeat: hiddenTextFlag("DURATION", "Interval of heartbeats"),
  sessionTimeout: hiddenTextFlag("DURATION", "Silence after which a session is lost"),
  ...SHARED_FLAGS,
};

/**
 * The part of the flags that is configuration, with every spelling brought to one.
 *
 * @throws NetError `usage` for spellings that contradict each other.
 */
export function toNodeFlags(flags: StartFlags): NodeFlags {
  return {
    udp: flags.udp,
    port: oneSpelling({
      "--port": flags.port,
      "--tcp-port": flags.tcpPort,
      "--jsonrpc-port": flags.jsonrpcPort,
    }),
    listen: flags.listen,
    bind: flags.bind,
    noSocket: flags.noSocket,
    abstract: flags.abstract,
    noPlainLink: flags.noPlainLink,
    pidDir: flags.pidDir,
    auditDir: flags.auditDir,
    maxLine: flags.maxLine,
    familySeedFile: flags.familySeedFile,
    requireBtsp: flags.requireBtsp,
    http: flags.http,
    httpWrite: flags.httpWrite,
    socket: socketFlag(flags),
    family: flags.family,
    dataDir: flags.dataDir,
    amnesia: flags.amnesia,
    profile: flags.profile,
    join: flags.join,
    peer: flags.peer,
    expect: flags.expect,
    peersMode: flags.peers,
    pskFile: flags.pskFile,
    identity: flags.identity,
    revocations: flags.revocations,
    pcap: flags.pcap,
    bench: flags.bench,
    nat: flags.nat,
    tag: flags.tag,
    announceEvery: flags.announceEvery,
    subnet: flags.subnet,
    subnetRule: flags.subnetRule,
    gateway: flags.gateway,
    portMap: flags.portMap,
    unregisteredChannels: flags.unregisteredChannels,
    label: flags.label,
    logLevel: flags.logLevel,
    logFormat: flags.logFormat,
    logFsync: flags.logFsync,
    logKeep: flags.logKeep,
    logSegment: flags.logSegment,
    logSweep: flags.logSweep,
    blobRetention: flags.blobRetention,
    blobGc: flags.blobGc,
    bus: flags.bus,
    busUrl: flags.busUrl,
    busPeer: flags.busPeer,
    busAccept: flags.busAccept,
    busShards: flags.busShards,
    busFull: flags.busFull,
    blobQuota: flags.blobQuota,
    encryptStore: flags.encryptStore,
    scrubEvery: flags.scrubEvery,
    scrubRate: flags.scrubRate,
    snapshotEvery: flags.snapshotEvery,
    tokenSweep: flags.tokenSweep,
    capabilitySweep: flags.capabilitySweep,
    drainTimeout: flags.drainTimeout,
    heartbeat: flags.heartbeat,
    sessionTimeout: flags.sessionTimeout,
  };
}

/** Arguments that make `net node start` see the same flags again. */
export function toStartArguments(flags: StartFlags): readonly string[] {
  const args = ["node", "start"];
  for (const [name, value] of Object.entries(flags)) {
    const flag = `--${toKebab(name)}`;
    if (value === true) args.push(flag);
    else if (value === false) args.push(`--no-${toKebab(name)}`);
    else if (typeof value === "string") args.push(flag, value);
    else if (Array.isArray(value)) { for (const item of value) args.push(flag, String(item)); }
  }
  return args;
}

/** True when the ticket itself is an argument, visible in process lists. */
export function isTicketVisible(flags: StartFlags): boolean {
  return flags.join !== undefined && flags.join !== "-" && !flags.join.startsWith("@");
}

/** True for an address with a user or password in it, visible in process lists. */
export function isSecretUrl(url: string | undefined): boolean {
  return url !== undefined && !url.startsWith("@") && url.includes("@");
}
