/**
 * Socket addresses between text, bytes and {@linkcode SocketAddress} (RFC 4291, RFC 5952, `wire.md` 13.1).
 *
 * Hosts are IP addresses in canonical text; IPv4 inside IPv6 (`::ffff:1.2.3.4`) becomes plain IPv4, so
 * that one peer has one address. No names, no zones.
 */

import { NetError } from "../../base/mod.ts";
import type { SocketAddress } from "./types.ts";

/** Bytes of an address on the wire: family, 16 address bytes, port. */
export const ADDRESS_BYTES = 19;

const FAMILY_IPV4 = 4;
const FAMILY_IPV6 = 6;
/** `::ffff:0:0/96` holds the IPv4 addresses. */
const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);
/** Six full groups and a dotted quad. */
const IPV6_TEXT_MAX = 45;
const SHOWN_TEXT_MAX = 64;

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
  const bytes = ipv6 === undefined ? parseIpv4(ipv4 ?? "") : parseIpv6(ipv6);
  return bytes === undefined ? undefined : { host: formatHost(bytes), port: Number(port) };
}

/**
 * Reads an address somebody typed.
 *
 * @throws NetError `usage` when the text is neither `ip:port` nor `[ipv6]:port`.
 */
export function requireAddress(text: string): SocketAddress {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new NetError(
    "usage",
    `Cannot read address "${text.slice(0, SHOWN_TEXT_MAX)}": must be IP:PORT or [IPV6]:PORT`,
    { next: "give an IP address and a port, for example 192.0.2.1:4000 or [2001:db8::1]:4000" },
  );
}

/** Text of an address: `ip:port`, or `[ipv6]:port`. */
export function formatAddress(address: SocketAddress): string {
  const { host, port } = address;
  return isIpv6Host(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A text that two addresses share exactly when they are equal; hosts have to be canonical. */
export function addressKey(address: SocketAddress): string {
  return `${address.host}|${address.port}`;
}

/** The canonical text of an IP address; anything else is returned as it is. */
export function canonicalHost(host: string): string {
  const bytes = parseHost(host);
  return bytes === undefined ? host : formatHost(bytes);
}

/** True when a canonical host is an IPv6 address. */
export function isIpv6Host(host: string): boolean {
  return host.includes(":");
}

/** True for `127.0.0.0/8` and `::1`; the host need not be canonical. */
export function isLoopback(host: string): boolean {
  const canonical = canonicalHost(host);
  return canonical === "::1" || parseIpv4(canonical)?.[0] === 127;
}

/** The 4 or 16 bytes of a textual IP address without brackets; `undefined` when it is none. */
export function parseHost(text: string): Uint8Array<ArrayBuffer> | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/**
 * Canonical text of 4 or 16 address bytes.
 *
 * @throws RangeError when there are neither 4 nor 16.
 */
export function formatHost(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) {
    throw new RangeError(`Cannot read IP address: length is ${bytes.length}, must be 4 or 16`);
  }
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  return formatIpv6(bytes);
}

/**
 * The 19 bytes of an address: family, IPv4 in the first four of 16 bytes, port big-endian.
 *
 * @throws RangeError when the host is no IP address or the port no port.
 */
export function encodeAddress(address: SocketAddress): Uint8Array<ArrayBuffer> {
  const host = parseHost(canonicalHost(address.host));
  const { port } = address;
  if (host === undefined || !Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new RangeError(`Cannot encode address "${formatAddress(address)}": must be IP and port`);
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

function isMapped(bytes: Uint8Array): boolean {
  return MAPPED_PREFIX.every((byte, i) => bytes[i] === byte);
}

function parseIpv4(text: string): Uint8Array<ArrayBuffer> | undefined {
  // No leading zeros: some systems take them for octal.
  const octet = "(0|[1-9][0-9]{0,2})";
  const match = new RegExp(`^${octet}\\.${octet}\\.${octet}\\.${octet}$`).exec(text);
  const octets = match?.slice(1).map(Number);
  if (octets === undefined || octets.some((value) => value > 255)) return undefined;
  return Uint8Array.from(octets);
}

function parseIpv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > IPV6_TEXT_MAX) return undefined;
  const hex = replaceDottedTail(text);
  if (hex === undefined) return undefined;
  const gap = hex.indexOf("::");
  if (gap >= 0 && hex.includes("::", gap + 1)) return undefined;
  const head = splitGroups(gap < 0 ? hex : hex.slice(0, gap));
  const tail = splitGroups(gap < 0 ? "" : hex.slice(gap + 2));
  const given = head.length + tail.length;
  // "::" stands for at least one group.
  if (gap < 0 ? given !== 8 : given > 7) return undefined;
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (const [i, group] of [...head, ...Array<string>(8 - given).fill("0"), ...tail].entries()) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    view.setUint16(2 * i, parseInt(group, 16));
  }
  return bytes;
}

/** Turns `…:1.2.3.4` into `…:0102:0304`; a text without a dot stays as it is. */
function replaceDottedTail(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const tail = text.lastIndexOf(":") + 1;
  const quad = parseIpv4(text.slice(tail));
  if (quad === undefined) return undefined;
  return `${text.slice(0, tail)}${quad.subarray(0, 2).toHex()}:${quad.subarray(2).toHex()}`;
}

function splitGroups(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

/** RFC 5952: lower case, no leading zeros, the first of the longest runs of zero groups is "::". */
function formatIpv6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16));
  let [start, length] = [0, 0];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === "0") end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}
