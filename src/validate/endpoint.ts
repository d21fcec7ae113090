/**
 * What an endpoint text means (`validation.md` 5.2).
 *
 * Only a bare member name is looked up, and whoever is there asked whether it lives.
 */
import { NetError, utf8 } from "../base/mod.ts";
import { absolutePath, type Environment, parseHost, parsePort } from "../config/mod.ts";
import { resolveSocketPath } from "../control/mod.ts";
import { addressText, MemberLookup } from "../deploy/mod.ts";

/** Longest text that is looked at. */
const TEXT_LENGTH_MAX = 4096;

/** `sockaddr_un` holds 108 bytes, the last one (or the first of an abstract name) a zero. */
const SOCKET_PATH_BYTES_MAX = 107;

/** Where a member's surface is reached. */
export type Endpoint =
  | { readonly kind: "tcp"; readonly text: string; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly text: string; readonly path: string }
  | { readonly kind: "abstract"; readonly text: string; readonly name: string };

/** What {@linkcode parseEndpoint} depends on. */
export interface ParseEndpointOptions {
  readonly env: Environment;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  /** User id; the process's own when left out. */
  readonly uid?: number;
  /** Milliseconds that a member looked up by name has to answer. */
  readonly livenessMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads `host:port`, `[v6]:port`, `tcp://host:port`, a path, `unix:PATH`, `unix://PATH`, `@abstract`
 * or the bare name of a member.
 *
 * @throws NetError `usage` when it is none of these.
 */
export async function parseEndpoint(
  text: string,
  options: ParseEndpointOptions,
): Promise<Endpoint> {
  if (text === "" || text.length > TEXT_LENGTH_MAX || text.includes("\0")) throw noEndpoint(text);
  const path = pathIn(text);
  if (path !== undefined) return unixEndpoint(absolutePath(path, options.cwd), text);
  if (text.startsWith("@")) return abstractEndpoint(text);
  const address = parseAddress(text.startsWith("tcp://") ? text.slice(6) : text);
  if (address !== undefined) return address;
  if (/^[a-z][a-z0-9_-]{0,31}$/.test(text)) return await memberEndpoint(text, options);
  throw noEndpoint(text);
}

function pathIn(text: string): string | undefined {
  if (/^\.{0,2}\//.test(text)) return text;
  if (!text.startsWith("unix:")) return undefined;
  const path = text.slice(5).replace(/^\/\/(?=\/)/, "");
  return path === "" || path === "/" || path.startsWith("//") ? undefined : path;
}

function unixEndpoint(path: string, text: string): Endpoint {
  checkLength(utf8(path).length, text);
  return { kind: "unix", text: `unix:${path}`, path };
}

function abstractEndpoint(text: string): Endpoint {
  const name = text.slice(1);
  if (name === "") throw noEndpoint(text);
  checkLength(utf8(name).length, text);
  return { kind: "abstract", text, name };
}

function parseAddress(text: string): Endpoint | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]/\s@]+):([0-9]+)$/.exec(text);
  const [, hostText, portText] = match ?? [];
  if (hostText === undefined || portText === undefined) return undefined;
  const port = parsePort(portText);
  const host = hostText === "*" ? undefined : hostOf(hostText);
  if (port === undefined || port === 0 || host === undefined) return undefined;
  const shown = host.includes(":") ? `[${host}]` : host;
  return { kind: "tcp", text: `${shown}:${port}`, host, port };
}

/** `localhost` stays a name, because it has two addresses. */
function hostOf(text: string): string | undefined {
  return (/^localhost$/i.test(text) ? undefined : parseHost(text)) ?? hostName(text);
}

/** A host name with at least one letter; four numbers that are no address are no name either. */
function hostName(text: string): string | undefined {
  const isName = text.length <= 253 && /[A-Za-z]/.test(text) &&
    text.split(".").every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(label));
  return isName ? text : undefined;
}

/** Where lookup finds the member, live or not (`validation.md` 3.4). */
async function memberEndpoint(name: string, options: ParseEndpointOptions): Promise<Endpoint> {
  const { env, uid, signal, livenessMs } = options;
  const { address } = await new MemberLookup({ env, uid, livenessMs }).find(name, signal);
  if (address?.kind === "tcp") {
    const { host, port } = address;
    return { kind: "tcp", text: addressText(address), host, port };
  }
  if (address?.kind === "abstract") return abstractEndpoint(`@${address.name}`);
  if (address !== undefined) return unixEndpoint(address.path, address.path);
  // Our own member's place is known even while nobody is there, so it gets a verdict.
  if (name === "net") {
    const family = env.NET_FAMILY_ID ?? env.FAMILY_ID ?? "";
    const path = await resolveSocketPath({ env, uid, family });
    return unixEndpoint(path, path);
  }
  throw new NetError("usage", `Cannot find member "${name}": it has no socket`, {
    next:
      `give host:port or the path of a socket; net lookup ${name} shows where it was looked for`,
  });
}

function checkLength(length: number, text: string): void {
  if (length <= SOCKET_PATH_BYTES_MAX) return;
  throw new NetError(
    "usage",
    `Cannot use endpoint "${
      text.slice(0, 128)
    }": the socket's name is ${length} bytes long, must ` +
      `be at most ${SOCKET_PATH_BYTES_MAX}`,
  );
}

function noEndpoint(text: string): NetError {
  return new NetError(
    "usage",
    `Cannot read endpoint ${
      JSON.stringify(text.slice(0, 128))
    }: must be host:port, a socket path, ` +
      "@name or the name of a member",
    { next: "for example net validate ipc 127.0.0.1:9900" },
  );
}
