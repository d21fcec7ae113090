/**
 * The other names of a control socket, and the leftovers of nodes that died (`validation.md` 3.2, 3.3).
 *
 * A name that leads to a live socket is never changed.
 */
import type { Log } from "../observe/mod.ts";
import { SWEEP_ENTRIES_MAX } from "./limits.ts";
import { pidPath, socketName, type SocketPlace } from "./socket_path.ts";
import { isSocketLive } from "./socket_probe.ts";

const OUR_SOCKET = /^net(-[A-Za-z0-9_-]{1,32})?\.sock$/;
/** What a start that was killed in the middle set aside. */
const OUR_TEMPORARY =
  /^net(-[A-Za-z0-9_-]{1,32})?\.(sock\.[0-9]+\.(stale|aside)|pid\.[0-9]+\.tmp)$/;
const OUR_PID_FILE = /^net(-[A-Za-z0-9_-]{1,32})?\.pid$/;

/** Symbolic links beside one socket. */
export class LinkSet {
  readonly #directory: string;
  readonly #target: string;
  readonly #family: string | undefined;
  readonly #log: Log;
  readonly #names: string[] = [];

  constructor(place: SocketPlace, log: Log) {
    this.#directory = place.directory;
    this.#target = place.path.slice(place.path.lastIndexOf("/") + 1);
    this.#family = place.family;
    this.#log = log;
  }

  /** Names of the links made. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Makes a link per domain, and the plain name's for a family, where these are free or stale. */
  async make(domains: readonly string[], linksPlainName: boolean): Promise<void> {
    const names = domains.map((domain) => socketName(domain, this.#family));
    if (linksPlainName && this.#family !== undefined) names.push(socketName("net", undefined));
    for (const name of names) {
      if (name !== this.#target) await this.#makeOne(name);
    }
  }

  /** Removes the links that were made and still lead to our socket. */
  remove(): void {
    for (const name of this.#names.splice(0)) {
      const path = `${this.#directory}/${name}`;
      if (readLink(path) === this.#target) removeQuietly(path);
    }
  }

  async #makeOne(name: string): Promise<void> {
    const path = `${this.#directory}/${name}`;
    try {
      const info = lstat(path);
      if (info !== undefined) {
        const isOurs = info.isSymlink && readLink(path) === this.#target;
        if (isOurs) {
          this.#names.push(name); // Left by an earlier run that was killed.
          return;
        }
        if (!info.isSymlink && !info.isSocket) return;
        if (await isSocketLive(path)) return;
        Deno.removeSync(path);
      }
      Deno.symlinkSync(this.#target, path);
      this.#names.push(name);
    } catch (error) {
      // Links are a convenience for others; the socket works without them.
      this.#log.warn("socket_link_failed", {
        name,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

/** Removes sockets, links and pid files of nodes of ours that are gone. */
export async function sweepLeftovers(directory: string, log: Log): Promise<void> {
  let left = SWEEP_ENTRIES_MAX;
  const entries: Deno.DirEntry[] = [];
  for (const entry of Deno.readDirSync(directory)) {
    if (left-- <= 0) break;
    entries.push(entry);
  }
  const remove = (name: string) => {
    removeQuietly(`${directory}/${name}`);
    log.info("socket_leftover_removed", { name });
  };
  for (const { name } of entries) {
    if (!OUR_SOCKET.test(name)) continue;
    const info = lstat(`${directory}/${name}`);
    if (info?.isSocket === true && !await isSocketLive(`${directory}/${name}`)) remove(name);
  }
  for (const { name, isSymlink } of entries) {
    const target = isSymlink ? readLink(`${directory}/${name}`) : undefined;
    if (target === undefined || !OUR_SOCKET.test(target)) continue;
    if (lstat(`${directory}/${target}`) === undefined) remove(name);
  }
  for (const { name } of entries) {
    const pid = OUR_TEMPORARY.test(name) ? /\.([0-9]+)\.[a-z]+$/.exec(name)?.[1] : undefined;
    if (pid !== undefined && isGone(pid)) remove(name);
  }
  for (const { name } of entries) {
    if (!OUR_PID_FILE.test(name)) continue;
    const socket = name.replace(/\.pid$/, ".sock");
    const hasSocket = lstat(`${directory}/${socket}`) !== undefined;
    if (pidPath(socket) === name && !hasSocket && isDead(`${directory}/${name}`)) remove(name);
  }
}

/** True when a pid file names no living process; unknown counts as living. */
function isDead(path: string): boolean {
  try {
    const pid = /^([0-9]{1,10})\n?$/.exec(Deno.readTextFileSync(path))?.[1];
    return pid !== undefined && isGone(pid);
  } catch {
    return false;
  }
}

function isGone(pid: string): boolean {
  return lstat("/proc/self") !== undefined && lstat(`/proc/${pid}`) === undefined;
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined; // Absent, or not ours to see: both are left alone.
  }
}

function readLink(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody else removed it first, which is as good.
  }
}
