/**
 * The single checks of `net doctor`: each looks at one thing a node needs and says what to do.
 *
 * None changes anything that stays: a probe file is removed again, no folder is made.
 */
import { statfs } from "node:fs/promises";
import { toNetError } from "../src/base/mod.ts";
import type { NodeConfig } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import { connectNode } from "./connect.ts";
import type { SharedFlags } from "./flags.ts";
import { formatBytes, listOf, numberOf, recordOf, textOf } from "./format.ts";

/** Outcome of one check. */
export interface CheckResult {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do; absent when all is well. */
  readonly next?: string;
}

/** What the checks look at. */
export interface CheckInput {
  readonly context: NetContext;
  readonly flags: SharedFlags;
  readonly place: NodeConfig;
  readonly signal: AbortSignal;
}

/** Oldest Deno the program is tested with. */
const DENO_VERSION_MIN = [2, 9] as const;

/** Below the first figure a node can hardly start, below the second a larger blob does not fit. */
const DISK_BYTES_MIN = 64 * 1024 * 1024;
const DISK_BYTES_WANTED = 1024 * 1024 * 1024;

/** A UDP buffer below this loses packets in bursts at full speed. */
const SOCKET_BUFFER_BYTES_WANTED = 4 * 1024 * 1024;

/** A clock before 2025 makes every ticket look not yet valid. */
const WALL_MS_MIN = Date.UTC(2025, 0, 1);

/** Time a loopback datagram has. */
const LOOPBACK_MS = 1000;

/** Files that nobody else may read. */
const SECRET_FILES = ["identity.key", "noise.key", "mesh.psk", "store.key"] as const;

/** Every check, in the order of the report. */
export const CHECKS: readonly ((input: CheckInput) => Promise<CheckResult> | CheckResult)[] = [
  checkRuntime,
  checkFfi,
  checkClock,
  checkDataFolder,
  checkSecrets,
  checkDisk,
  checkSocketFolder,
  checkUdp,
  checkSocketBuffers,
  checkNode,
  checkBlobs,
];

function checkRuntime(): CheckResult {
  const { os, arch } = Deno.build;
  const detail = `Deno ${Deno.version.deno} on ${os}-${arch}`;
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  const [majorMin, minorMin] = DENO_VERSION_MIN;
  if (major < majorMin || (major === majorMin && minor < minorMin)) {
    const next = `use Deno ${majorMin}.${minorMin} or later: npx deno@2.9.6`;
    return { name: "runtime", status: "fail", detail, next };
  }
  if (os === "linux" && (arch === "x86_64" || arch === "aarch64")) return ok("runtime", detail);
  const next = "the program is tested on Linux; elsewhere it takes slower portable ways";
  return { name: "runtime", status: "warn", detail, next };
}

function checkFfi(): CheckResult {
  try {
    const library = Deno.build.os === "darwin" ? "libSystem.dylib" : "libc.so.6";
    Deno.dlopen(library, { getpid: { parameters: [], result: "i32" } }).close();
    return ok("ffi", "system library can be called");
  } catch (error) {
    return {
      name: "ffi",
      status: "warn",
      detail: `system library cannot be called: ${messageOf(error)}`,
      next: "run with --allow-ffi, or accept the slower portable socket",
    };
  }
}

function checkClock(): CheckResult {
  const now = new Date();
  if (now.getTime() >= WALL_MS_MIN) return ok("clock", now.toISOString());
  const next = "set the clock: tickets and tokens are refused while it is wrong";
  return { name: "clock", status: "fail", detail: now.toISOString(), next };
}

