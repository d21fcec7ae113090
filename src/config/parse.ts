/**
 * Readers of single configuration values: ports, addresses, ids, durations, families, peers.
 *
 * Each returns the value, or `undefined` when the text is none; the caller knows the name of the
 * setting and says what was required (`validation.md` 3.2 and 4, `decisions.md` 4).
 */
import {
  formatIpAddress,
  fromHex,
  parseId,
  parseIpAddress,
  type SocketAddress,
  unmapIpv4,
} from "../base/mod.ts";

/** Room for 255 names of 60 characters in one rule. */
const SUBNET_RULE_CHARACTERS_MAX = 16_384;

/** One `ADDR#NODEID#NOISEKEY`: a peer that is known without a ticket. */
export interface PeerSpec {
  readonly address: SocketAddress;
  readonly nodeId: bigint;
  /** 32 bytes. */
  readonly noisePublicKey: Uint8Array;
}

/** How one level of a node's subnet follows from its tags. */
export interface SubnetRuleSpec {
  readonly tagPrefix: string;
  /** 0 to 3. */
  readonly level: number;
  /** 1 to 255, by what follows the prefix. */
  readonly values: ReadonlyMap<string, number>;
}

/** Port 0..65535 in decimal. */
export function parsePort(text: string): number | undefined {
  if (!/^[0-9]{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

/**
 * Canonical text of an IP address, IPv6 with or without brackets; `localhost` is 127.0.0.1 and `*`
 * all IPv4 addresses. IPv4 inside IPv6 becomes plain IPv4, as the transport has it. Zone ids and host
 * names are not addresses.
 */
export function parseHost(text: string): string | undefined {
  if (text === "localhost") return "127.0.0.1";
  if (text === "*") return "0.0.0.0";
  const isBracketed = text.startsWith("[") && text.endsWith("]");
  const bytes = parseIpAddress(isBracketed ? text.slice(1, -1) : text);
  if (bytes === undefined || (isBracketed && bytes.length === 4)) return undefined;
  return formatIpAddress(unmapIpv4(bytes));
}

/** `ADDR:PORT` or `[ADDR]:PORT`. */
export function parseHostPort(text: string): SocketAddress | undefined {
  const colon = text.lastIndexOf(":");
  if (colon <= 0) return undefined;
  const hostText = text.slice(0, colon);
  if (hostText.includes(":") && !hostText.startsWith("[")) return undefined;
  const host = parseHost(hostText);
  const port = parsePort(text.slice(colon + 1));
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** Like {@linkcode parseHostPort}; `PORT` and `:PORT` alone mean all addresses. */
export function parseListen(text: string): SocketAddress | undefined {
  const port = parsePort(text.replace(/^:/, ""));
  return port === undefined ? parseHostPort(text) : { host: "0.0.0.0", port };
}

/**
 * Duration in milliseconds: a number with `ms`, `s`, `m`, `h` or `d`; a bare number is seconds.
 *
 * At most 30 days, so that it fits a timer after conversion.
 */
export function parseDuration(text: string): number | undefined {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/.exec(text);
  if (match === null) return undefined;
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? "s"] ?? 0;
  const durationMs = Math.round(Number(match[1]) * unitMs);
  return durationMs <= 30 * 86_400_000 ? durationMs : undefined;
}

/**
 * Family of the node: the name itself, `""` for no family (`default`, `standalone` and the empty
 * text mean that), `undefined` when the text cannot be a family.
 */
export function parseFamily(text: string): string | undefined {
  if (text === "" || text === "default" || text === "standalone") return "";
  return /^[A-Za-z0-9_-]{1,32}$/.test(text) ? text : undefined;
}

/** `ADDR#NODEID#NOISEKEY`; the node id as in `parseId`, the key as 64 hex digits. */
export function parsePeer(text: string): PeerSpec | undefined {
  if (text.length > 256) return undefined;
  const [addressText, idText, keyText, ...rest] = text.split("#");
  if (addressText === undefined || idText === undefined || keyText === undefined) return undefined;
  if (rest.length > 0) return undefined;
  const address = parseHostPort(addressText);
  const nodeId = parseId(idText);
  const noisePublicKey = fromHex(keyText, 32);
  if (address === undefined || address.port === 0) return undefined;
  if (nodeId === undefined || noisePublicKey === undefined) return undefined;
  return { address, nodeId, noisePublicKey };
}

/**
 * `PREFIX=LEVEL:NAME=NUMBER,NAME=NUMBER,…`, such as `region:=0:eu=1,us=2`: a node with the tag `region:eu` has
 * the number 1 at level 0 of its subnet. The prefix ends before the first `=` that a level follows.
 */
export function parseSubnetRule(text: string): SubnetRuleSpec | undefined {
  const match = /^(.+?)=([0-3]):(.+)$/s.exec(text);
  if (match === null || text.length > SUBNET_RULE_CHARACTERS_MAX) return undefined;
  const [, tagPrefix = "", level, list = ""] = match;
  const values = new Map<string, number>();
  for (const pair of list.split(",")) {
    const [, name, number] = /^(.+)=([1-9][0-9]{0,2})$/s.exec(pair) ?? [];
    const value = Number(number);
    if (name === undefined || value > 255 || values.has(name)) return undefined;
    values.set(name, value);
  }
  return { tagPrefix, level: Number(level), values };
}

/** Label of a node: 1 to 64 UTF-8 bytes without control characters. */
export function parseLabel(text: string): string | undefined {
  const label = text.trim();
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (label === "" || /[\u0000-\u001f\u007f-\u009f]/.test(label)) return undefined;
  return new TextEncoder().encode(label).length <= 64 ? label : undefined;
}

/** `1`, `true`, `yes`, `on` and their opposites. */
export function parseSwitch(text: string): boolean | undefined {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  return /^(0|false|no|off)$/i.test(text) ? false : undefined;
}
