/**
 * IP addresses between their bytes and canonical text (RFC 4291, RFC 5952), and socket addresses.
 *
 * IPv4 inside IPv6 (`::ffff:1.2.3.4`) stays IPv6 here; who wants one address per peer calls
 * {@linkcode unmapIpv4} in between. No names, no zones.
 */

/** An IP address and port; `host` is canonical text without brackets. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const IPV6_GROUPS = 8;
/** Six full groups and a dotted quad. */
const IPV6_TEXT_MAX = 45;
/** No leading zeros: some systems take them for octal. */
const OCTET = /^(0|[1-9][0-9]{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
/** `::ffff:0:0/96` holds the IPv4 addresses. */
const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/**
 * The 4 or 16 bytes of a textual IP address without brackets; `undefined` when it is none.
 *
 * @example
 * ```ts
 * import { formatIpAddress, parseIpAddress } from "./ip_address.ts";
 * const bytes = parseIpAddress("2001:DB8:0:0::1") ?? new Uint8Array(16);
 * console.assert(formatIpAddress(bytes) === "2001:db8::1");
 * ```
 */
export function parseIpAddress(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > IPV6_TEXT_MAX) return undefined;
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/**
 * Canonical text of 4 or 16 address bytes.
 *
 * @throws RangeError when there are neither 4 nor 16.
 */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === IPV4_BYTES) return bytes.join(".");
  if (bytes.length === IPV6_BYTES) return formatIpv6(bytes);
  throw new RangeError(`Cannot read IP address: length is ${bytes.length}, must be 4 or 16`);
}

/** The 4 bytes of an IPv4 address inside IPv6, as a view; any other address as it is. */
export function unmapIpv4<B extends ArrayBufferLike>(bytes: Uint8Array<B>): Uint8Array<B> {
  if (bytes.length !== IPV6_BYTES) return bytes;
  return MAPPED_PREFIX.every((byte, i) => bytes[i] === byte) ? bytes.subarray(12) : bytes;
}

/** Text of a socket address: `ip:port`, or `[ipv6]:port`. */
export function formatSocketAddress(address: SocketAddress): string {
  const { host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseIpv4(text: string): Uint8Array<ArrayBuffer> | undefined {
  const parts = text.split(".");
  if (parts.length !== IPV4_BYTES) return undefined;
  if (parts.some((part) => !OCTET.test(part) || Number(part) > 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const hex = replaceDottedTail(text);
  const [left, right, ...more] = hex?.split("::") ?? [];
  if (left === undefined || more.length > 0) return undefined;
  const head = splitGroups(left);
  const tail = splitGroups(right ?? "");
  const missing = IPV6_GROUPS - head.length - tail.length;
  // "::" stands for at least one group.
  if (right === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...tail];
  if (!groups.every((group) => GROUP.test(group))) return undefined;
  const bytes = new Uint8Array(IPV6_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, group] of groups.entries()) view.setUint16(2 * i, parseInt(group, 16));
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
  const view = new DataView(bytes.buffer, bytes.byteOffset, IPV6_BYTES);
  const groups = Array.from({ length: IPV6_GROUPS }, (_, i) => view.getUint16(2 * i).toString(16));
  let [start, length] = [0, 0];
  for (let i = 0; i < IPV6_GROUPS; i++) {
    let end = i;
    while (end < IPV6_GROUPS && groups[end] === "0") end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}
