/**
 * Takes the control socket's name and the names beside it, and gives them back (`validation.md` 3.2,
 * 3.3): probe, clear what is stale, bind, pid file, links.
 *
 * A live socket is never taken, a lent name is taken back, and nothing but stale sockets and links is ever deleted. Two starts at
 * the same moment are told apart by moving a stale file aside first and probing it once more there.
 */
import { NetError } from "../base/mod.ts";
import type { StreamListener } from "../kernel/mod.ts";
import type { Log } from "../observe/mod.ts";
import { LinkSet, sweepLeftovers } from "./socket_links.ts";
import { MEMBER, pidPath, socketName, type SocketPlace } from "./socket_path.ts";
import { isSocketLive } from "./socket_probe.ts";

/** Socket of a family, beside the plain name that leads to it. */
const LENT_TO = /^net-[A-Za-z0-9_-]{1,32}\.sock$/;

/** Options of {@linkcode claimSocket}. */
export interface ClaimSocketOptions {
  /** Mode of the socket file. */
  readonly mode: number;
  /** Capabilities whose names should lead to this socket. */
  readonly domains: readonly string[];
  /** True to let the plain name lead to a family's socket when it is free. */
  readonly linksPlainName: boolean;
  /** Folder of the pid file; beside the socket when left out. */
  readonly pidDir?: string;
  readonly log: Log;
}

/** A bound socket with its names. */
export interface SocketClaim {
  readonly path: string;
  readonly listener: StreamListener;
  /** Links made, for the log. */
  readonly links: readonly string[];
  /** Stops listening; the socket's own name goes with that. The other names stay. Idempotent. */
  close(): void;
  /** Stops listening and removes the names that are still ours. Idempotent. */
  release(): void;
}

/**
 * Binds the socket of `place`, whose folder must exist.
 *
 * @throws NetError `already_running` when somebody listens there, `config_invalid` when something
 * else than a socket is there or the name cannot be bound.
 */
export async function claimSocket(
  place: SocketPlace,
  options: ClaimSocketOptions,
): Promise<SocketClaim> {
  const { path } = place;
  const pidFile = pidPath(path, options.pidDir);
  if (options.pidDir !== undefined) makePidDir(options.pidDir);
  if (!place.isExact) await sweepLeftovers(place.directory, options.log);
  takeBackPlainName(path, options.log);
  await clearStale(path, pidFile);
  const listener = bind(path, options.mode, pidFile);
  const inode = inodeOf(path);
  const links = new LinkSet(place, options.log);
  let isClosed = false;
  let isReleased = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    closeListener(listener, path, inode);
  };
  const release = (): void => {
    if (isReleased) return;
    isReleased = true;
    // With the socket gone first, nobody finds a name that leads to a node without one.
    close();
    // A node that took the name in the meantime has made the same links.
    if (inodeOf(path) === null) links.remove();
    removePidFile(pidFile);
  };
  try {
    writePidFile(pidFile);
    if (!place.isExact) await links.make(options.domains, options.linksPlainName);
  } catch (error) {
    release();
    throw new NetError("config_invalid", `Cannot write pid file "${pidFile}": ${reasonOf(error)}`, {
      cause: error,
      next: "choose a writable folder with --pid-dir",
    });
  }
  return { path, listener, links: links.names, close, release };
}

/** A socket that somebody else bound, to be named as ours are. */
export interface BoundSocket {
  readonly listener: StreamListener;
  /** Its absolute path. */
  readonly path: string;
  readonly family: string | undefined;
}

/**
 * Puts the names of ours beside a socket that a service manager bound and keeps: pid file and links. The socket
 * itself stays when they are given back. A folder that is only the manager's to write to is no failure.
 */
export async function adoptSocket(
  { listener, path, family }: BoundSocket,
  options: Omit<ClaimSocketOptions, "mode">,
): Promise<SocketClaim> {
  const directory = path.slice(0, path.lastIndexOf("/")) || "/";
  const isExact = path !== `${directory === "/" ? "" : directory}/${socketName(MEMBER, family)}`;
  const place = { directory, path, family, isExact, isShared: false, requires: undefined };
  const links = new LinkSet(place, options.log);
  const pidFile = pidPath(path, options.pidDir);
  if (options.pidDir !== undefined) makePidDir(options.pidDir);
  if (!tryOr(() => writePidFile(pidFile))) {
    // The folder is the manager's, which knows the process anyway.
    options.log.info("pid_file_left_out", { path: pidFile });
  } else if (!isExact) await links.make(options.domains, options.linksPlainName);
  let isClosed = false;
  let isReleased = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    listener.close();
  };
  const release = (): void => {
    if (isReleased) return;
    isReleased = true;
    close();
    links.remove();
    removePidFile(pidFile);
  };
  return { path, listener, links: links.names, close, release };
}