async function checkDataFolder({ place }: CheckInput): Promise<CheckResult> {
  const name = "data folder";
  if (place.dataDir === undefined) {
    const next = "set HOME or give --data-dir to keep the identity";
    return { name, status: "warn", detail: "none: a node keeps everything in memory", next };
  }
  const info = await statOrNothing(place.dataDir);
  const folder = info === undefined ? await nearestFolder(place.dataDir) : place.dataDir;
  const detail = info === undefined ? `${place.dataDir} (made on first start)` : place.dataDir;
  try {
    const probe = `${folder}/.probe-${crypto.randomUUID()}`;
    (await Deno.open(probe, { createNew: true, write: true, mode: 0o600 })).close();
    await Deno.remove(probe);
  } catch (error) {
    const reason = messageOf(error);
    const next = "choose a writable folder with --data-dir";
    return { name, status: "fail", detail: `${detail}: not writable: ${reason}`, next };
  }
  if (info !== undefined && info.mode !== null && (info.mode & 0o022) !== 0) {
    const next = `chmod 700 ${place.dataDir}`;
    return { name, status: "warn", detail: `${detail}: others can write there`, next };
  }
  return ok(name, detail);
}

async function checkSecrets({ place }: CheckInput): Promise<CheckResult> {
  const name = "keys";
  let count = 0;
  for (const file of SECRET_FILES) {
    const path = `${place.dataDir ?? "/nonexistent"}/${file}`;
    const info = await statOrNothing(path);
    if (info === undefined) continue;
    count += 1;
    if (info.mode !== null && (info.mode & 0o077) !== 0) {
      const next = `chmod 600 ${path}`;
      return { name, status: "fail", detail: `${path}: others can read it`, next };
    }
  }
  return ok(name, count === 0 ? "none yet" : `${count} files, private`);
}

async function checkDisk({ place }: CheckInput): Promise<CheckResult> {
  const name = "disk";
  try {
    const folder = await nearestFolder(place.dataDir ?? "/tmp");
    const stats = await statfs(folder);
    const freeBytes = stats.bavail * stats.bsize;
    const detail = `${formatBytes(freeBytes)} free at ${folder}`;
    if (freeBytes >= DISK_BYTES_WANTED) return ok(name, detail);
    const status = freeBytes < DISK_BYTES_MIN ? "fail" : "warn";
    return { name, status, detail, next: "free some space or choose another --data-dir" };
  } catch (error) {
    return { name, status: "warn", detail: `cannot tell: ${messageOf(error)}` };
  }
}

async function checkSocketFolder({ context, place }: CheckInput): Promise<CheckResult> {
  const name = "socket folder";
  try {
    const path = place.socketPath ??
      await context.doors.standardSocketPath(context.io.env, place.family);
    const info = await statOrNothing(path.slice(0, path.lastIndexOf("/")));
    if (info === undefined) return ok(name, `${path} (folder made on start)`);
    if (info.mode !== null && (info.mode & 0o077) !== 0) {
      const next = `chmod 700 ${path.slice(0, path.lastIndexOf("/"))}`;
      return { name, status: "warn", detail: `${path}: others can enter its folder`, next };
    }
    return ok(name, path);
  } catch (error) {
    const known = toNetError(error, "Cannot choose a socket path");
    return {
      name,
      status: "fail",
      detail: known.message,
      next: known.next ?? "give a path with --socket",
    };
  }
}

async function checkUdp({ context }: CheckInput): Promise<CheckResult> {
  const name = "udp";
  if (!context.doors.own.hasMeshSocket) {
    const next = "run with deno run -A --unstable-net";
    return { name, status: "fail", detail: "Deno offers no datagram socket", next };
  }
  try {
    const sizes = await loopback();
    return ok(name, `loopback carries datagrams of ${sizes} bytes`);
  } catch (error) {
    const next = "check the firewall's rules for the loopback interface";
    return { name, status: "fail", detail: `loopback failed: ${messageOf(error)}`, next };
  }
}

/** Sends the largest datagram of the mesh to itself; returns its size. */
async function loopback(): Promise<number> {
  const options = { transport: "udp", hostname: "127.0.0.1", port: 0 } as const;
  const socket = Deno.listenDatagram(options);
  const timer = setTimeout(() => socket.close(), LOOPBACK_MS);
  try {
    const datagram = new Uint8Array(8192).fill(0x6e);
    await socket.send(datagram, socket.addr);
    const [received] = await socket.receive(new Uint8Array(datagram.length + 1));
    if (received.length !== datagram.length) throw new Error("a datagram was cut");
    clearTimeout(timer);
    socket.close();
    return received.length;
  } finally {
    clearTimeout(timer);
  }
}

