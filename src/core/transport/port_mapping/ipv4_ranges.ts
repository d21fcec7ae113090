/** Which IPv4 addresses can be a home's gateway, and which can be reached from the internet. */
import { parseIpAddress } from "../../../base/mod.ts";

/**
 * True for an address that only a local network has: RFC 1918, link-local, and loopback.
 *
 * @param host Canonical text; names and IPv6 give false.
 */
export function isLocalIpv4(host: string): boolean {
  const [a, b] = octets(host);
  return a === 10 || a === 127 || (a === 192 && b === 168) || (a === 169 && b === 254) ||
    (a === 172 && b !== undefined && b >= 16 && b <= 31);
}

/**
 * True for an address that the internet can route: none that is private, shared between customers
 * (RFC 6598), reserved, for documentation, or no host's at all.
 */
export function isPublicIpv4(host: string): boolean {
  const [a, b, c] = octets(host);
  if (a === undefined || b === undefined || c === undefined) return false;
  if (a === 0 || a >= 224 || isLocalIpv4(host)) return false;
  if (a === 100 && b >= 64 && b <= 127) return false;
  if (a === 192 && b === 0 && (c === 0 || c === 2)) return false;
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return false;
  return !(a === 203 && b === 0 && c === 113);
}

function octets(host: string): readonly number[] {
  const bytes = parseIpAddress(host);
  return bytes?.length === 4 ? [...bytes] : [];
}