/**
 * A family's node lends its socket the plain name while nobody has it (3.2). The node of that name may come
 * later: it takes the link away, never the socket, so that the order of starts does not matter.
 */
function takeBackPlainName(path: string, log: Log): void {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name !== socketName(MEMBER, undefined)) return;
  tryOr(() => {
    const target = Deno.readLinkSync(path);
    if (!LENT_TO.test(target)) return;
    Deno.removeSync(path);
    log.info("plain_name_taken_back", { from: target });
  });
}

async function clearStale(path: string, pidFile: string): Promise<void> {
  const kind = kindOf(path);
  if (kind === "absent") return;
  if (kind === "other") throw notASocket(path);
  if (await isSocketLive(path)) throw alreadyRunning(path, pidFile);
  const aside = `${path}.${Deno.pid}.stale`;
  try {
    Deno.renameSync(path, aside);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // Somebody else cleared it just now.
    throw cannotBind(path, error);
  }
  // A link is probed at its target, so it keeps its meaning under the other name.
  const isLive = await isSocketLive(aside);
  if (isLive) tryOr(() => Deno.renameSync(aside, path));
  else tryOr(() => Deno.removeSync(aside));
  if (isLive) throw alreadyRunning(path, pidFile);
}

function bind(path: string, mode: number, pidFile: string): Deno.UnixListener {
  // The mask makes the file private from its first instant; a wider mode is set afterwards.
  const mask = Deno.umask(0o177);
  try {
    const listener = Deno.listen({ transport: "unix", path });
    if (mode !== 0o600) Deno.chmodSync(path, mode);
    return listener;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw alreadyRunning(path, pidFile);
    throw cannotBind(path, error);
  } finally {
    Deno.umask(mask);
  }
}

/** The runtime removes the path when a listener closes, even if a newer instance lives there now. */
function closeListener(listener: Deno.Listener, path: string, inode: number | null): void {
  const isOurs = inode === null || inodeOf(path) === inode;
  const aside = `${path}.${Deno.pid}.aside`;
  const isMoved = !isOurs && kindOf(path) !== "absent" && tryOr(() => Deno.renameSync(path, aside));
  try {
    listener.close();
  } finally {
    if (isMoved) tryOr(() => Deno.renameSync(aside, path));
  }
}

function writePidFile(path: string): void {
  const temporary = `${path}.${Deno.pid}.tmp`;
  // What lies there is of a process that had our pid; a link would lead the write elsewhere.
  tryOr(() => Deno.removeSync(temporary));
  Deno.writeTextFileSync(temporary, `${Deno.pid}\n`, { mode: 0o600, createNew: true });
  Deno.renameSync(temporary, path);
}

function makePidDir(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new NetError("config_invalid", `Cannot make folder "${path}": ${reasonOf(error)}`, {
      cause: error,
      next: "choose another folder with --pid-dir",
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function removePidFile(path: string): void {
  tryOr(() => {
    if (Deno.readTextFileSync(path) === `${Deno.pid}\n`) Deno.removeSync(path);
  });
}

function kindOf(path: string): "absent" | "socket" | "other" {
  try {
    const info = Deno.lstatSync(path);
    if (!info.isSymlink) return info.isSocket ? "socket" : "other";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "absent";
    throw cannotBind(path, error);
  }
  try {
    return Deno.statSync(path).isSocket ? "socket" : "other";
  } catch {
    return "socket"; // A link to nothing is stale.
  }
}

function inodeOf(path: string): number | null {
  try {
    return Deno.lstatSync(path).ino;
  } catch {
    return null;
  }
}

/** Files beside the socket may vanish under us; what is gone needs no removal. */
function tryOr(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

function alreadyRunning(path: string, pidFile: string): NetError {
  const pid = readPid(pidFile);
  const who = pid === undefined ? "" : ` by process ${pid}`;
  return new NetError("already_running", `Cannot start: socket "${path}" is in use${who}`, {
    next: "stop the other node with net node stop, or choose another --socket",
  });
}

function readPid(path: string): string | undefined {
  try {
    return /^[0-9]{1,10}/.exec(Deno.readTextFileSync(path))?.[0];
  } catch {
    return undefined;
  }
}

function notASocket(path: string): NetError {
  return new NetError(
    "config_invalid",
    `Cannot use socket path "${path}": something that is not a socket is there`,
    { next: "move it away, or choose another path with --socket" },
  );
}

function cannotBind(path: string, cause: unknown): NetError {
  return new NetError("config_invalid", `Cannot bind socket "${path}": ${reasonOf(cause)}`, {
    cause,
    next: "choose a path in a writable folder with --socket",
  });
}
