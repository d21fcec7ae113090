/**
 * Opens the raw connection of a probe: every address of a host name in turn, all within one limit
 * (`validation.md` 5.2).
 */
import { lookup } from "node:dns/promises";
import { pause } from "../base/mod.ts";
import { Budget } from "./budget.ts";
import type { Endpoint } from "./endpoint.ts";
import { LATE, within } from "./within.ts";

/** Addresses of one name that are tried. */
const ADDRESSES_MAX = 16;

/** Time after which a socket that had no room for a connection is tried again. */
const FULL_QUEUE_PAUSE_MS = 20;

/** Why no connection was made. */
export interface ConnectFailure {
  readonly outcome: "connect_failed" | "not_a_socket" | "connect_timeout";
  readonly message: string;
}

/** Finds the addresses of a host name. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** Options of {@linkcode connectTo}. */
export interface ConnectOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** The system's own resolver when left out. */
  readonly resolve?: Resolver;
}

/**
 * Connects.
 *
 * @throws The signal's reason when it aborts.
 */
export async function connectTo(
  endpoint: Endpoint,
  options: ConnectOptions,
): Promise<Deno.Conn | ConnectFailure> {
  options.signal?.throwIfAborted();
  switch (endpoint.kind) {
    case "unix": {
      // A folder of a network file system may hang like a member does.
      const problem = await within(fileProblem(endpoint.path), options.timeoutMs, options.signal);
      if (problem === LATE) {
        return failure("connect_timeout", "the path cannot be looked at in time");
      }
      return problem ?? await connectUnix(endpoint.path, options);
    }
    case "abstract":
      return await connectUnix(`\0${endpoint.name}`, options);
    case "tcp":
      return await connectTcp(endpoint.host, endpoint.port, options);
  }
}

async function connectTcp(
  host: string,
  port: number,
  { timeoutMs, signal, resolve = systemAddresses }: ConnectOptions,
): Promise<Deno.Conn | ConnectFailure> {
  const budget = new Budget(timeoutMs, () => performance.now());
  const addresses = isAddress(host) ? [host] : await settle(resolve(host), budget, signal);
  if ("outcome" in addresses) return addresses;
  const tried = addresses.slice(0, ADDRESSES_MAX);
  let last: ConnectFailure = failure("connect_failed", `"${host}" has no address`);
  for (const [index, address] of tried.entries()) {
    // An address that swallows everything must leave time for the others.
    const share = budget.share(tried.length - index);
    const controller = new AbortController();
    const connecting = Deno.connect({ hostname: address, port, signal: controller.signal });
    const result = await settle(connecting, share, signal, () => controller.abort());
    if (!("outcome" in result)) return result;
    last = tried.length === 1
      ? result
      : failure(result.outcome, `${address}: ${result.message}, as last of ${tried.length}`);
  }
  return last;
}

async function connectUnix(
  path: string,
  { timeoutMs, signal }: ConnectOptions,
): Promise<Deno.Conn | ConnectFailure> {
  const budget = new Budget(timeoutMs, () => performance.now());
  const controller = new AbortController();
  const connecting = connectWhenRoom(path, controller.signal);
  return await settle(connecting, budget, signal, () => controller.abort());
}

/** A socket whose queue of connections is full refuses at once, where TCP would wait: asks until there is room. */
async function connectWhenRoom(path: string, signal: AbortSignal): Promise<Deno.UnixConn> {
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
    }
    await pause(FULL_QUEUE_PAUSE_MS, signal);
  }
}

/** What the work gives, or why it gave nothing; a connection that comes too late is closed. */
async function settle<T extends object>(
  work: Promise<T>,
  budget: Budget,
  signal: AbortSignal | undefined,
  giveUp: () => void = () => {},
): Promise<T | ConnectFailure> {
  const timeoutMs = budget.remainingMs;
  try {
    const result = await within(work, timeoutMs, signal);
    if (result !== LATE) return result;
    abandon(work, giveUp);
    return failure("connect_timeout", `no connection within ${Math.round(timeoutMs)} ms`);
  } catch (error) {
    if (signal?.aborted) {
      abandon(work, giveUp);
      throw signal.reason;
    }
    return failure("connect_failed", connectReason(error));
  }
}

function abandon(work: Promise<object>, giveUp: () => void): void {
  giveUp();
  work.then((result) => {
    if ("close" in result && typeof result.close === "function") result.close();
  }, () => {});
}

/** Numeric, as `parseEndpoint` lets it through: names have a letter and no colon. */
function isAddress(host: string): boolean {
  return host.includes(":") || /^[0-9.]+$/.test(host);
}

/** Both loopbacks for `localhost`, whatever the resolver knows (RFC 6761 6.3). */
async function systemAddresses(host: string): Promise<readonly string[]> {
  if (/^localhost\.?$/i.test(host)) return ["127.0.0.1", "::1"];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw new Error(`"${host}" has no address`, { cause: error });
  }
}

async function fileProblem(path: string): Promise<ConnectFailure | undefined> {
  try {
    const info = await Deno.stat(path);
    if (info.isSocket) return undefined;
    const kind = info.isFile ? "a regular file" : info.isDirectory ? "a folder" : "no socket";
    return failure("not_a_socket", `"${path}" is ${kind}`);
  } catch (error) {
    return failure("connect_failed", connectReason(error));
  }
}

function connectReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.NotADirectory) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return error instanceof Error ? error.message : String(error);
}

function failure(outcome: ConnectFailure["outcome"], message: string): ConnectFailure {
  return { outcome, message };
}
