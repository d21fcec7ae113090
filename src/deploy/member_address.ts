/** Where a member's surface is reached: a socket, an abstract name or a TCP port. */
import { utf8 } from "../base/mod.ts";
import { parseHostPort } from "../config/mod.ts";

/** `sockaddr_un` holds 108 bytes, the last one (or the first of an abstract name) a zero. */
const SOCKET_PATH_BYTES_MAX = 107;

/** One address. */
export type MemberAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "abstract"; readonly name: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** The address as every verb takes it: `unix:/path`, `@name`, `host:port` or `[v6]:port`. */
export function addressText(address: MemberAddress): string {
  switch (address.kind) {
    case "unix":
      return `unix:${address.path}`;
    case "abstract":
      return `@${address.name}`;
    case "tcp":
      return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
  }
}

/**
 * Reads an address from the environment or a file: an absolute path, `unix:PATH`, `@name`,
 * `host:port` or `tcp://host:port`; `undefined` when it is none of these.
 */
export function parseAddress(text: string): MemberAddress | undefined {
  if (text.length > 4096 || text.includes("\0")) return undefined;
  const path = text.startsWith("unix:") ? text.slice(5).replace(/^\/\/(?=\/)/, "") : text;
  if (path.startsWith("/") && !path.startsWith("//") && path !== "/") {
    return utf8(path).length <= SOCKET_PATH_BYTES_MAX ? { kind: "unix", path } : undefined;
  }
  if (text.startsWith("@")) {
    const name = text.slice(1);
    const length = utf8(name).length;
    return length > 0 && length <= SOCKET_PATH_BYTES_MAX ? { kind: "abstract", name } : undefined;
  }
  const address = parseHostPort(text.startsWith("tcp://") ? text.slice(6) : text);
  return address === undefined || address.port === 0
    ? undefined
    : { kind: "tcp", host: address.host, port: address.port };
}

/** Connects; a connection to a host is given up with the signal. */
export function connectMember(address: MemberAddress, signal: AbortSignal): Promise<Deno.Conn> {
  switch (address.kind) {
    case "tcp":
      return Deno.connect({ hostname: address.host, port: address.port, signal });
    case "unix":
      return Deno.connect({ transport: "unix", path: address.path });
    case "abstract":
      return Deno.connect({ transport: "unix", path: `\0${address.name}` });
  }
}
