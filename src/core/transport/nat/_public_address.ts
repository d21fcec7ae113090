/** Which addresses mean the same everywhere (RFC 1918, 3927, 4193, 4291, 6598). */
import { parseHost } from "../address.ts";

/** True for an address of the Internet, false for private, shared, local and special ones. */
export function isPublicAddress(host: string): boolean {
  const bytes = parseHost(host);
  if (bytes === undefined) return false;
  const [a = 0, b = 0] = bytes;
  if (bytes.length === 16) return (a & 0xe0) === 0x20;
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  if (a === 100) return (b & 0xc0) !== 64;
  if (a === 169) return b !== 254;
  if (a === 172) return (b & 0xf0) !== 16;
  return a !== 192 || b !== 168;
}