async function checkSocketBuffers(): Promise<CheckResult> {
  const name = "socket buffers";
  if (Deno.build.os !== "linux") return ok(name, "not checked on this system");
  try {
    const limits = await Promise.all(
      ["rmem_max", "wmem_max"].map(async (file) =>
        Number(await Deno.readTextFile(`/proc/sys/net/core/${file}`))
      ),
    );
    const detail = `limit ${formatBytes(limits[0] ?? 0)} in, ${formatBytes(limits[1] ?? 0)} out`;
    if (Math.min(...limits) >= SOCKET_BUFFER_BYTES_WANTED) return ok(name, detail);
    const bytes = SOCKET_BUFFER_BYTES_WANTED;
    const next = `for full speed: sysctl -w net.core.rmem_max=${bytes} net.core.wmem_max=${bytes}`;
    return { name, status: "warn", detail, next };
  } catch (error) {
    return { name, status: "warn", detail: `cannot tell: ${messageOf(error)}` };
  }
}

async function checkNode({ context, flags, signal }: CheckInput): Promise<CheckResult> {
  const name = "node";
  try {
    const node = await connectNode(context, flags, signal);
    try {
      await node.call("health.liveness", {}, { signal });
      const readiness = recordOf(await node.call("health.readiness", {}, { signal }));
      const check = recordOf(await node.call("health.check", {}, { signal }));
      const detail = `version ${textOf(check.version)}, ready: ${textOf(readiness.ready)}, ` +
        `status: ${textOf(check.status)}`;
      if (readiness.ready === true && check.healthy === true) return ok(name, detail);
      return { name, status: "warn", detail, next: "see net node status and the node's log" };
    } finally {
      await node.close();
    }
  } catch (error) {
    const known = toNetError(error, "Cannot ask the node");
    const status = known.code === "not_running" ? "warn" : "fail";
    return { name, status, detail: known.message, next: known.next ?? "see the node's log" };
  }
}

async function checkBlobs({ context, flags, signal }: CheckInput): Promise<CheckResult> {
  const name = "blobs";
  try {
    const node = await connectNode(context, flags, signal);
    try {
      return blobsResult(name, recordOf(await node.call("blob.health", {}, { signal })));
    } finally {
      await node.close();
    }
  } catch (error) {
    const known = toNetError(error, "Cannot ask the node");
    if (known.code === "not_running") return ok(name, "looked at by a running node");
    return {
      name,
      status: "warn",
      detail: known.message,
      next: known.next ?? "see the node's log",
    };
  }
}

function blobsResult(name: string, health: Readonly<Record<string, unknown>>): CheckResult {
  const used = formatBytes(numberOf(health.used_bytes) ?? 0);
  const free = formatBytes(numberOf(health.free_bytes) ?? 0);
  const detail = `${used} used, ${free} free`;
  const missing = numberOf(health.missing_chunks) ?? 0;
  if (missing > 0) {
    const blobs = listOf(health.damaged_blobs).map(textOf);
    const some = blobs.slice(0, 3).join(", ") + (blobs.length > 3 ? " and others" : "");
    return {
      name,
      status: "fail",
      detail: `${detail}; ${missing} chunks are missing, of ${some}`,
      next: `put these blobs again, or get them from a peer with net blob get`,
    };
  }
  if (health.full !== true) return ok(name, detail);
  const next = "free some with net blob gc or net blob rm, or give more with --blob-quota";
  return { name, status: "warn", detail: `${detail}: the store is almost full`, next };
}

function ok(name: string, detail: string): CheckResult {
  return { name, status: "ok", detail };
}

async function nearestFolder(path: string): Promise<string> {
  let folder = path;
  while (folder !== "" && (await statOrNothing(folder))?.isDirectory !== true) {
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/")));
  }
  return folder === "" ? "/" : folder;
}

async function statOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch {
    // Absent or out of reach; either way there is nothing to look at.
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
