/**
 * How a verb reaches a node: over the control socket of a running one, or by opening the data folder
 * itself under its lock when none runs and the verb can work alone.
 */
import { NetError } from "../src/base/mod.ts";
import {
  type Environment,
  loadNodeConfig,
  type NodeConfig,
  prepareDataDir,
  readUpTo,
  withDataDir,
} from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { type SharedFlags, socketFlag } from "./flags.ts";
import { recordOf } from "./format.ts";

/** Largest `node.json` worth reading. */
const NODE_FILE_BYTES_MAX = 4096;

/** Variables that say where a node is; the others (ticket, ports) concern only its start. */
const PLACE_VARIABLES = [
  "HOME",
  "XDG_DATA_HOME",
  "NET_DATA_DIR",
  "NET_FAMILY_ID",
  "FAMILY_ID",
  "NET_SOCKET",
  "NET_AMNESIA",
  "NET_LOG_LEVEL",
] as const;

/**
 * Connects to the running node that the flags and the environment name.
 *
 * @throws NetError `not_running` when there is none.
 */
export async function connectNode(
  context: NetContext,
  flags: SharedFlags,
  signal: AbortSignal,
): Promise<NodeCaller> {
  const config = placeOf(context, flags);
  let failure: NetError | undefined;
  for (const socketPath of await socketCandidates(context, config)) {
    try {
      return await context.doors.connect(socketPath, signal);
    } catch (error) {
      if (!isNotRunning(error)) throw error;
      failure ??= error;
    }
  }
  const message = failure?.message ??
    `Cannot reach a node: no node is recorded in "${config.dataDir ?? ""}"`;
  throw new NetError("not_running", message, {
    cause: failure,
    next: `start one with ${commandAt("net node start", flags)}`,
  });
}

/** A command that means the same node as the flags do. */
export function commandAt(command: string, flags: SharedFlags): string {
  const given = { family: flags.family, "data-dir": flags.dataDir, socket: socketFlag(flags) };
  const words = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${value}`]
  );
  return [command, ...words].join(" ");
}

/** Options of {@linkcode connectOrOpen}. */
export interface ConnectOrOpenOptions {
  /** Refuses a data folder that no node was started in, instead of making keys there. */
  readonly isForReading?: boolean;
  /** What is looked for, where it is not the node's identity: `logs`. */
  readonly wanted?: string;
}

/**
 * Like {@linkcode connectNode}; without a running node the data folder is opened in this process.
 *
 * @throws NetError `not_running` when there is neither a node nor a data folder, `not_found` when there is
 * nothing to read in it.
 */
export async function connectOrOpen(
  context: NetContext,
  flags: SharedFlags,
  signal: AbortSignal,
  { isForReading = false, wanted }: ConnectOrOpenOptions = {},
): Promise<NodeCaller> {
  try {
    return await connectNode(context, flags, signal);
  } catch (error) {
    // Somebody who names a socket means that node and no other.
    const config = placeOf(context, flags);
    if (!isNotRunning(error) || config.socketPath !== undefined) throw error;
    if (isForReading && config.dataDir !== undefined) {
      await requireKeys(config.dataDir, flags, wanted);
    }
    const prepared = await prepareDataDir(config);
    if (prepared.dataDir === undefined) throw error;
    return await context.doors.openStandalone(withDataDir(config, prepared.dataDir));
  }
}

async function requireKeys(
  dataDir: string,
  flags: SharedFlags,
  wanted: string | undefined,
): Promise<void> {
  try {
    await Deno.lstat(`${dataDir}/identity.key`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return;
    if (wanted !== undefined) {
      throw new NetError("not_found", `Cannot find ${wanted}: there are none in "${dataDir}"`, {
        next: `look elsewhere with --data-dir or --family, or begin with ${
          commandAt("net node start", flags)
        }`,
      });
    }
    throw new NetError(
      "not_found",
      `Cannot find the node's identity: "${dataDir}" holds none yet`,
      {
        next: `make one with ${commandAt("net node start", flags)}, or with ${
          commandAt("net identity new", flags)
        }`,
      },
    );
  }
}

/** Where the flags and the environment say that the node is. */
export function placeOf(context: NetContext, flags: SharedFlags): NodeConfig {
  const env: Record<string, string | undefined> = {};
  for (const name of PLACE_VARIABLES) env[name] = context.io.env[name];
  return loadNodeConfig({
    flags: { socket: socketFlag(flags), family: flags.family, dataDir: flags.dataDir },
    env: env satisfies Environment,
    cwd: context.io.cwd,
    hostname: context.io.hostname,
  });
}

/** Sockets to try, the likeliest first. */
async function socketCandidates(
  context: NetContext,
  config: NodeConfig,
): Promise<readonly string[]> {
  if (config.socketPath !== undefined) return [config.socketPath];
  const recorded = config.dataDir === undefined ? undefined : await readNodeFile(config.dataDir);
  if (config.isDataDirExplicit) return recorded === undefined ? [] : [recorded];
  const standard = await context.doors.standardSocketPath(context.io.env, config.family);
  return recorded === undefined || recorded === standard ? [standard] : [standard, recorded];
}

/** The socket that a running node wrote into its data folder. */
async function readNodeFile(dataDir: string): Promise<string | undefined> {
  try {
    const bytes = await readUpTo(`${dataDir}/node.json`, NODE_FILE_BYTES_MAX);
    const { socket } = recordOf(JSON.parse(new TextDecoder().decode(bytes)));
    return typeof socket === "string" && socket.startsWith("/") ? socket : undefined;
  } catch {
    // Absent, unreadable or half written all mean the same: nothing to connect to is known.
    return undefined;
  }
}

function isNotRunning(error: unknown): error is NetError {
  return error instanceof NetError && error.code === "not_running";
}
