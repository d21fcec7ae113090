/**
 * Socket addresses between text, bytes and {@linkcode SocketAddress} (`wire.md` 13.1).
 *
 * Hosts are IP addresses in canonical text; IPv4 inside IPv6 (`::ffff:1.2.3.4`) becomes plain IPv4, so
 * that one peer has one address. No names, no zones.
 */

import {
  formatIpAddress,
  formatSocketAddress,
  parseIpAddress,
  type SocketAddress,
  unmapIpv4,
} from "../../base/mod.ts";

export { formatSocketAddress as formatAddress, parseIpAddress as parseHost };

/** Bytes of an address on the wire: family, 16 address bytes, port. */
export const ADDRESS_BYTES = 19;

const FAMILY_IPV4 = 4;
const FAMILY_IPV6 = 6;
/** FNV-1a. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * Reads `ip:port` or `[ipv6]:port`; `undefined` when the text is neither.
 *
 * @example
 * ```ts
 * import { formatAddress, parseAddress } from "./address.ts";
 * console.assert(parseAddress("[::ffff:10.0.0.1]:4000")?.host === "10.0.0.1");
 * console.assert(formatAddress({ host: "::1", port: 9 }) === "[::1]:9");
 * ```
 */
export function parseAddress(text: string): SocketAddress | undefined {
  const [, ipv6, ipv4, port] = /^(?:\[([^\]]*)\]|([^:]*)):(0|[1-9][0-9]{0,4})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 0xffff) return undefined;
  const bytes = parseIpAddress(ipv6 ?? ipv4 ?? "");
  // Brackets are for IPv6 alone.
  if (bytes === undefined || (ipv6 === undefined) !== (bytes.length === 4)) return undefined;
  return { host: formatHost(bytes), port: Number(port) };
}

/** A text that two addresses share exactly when they are equal; hosts have to be canonical. */
export function addressKey(address: SocketAddress): string {
  return `${address.host}|${address.port}`;
}

/**
 * A 32-bit number, signed, that equal addresses share and others hardly ever; hosts have to be canonical.
 *
 * @param seed Keep it secret where others must not be able to choose addresses that meet.
 */
export function hashAddress({ host, port }: SocketAddress, seed = 0): number {
  let hash = FNV_OFFSET ^ seed;
  for (let i = 0; i < host.length; i++) hash = Math.imul(hash ^ host.charCodeAt(i), FNV_PRIME);
  hash = Math.imul(hash ^ (port & 0xff), FNV_PRIME);
  hash = Math.imul(hash ^ (port >>> 8), FNV_PRIME);
  // FNV's low bits know little of its high ones: the end of MurmurHash3 mixes them.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** True when two addresses are equal; hosts have to be canonical. */
export function isSameAddress(left: SocketAddress, right: SocketAddress): boolean {
  return left === right || (left.port === right.port && left.host === right.host);
}

/** Addresses remembered of a node, as many as a ticket holds. */
const ADDRESSES_MAX = 8;

/**
 * Addresses of a node with the latest one first. Where there is no room for all, one in the middle goes: the
 * oldest were given by somebody, and what came since may be ports of a NAT that it opened for a while.
 *
 * @example
 * ```ts
 * import { withLatestAddress } from "./address.ts";
 * const [a, b] = [{ host: "10.0.0.1", port: 1 }, { host: "10.0.0.1", port: 2 }];
 * console.assert(withLatestAddress([a, b], b)[0] === b && withLatestAddress([a, b], b).length === 2);
 * ```
 */
export function withLatestAddress(
  known: readonly SocketAddress[],
  latest: SocketAddress,
): SocketAddress[] {
  const addresses = [latest, ...known.filter((address) => !isSameAddress(address, latest))];
  addresses.splice(ADDRESSES_MAX / 2, Math.max(0, addresses.length - ADDRESSES_MAX));
  return addresses;
}

/** The canonical text of an IP address; anything else is returned as it is. */
export function canonicalHost(host: string): string {
  const bytes = parseIpAddress(host);
  return bytes === undefined ? host : formatHost(bytes);
}

/** True when a canonical host is an IPv6 address. */
export function isIpv6Host(host: string): boolean {
  return host.includes(":");
}

/**
 * Canonical text of 4 or 16 address bytes; IPv4 inside IPv6 becomes plain IPv4.
 *
 * @throws RangeError when there are neither 4 nor 16.
 */
export function formatHost(bytes: Uint8Array): string {
  return formatIpAddress(unmapIpv4(bytes));
}

/**
 * The 19 bytes of an address: family, IPv4 in the first four of 16 bytes, port big-endian.
 *
 * @throws RangeError when the host is no IP address or the port no port.
 */
export function encodeAddress(address: SocketAddress): Uint8Array<ArrayBuffer> {
  const host = parseIpAddress(canonicalHost(address.host));
  const { port } = address;
  if (host === undefined || !Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new RangeError(
      `Cannot encode address "${formatSocketAddress(address)}": must be IP and port`,
    );
  }
  const bytes = new Uint8Array(ADDRESS_BYTES);
  bytes[0] = host.length === 4 ? FAMILY_IPV4 : FAMILY_IPV6;
  bytes.set(host, 1);
  bytes[17] = port >>> 8;
  bytes[18] = port & 0xff;
  return bytes;
}

/**
 * Reads 19 address bytes; `undefined` when they are too few or the family is unknown.
 *
 * @param at Start of the address in `bytes`.
 */
export function decodeAddress(bytes: Uint8Array, at = 0): SocketAddress | undefined {
  if (bytes.length - at < ADDRESS_BYTES) return undefined;
  const family = bytes[at];
  if (family !== FAMILY_IPV4 && family !== FAMILY_IPV6) return undefined;
  const host = bytes.subarray(at + 1, at + (family === FAMILY_IPV4 ? 5 : 17));
  const port = ((bytes[at + 17] ?? 0) << 8) | (bytes[at + 18] ?? 0);
  return { host: formatHost(host), port };
}
