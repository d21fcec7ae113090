/**
 * The services of a node about logs, put together: files, what is folded out of them, and the bus in front. They
 * start in this order and stop in the opposite one.
 */
import { NetError, systemClock, systemRandom, toNetError } from "../base/mod.ts";
import { readUpTo } from "../config/mod.ts";
import {
  BusService,
  createLogMemory,
  DbService,
  DEFAULT_FSYNC,
  type LogDefaults,
  LogService,
  StateService,
} from "./log/mod.ts";
import type { MeshServices, NodeParts } from "./node_services.ts";

/** Logs, and what is folded out of them. */
export interface LogServices {
  readonly logs: LogService;
  readonly state: StateService;
  readonly db: DbService;
  /** How logs are kept that nobody said anything of. */
  readonly defaults: LogDefaults;
}

/** What the logs have to do with the rest of the node. */
export interface LogTies {
  /**
   * Throws where the rules of a channel keep this node from publishing on it: then its log is none of its business
   * either.
   */
  readonly requireAllowed: (channel: string) => void;
  /** Aborted when the node begins to stop: readers end before the control surface, which waits for them. */
  readonly stopSignal: AbortSignal;
}

/** Adds the logs of a node and what is folded out of them. */
export function addLogServices(
  { supervisor, config, log, metrics, storage, folder, keys }: NodeParts,
  { requireAllowed, stopSignal }: LogTies,
): LogServices {
  const deps = { clock: systemClock, log, metrics };
  const defaults: LogDefaults = {
    fsync: config.logFsync ?? DEFAULT_FSYNC,
    retention: config.logKeep ?? {},
    sweepMs: config.logSweepMs,
    segmentBytesMax: config.logSegment,
  };
  const logs = supervisor.add(() =>
    new LogService({
      ...deps,
      redexFolder: folder === undefined ? undefined : `${folder}/logs`,
      memory: createLogMemory(storage.ledger),
      origin: keys.identity.originHash,
      guard: (channel) => explained(channel, requireAllowed),
      stopSignal,
    }, defaults)
  );
  const state = supervisor.add(() => new StateService({ ...deps, logs }));
  const db = supervisor.add(() => new DbService({ clock: systemClock, logs, state }));
  return { logs, state, db, defaults };
}

/** Adds what gathers events; started behind the mesh, which may carry them, and stopped before it. */
export function addBusService(
  { supervisor, config, log, metrics }: NodeParts,
  { logs, defaults }: LogServices,
  { mesh, nat }: Pick<MeshServices, "mesh" | "nat">,
  stopSignal: AbortSignal,
): BusService {
  return supervisor.add(() =>
    new BusService({
      clock: systemClock,
      log,
      metrics,
      random: systemRandom,
      logs,
      mesh,
      reach: (peer, signal) => nat.reach(peer, signal),
      readFile: readUpTo,
      stopSignal,
    }, {
      engine: config.bus ?? "log",
      url: config.busUrl,
      peer: config.busPeer,
      accept: config.busAccept,
      shards: config.busShards,
      full: config.busFull,
      defaults,
    })
  );
}

/** A refusal of the channel in the words of its log. */
function explained(channel: string, requireAllowed: (channel: string) => void): void {
  try {
    requireAllowed(channel);
  } catch (cause) {
    const reason = toNetError(cause, "it is not known").message.replace(/^[^:]*: /, "");
    throw new NetError("not_allowed", `Cannot use log "${channel}": ${reason}`, {
      cause,
      next: `publish on it once with net channel publish ${channel} TEXT --token @FILE`,
    });
  }
}
