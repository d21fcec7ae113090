/**
 * What a service manager says in the environment of a process it starts: where to report, how often to give a
 * sign of life, and which sockets are open already (the protocols of `sd_notify` and `sd_listen_fds`).
 *
 * Only reads text. What is malformed is told and left out, so that a stray variable stops no node.
 */
import { utf8 } from "../../base/mod.ts";

/** Environment variables by name. */
export type ManagerVariables = Readonly<Record<string, string | undefined>>;

/** Variables that are meant for one process, and are taken away from those it starts. */
export const MANAGER_VARIABLES: readonly string[] = [
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "LISTEN_PID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
  "LISTEN_PIDFDID",
];

/** Sockets begin behind standard input, output and error. */
const FIRST_DESCRIPTOR = 3;

/** A node serves three kinds of listeners; more than this are a mistake. */
const SOCKETS_MAX = 16;

/** `sockaddr_un` holds 108 bytes; the zero at the end, or in front of an abstract name, is one of them. */
const ADDRESS_BYTES_MAX = 107;

/** A sign of life more often than this would be all a node does. */
const WATCHDOG_MS_MIN = 20;

/** A socket that was opened for this process. */
export interface PassedSocket {
  readonly descriptor: number;
  /** What the unit calls it; empty when it has no name. */
  readonly name: string;
}

/** What a manager said. */
export interface ManagerEnvironment {
  /** Address of the datagram socket to report to; an abstract name begins with `@`. */
  readonly notifyAddress: string | undefined;
  /** Longest time in milliseconds between two signs of life; `undefined` when none are wanted. */
  readonly watchdogMs: number | undefined;
  readonly sockets: readonly PassedSocket[];
  /** Sentences about what was not understood. */
  readonly warnings: readonly string[];
}

/**
 * Reads what the manager said.
 *
 * @param pid Of this process: what was said to another one does not count.
 */
export function readManagerEnvironment(
  variables: ManagerVariables,
  pid: number,
): ManagerEnvironment {
  const warnings: string[] = [];
  const warn = (warning: string) => {
    warnings.push(warning);
    return undefined;
  };
  return {
    notifyAddress: readNotifyAddress(variables.NOTIFY_SOCKET, warn),
    watchdogMs: readWatchdog(variables, pid, warn),
    sockets: readSockets(variables, pid, warn) ?? [],
    warnings,
  };
}

type Warn = (warning: string) => undefined;

function readNotifyAddress(text: string | undefined, warn: Warn): string | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^[/@]./.test(text)) {
    return warn("NOTIFY_SOCKET is neither an absolute path nor an abstract name");
  }
  if (utf8(text).length > ADDRESS_BYTES_MAX) {
    return warn(`NOTIFY_SOCKET is longer than ${ADDRESS_BYTES_MAX} bytes`);
  }
  return text;
}

function readWatchdog(variables: ManagerVariables, pid: number, warn: Warn): number | undefined {
  const { WATCHDOG_USEC: text, WATCHDOG_PID: owner } = variables;
  if (text === undefined || text === "") return undefined;
  if (owner !== undefined && owner !== "" && owner !== String(pid)) return undefined;
  const microseconds = readNumber(text);
  if (microseconds === undefined || microseconds / 1000 < WATCHDOG_MS_MIN) {
    return warn(`WATCHDOG_USEC is not a number of microseconds from ${WATCHDOG_MS_MIN * 1000} on`);
  }
  return microseconds / 1000;
}

function readSockets(
  variables: ManagerVariables,
  pid: number,
  warn: Warn,
): readonly PassedSocket[] | undefined {
  const { LISTEN_PID: owner, LISTEN_FDS: text, LISTEN_FDNAMES: joined = "" } = variables;
  if (text === undefined || text === "" || owner !== String(pid)) return undefined;
  const count = readNumber(text);
  if (count === undefined || count > SOCKETS_MAX) {
    return warn(`LISTEN_FDS is not a number up to ${SOCKETS_MAX}`);
  }
  const names = joined.split(":");
  return Array.from({ length: count }, (_, i) => ({
    descriptor: FIRST_DESCRIPTOR + i,
    name: names[i] ?? "",
  }));
}

function readNumber(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
