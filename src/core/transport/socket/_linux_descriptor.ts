/**
 * Finds the descriptor of a bound UDP socket, which the runtime hides.
 *
 * Every socket of the process is asked where it is bound; no two UDP sockets of one process are bound
 * to the same address and port, because they are opened without address reuse. TCP sockets are told
 * apart by their inode, which stands in the kernel's table of UDP sockets.
 */

import type { Libc } from "./_linux_libc.ts";
import { readSockaddr } from "./_linux_sockaddr.ts";
import type { SocketAddress } from "../types.ts";

/** The descriptor of the UDP socket bound to `local`; `undefined` when it cannot be told. */
export function findUdpDescriptor(libc: Libc, local: SocketAddress): number | undefined {
  const inodes = readUdpInodes(local.port);
  const found = new Map<string, number>();
  for (const entry of Deno.readDirSync("/proc/self/fd")) {
    const link = readLink(`/proc/self/fd/${entry.name}`);
    if (link === undefined || !inodes.has(link)) continue;
    const descriptor = Number(entry.name);
    const words = libc.localAddress(descriptor);
    const address = words === undefined ? undefined : readSockaddr(words, 0);
    // A socket may have more descriptors than one; any of them will do until the socket is closed.
    if (address?.host === local.host && address.port === local.port) found.set(link, descriptor);
  }
  return found.size === 1 ? found.values().next().value : undefined;
}

function readUdpInodes(port: number): Set<string> {
  const inodes = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of ["/proc/self/net/udp", "/proc/self/net/udp6"]) {
    const text = readText(table);
    for (const line of text.split("\n")) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      if (inode !== undefined && fields[1]?.endsWith(suffix)) inodes.add(`socket:[${inode}]`);
    }
  }
  return inodes;
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // A kernel without IPv6 has no table of it.
  }
}

function readLink(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined; // Closed since the folder was listed.
  }
}
