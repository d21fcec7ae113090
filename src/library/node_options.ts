/** What a program says of the node it starts, and the configuration that makes of it. */
import { loadNodeConfig, type NodeConfig } from "../config/mod.ts";
import { createLog, type Log, type LogLevel, silentLog } from "../observe/mod.ts";

/** Options of {@linkcode startNode}; all of them may be left out. */
export interface StartNodeOptions {
  /**
   * Folder for identity, records and blobs; made if it is missing, and locked while the node runs. Left out,
   * everything is kept in memory and gone with the node.
   */
  readonly dataDir?: string;
  /** Ticket of a node of the mesh to join; the node begins a mesh of its own when left out. */
  readonly join?: string;
  /** Milliseconds that joining may take; 10000 when left out, 0 to join later on its own. */
  readonly joinTimeoutMs?: number;
  /** `ADDR:PORT` of the mesh socket; any free port on every address when left out. */
  readonly listen?: string;
  /** Name for people; it stands in tickets. */
  readonly label?: string;
  /** Tags that the node announces from the start; see also `announce`. */
  readonly tags?: readonly string[];
  /** File of the identity to run as; that of the data folder, or a new one, when left out. */
  readonly identityFile?: string;
  /** File with the 64 hex digits of the mesh secret, for meshes with Rust nodes. */
  readonly secretFile?: string;
  /** Refuses peers that do not prove who they are; false when left out. */
  readonly sealedOnly?: boolean;
  /** Looks for ways through NATs and asks the gateway for a port; true when left out. */
  readonly traversal?: boolean;
  /** Takes one line for each log record; nothing is logged when left out. */
  readonly log?: (line: string) => void;
  /** Records below this level are dropped; `info` when left out. */
  readonly logLevel?: LogLevel;
  /** Ends the start; nothing is left running then. */
  readonly signal?: AbortSignal;
}

/**
 * The configuration of a node that a program starts. Neither the environment nor the user's own files are
 * looked at.
 *
 * @throws NetError `usage` for an option that is not what it must be.
 */
export function libraryConfig(options: StartNodeOptions): NodeConfig {
  const { dataDir, traversal = true } = options;
  const isRelative = [dataDir, options.identityFile, options.secretFile].some((path) =>
    path !== undefined && !path.startsWith("/")
  );
  const nat = traversal ? "auto" : "off";
  return loadNodeConfig({
    flags: {
      amnesia: dataDir === undefined,
      dataDir,
      join: options.join,
      udp: options.listen,
      label: options.label,
      tag: options.tags,
      identity: options.identityFile,
      pskFile: options.secretFile,
      peersMode: options.sealedOnly === true ? "sealed" : "any",
      revocations: dataDir === undefined ? undefined : `${dataDir}/revocations.json`,
      nat,
      portMap: nat,
      unregisteredChannels: "allow",
      logLevel: options.logLevel,
    },
    env: {},
    // Asking for the working folder takes a permission that most programs need not give.
    cwd: isRelative ? Deno.cwd() : "/",
  });
}

/** Where the records of a node go. */
export function libraryLog({ log, logLevel = "info" }: StartNodeOptions): Log {
  return log === undefined ? silentLog : createLog({ level: logLevel, format: "text", write: log });
}
