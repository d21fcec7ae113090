/** The service manager of this process, as the program sees it: what it passed on, and a reporter to it. */
import { type Clock, systemClock } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { type AdoptedSockets, adoptSockets } from "./adopted_sockets.ts";
import { type ManagerVariables, type PassedSocket, readManagerEnvironment } from "./environment.ts";
import { type NotifySocket, openNotifySocket } from "./notify_socket.ts";
import { ManagerReporter, type ReportedNode } from "./reporter.ts";

/** What {@linkcode openServiceManager} needs. */
export interface ServiceManagerDeps {
  readonly variables: ManagerVariables;
  /** Of this process. */
  readonly pid: number;
  readonly log: Log;
  readonly clock?: Clock;
  /** Opens the way to the manager; the system's when left out. */
  readonly open?: (address: string) => NotifySocket;
}

/** A manager, or none: then nothing is told to anybody. */
export interface ServiceManager {
  /** Sockets that were opened for this process. */
  readonly sockets: readonly PassedSocket[];
  /**
   * Takes the sockets over; call it once.
   *
   * @throws NetError `config_invalid` for a socket that is not for a node.
   */
  adopt(): Promise<AdoptedSockets>;
  /** Reports on a node until {@linkcode ServiceManager.close}. */
  follow(node: ReportedNode): void;
  /** Looks at the node at once: something has changed. */
  look(): void;
  /** Tells that the node stops, which takes at most `limitMs`. */
  stopping(reason: string, limitMs: number): void;
  /** Tells why the process ends, with the system's number of the error where there is one. */
  failed(message: string, errno?: number): void;
  /** Tells that another process is the service, and is ready. */
  handOver(pid: number): void;
  /** Waits a moment until everything was told. */
  close(): Promise<void>;
}

/** Opens the way to the manager that the environment names. */
export function openServiceManager(deps: ServiceManagerDeps): ServiceManager {
  const { variables, pid, log, clock = systemClock, open = openNotifySocket } = deps;
  const { notifyAddress, watchdogMs, sockets, warnings } = readManagerEnvironment(variables, pid);
  for (const reason of warnings) log.warn("manager_variable", { reason });
  let reporter: ManagerReporter | undefined;
  if (notifyAddress !== undefined) {
    try {
      reporter = new ManagerReporter({ socket: open(notifyAddress), clock, log, watchdogMs });
    } catch (error) {
      log.warn("manager_unreachable", {
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return {
    sockets,
    adopt: () => adoptSockets(sockets),
    follow: (node) => reporter?.follow(node),
    look: () => reporter?.look(),
    stopping: (reason, limitMs) => reporter?.stopping(reason, limitMs),
    failed: (message, errno) => reporter?.failed(message, errno),
    handOver: (childPid) => reporter?.handOver(childPid),
    close: async () => await reporter?.close(),
  };
}
