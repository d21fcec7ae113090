/** The part of a node's configuration that is about its control surface (`validation.md` 2 to 4 and 8). */
import { formatSocketAddress, NetError, type SocketAddress } from "../base/mod.ts";
import type { Given, Layers } from "./layers.ts";
import { parseSize } from "./log_settings.ts";
import { parseHost, parseHostPort, parsePort, parseSwitch } from "./parse.ts";
import { absolutePath } from "./paths.ts";

/** `sockaddr_un` holds 108 bytes, the last one a zero (`validation.md` 3.1). */
const SOCKET_PATH_BYTES_MAX = 107;

/** A line that holds no request at all is of no use, and one of 64 MiB blocks everything else for a second. */
const LINE_BYTES_MIN = 256;
const LINE_BYTES_MAX = 64 * 1024 * 1024;

const SWITCH_REQUIRED = "must be true or false";

/** Settings of the control surface. */
export interface ControlSettings {
  /** Address of JSON-RPC over TCP; `undefined` for none. */
  readonly tcp: SocketAddress | undefined;
  /** Exact path of the control socket; `undefined` for the standard place. */
  readonly socketPath: string | undefined;
  /** False for a node that is reached over TCP alone. */
  readonly hasSocket: boolean;
  /** An abstract name beside the socket's path. */
  readonly isAbstract: boolean;
  /** The plain name leads to a family's socket where it is free. */
  readonly linksPlainName: boolean;
  /** Folder of the pid file; `undefined` for beside the socket. */
  readonly pidDir: string | undefined;
  /** Folder in which calls that change something are recorded; `undefined` for none. */
  readonly auditDir: string | undefined;
  /** Longest request line in bytes; `undefined` for the server's own. */
  readonly lineBytesMax: number | undefined;
  /** Seed of the family, its text or `@FILE`; a secret, never logged. */
  readonly familySeed: string | undefined;
  /** No clear text: whoever connects proves to be of the family. */
  readonly requiresBtsp: boolean;
}

/**
 * Reads them.
 *
 * @throws NetError `usage` or `config_invalid` for values that are none, and for ones that exclude each other.
 */
export function readControlSettings(layers: Layers, cwd: string): ControlSettings {
  const tcp = readTcp(layers);
  const socketGiven = layers.given("socket");
  const pidDir = layers.given("pidDir");
  const auditDir = layers.given("auditDir");
  const settings: ControlSettings = {
    tcp,
    socketPath: readSocketPath(socketGiven, cwd),
    hasSocket: !(layers.read("noSocket", parseSwitch, SWITCH_REQUIRED) ?? false),
    isAbstract: layers.read("abstract", parseSwitch, SWITCH_REQUIRED) ?? false,
    linksPlainName: !(layers.read("noPlainLink", parseSwitch, SWITCH_REQUIRED) ?? false),
    pidDir: pidDir === undefined ? undefined : absolutePath(pidDir.text, cwd),
    auditDir: auditDir === undefined ? undefined : absolutePath(auditDir.text, cwd),
    lineBytesMax: layers.read("maxLine", parseLineSize, "must be a size from 256 to 64M"),
    familySeed: readSeed(layers, cwd),
    requiresBtsp: layers.read("requireBtsp", parseSwitch, SWITCH_REQUIRED) ?? false,
  };
  if (settings.requiresBtsp && settings.familySeed === undefined) {
    throw new NetError(
      layers.origins.requireBtsp === "flag" ? "usage" : "config_invalid",
      "Cannot require BTSP: there is no family seed to prove anything with",
      { next: "give --family-seed-file FILE, or FAMILY_SEED in the environment" },
    );
  }
  if (!settings.hasSocket) requireOtherWay(layers, settings, socketGiven);
  return settings;
}

/** A node without a socket must be reached over TCP, and cannot have what goes with a socket. */
function requireOtherWay(
  layers: Layers,
  settings: ControlSettings,
  socketGiven: Given | undefined,
): void {
  const code = layers.origins.noSocket === "flag" ? "usage" : "config_invalid";
  if (settings.tcp === undefined) {
    throw new NetError(code, "Cannot start without a socket: no other way in was given", {
      next: "add --port PORT or --listen ADDR:PORT, or leave --no-socket out",
    });
  }
  // A path in the environment is meant for nodes that have a socket.
  const other = socketGiven?.origin === "flag"
    ? "--socket"
    : settings.isAbstract
    ? "--abstract"
    : undefined;
  if (other === undefined) return;
  throw new NetError(code, `Cannot combine --no-socket and ${other}`, {
    next: "leave one of the two out",
  });
}

/** The layer that names a port or an address decides; both in one layer must agree. */
function readTcp(layers: Layers): SocketAddress | undefined {
  const bindGiven = layers.given("bind");
  const bind = layers.read("bind", parseHost, "must be an IP address");
  for (const origin of ["flag", "environment", "file"] as const) {
    const portGiven = layers.givenIn(origin, "port");
    const listenGiven = layers.givenIn(origin, "listen");
    if (portGiven === undefined && listenGiven === undefined) continue;
    layers.origins.tcp = origin;
    const port = layers.parse(portGiven, parsePort, "must be 0..65535");
    const listen = layers.parse(listenGiven, parseHostPort, "must be ADDR:PORT with an IP address");
    if (listen === undefined) return { host: bind ?? "127.0.0.1", port: port ?? 0 };
    const isOtherHost = bindGiven?.origin === origin && bind !== listen.host;
    if ((port !== undefined && port !== listen.port) || isOtherHost) {
      throw new NetError(
        origin === "flag" ? "usage" : "config_invalid",
        `Cannot listen: ${listenGiven?.source} ${formatSocketAddress(listen)} and ` +
          `${isOtherHost ? bindGiven?.source : portGiven?.source} name different addresses`,
        { next: "give --listen ADDR:PORT alone" },
      );
    }
    // The flag is stronger than an address from the environment, of which the port stays.
    const isOverridden = bindGiven?.origin === "flag" && origin !== "flag";
    return isOverridden ? { host: bind ?? listen.host, port: listen.port } : listen;
  }
  if (bindGiven?.origin === "flag") {
    throw new NetError("usage", "Cannot listen: --bind is given without a port", {
      next: "add --port PORT, or give --listen ADDR:PORT",
    });
  }
  return undefined;
}

/** A file that was named is meant; a seed in the environment is there for every member. */
function readSeed(layers: Layers, cwd: string): string | undefined {
  const file = layers.given("familySeedFile");
  if (file !== undefined) return `@${absolutePath(file.text, cwd)}`;
  const text = layers.given("familySeed")?.text;
  return text?.startsWith("@") ? `@${absolutePath(text.slice(1), cwd)}` : text;
}

function readSocketPath(given: Given | undefined, cwd: string): string | undefined {
  if (given === undefined) return undefined;
  const path = absolutePath(given.text, cwd);
  const length = new TextEncoder().encode(path).length;
  if (length <= SOCKET_PATH_BYTES_MAX) return path;
  throw new NetError(
    given.origin === "flag" ? "usage" : "config_invalid",
    `Cannot use socket path "${path}": it is ${length} bytes long, must be at most ` +
      `${SOCKET_PATH_BYTES_MAX}`,
    { next: "choose a shorter path with --socket" },
  );
}

function parseLineSize(text: string): number | undefined {
  const bytes = parseSize(text);
  return bytes !== undefined && bytes >= LINE_BYTES_MIN && bytes <= LINE_BYTES_MAX
    ? bytes
    : undefined;
}
