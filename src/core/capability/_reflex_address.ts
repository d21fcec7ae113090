/**
 * Socket addresses as the reference prints them inside a signed announcement. Unlike elsewhere, IPv4
 * inside IPv6 stays IPv6 here, because the signature covers the text.
 */
import { formatHost, parseHost } from "../transport/mod.ts";

const PORT_MAX = 0xffff;
const SCOPE_MAX = 0xffff_ffff;
const TEXT_MAX = 128;
const ADDRESS = /^(?:([0-9.]+)|\[([0-9a-fA-F:.]+)(?:%([0-9]+))?\]):([0-9]+)$/;

/** Canonical `ip:port` or `[ipv6]:port` of a text; `undefined` when it is no address. */
export function canonicalReflexAddress(text: string): string | undefined {
  if (text.length > TEXT_MAX) return undefined;
  const [, ipv4, ipv6, scope = "0", port = ""] = ADDRESS.exec(text) ?? [];
  const host = ipv4 ?? ipv6;
  if (host === undefined || Number(port) > PORT_MAX || Number(scope) > SCOPE_MAX) return undefined;
  const bytes = parseHost(host);
  if (bytes === undefined || (bytes.length === 4) !== (ipv4 !== undefined)) return undefined;
  if (bytes.length === 4) return `${formatHost(bytes)}:${Number(port)}`;
  const plain = formatHost(bytes);
  const inner = plain.includes(":") ? plain : `::ffff:${plain}`;
  return `[${inner}${Number(scope) === 0 ? "" : `%${Number(scope)}`}]:${Number(port)}`;
}
