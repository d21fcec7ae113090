/**
 * Tickets: everything a node needs to join a mesh through one member, as one line of text
 * (`decisions.md` 3; layout in `docs/ticket.md`).
 *
 * A ticket contains the mesh secret, so it is a secret itself and never appears in an error. The form is
 * canonical: one ticket has exactly one text, apart from white space around it and upper case.
 */
import { bech32m } from "@scure/base";
import {
  type ErrorCode,
  formatIpAddress,
  NetError,
  parseIpAddress,
  type SocketAddress,
} from "../../base/mod.ts";
import { KEY_BYTES } from "./_okp_keys.ts";
import { isValidEntityId } from "./identity.ts";
import { isUsableNoiseKey } from "./x25519.ts";

/** The one version there is. */
export const TICKET_VERSION = 1;
/** Text before the separator `1`. */
export const TICKET_PREFIX = "net";
/** Most addresses in a ticket; at least one is needed. */
export const TICKET_ADDRESSES_MAX = 8;
/** Longest label in bytes of UTF-8. */
export const TICKET_LABEL_BYTES_MAX = 64;

/** Version, expiry, three keys, address count. */
const FIXED_BYTES = 1 + 8 + 3 * KEY_BYTES + 1;
const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** 106 + 8 addresses of tag, 16 bytes and port + length and label = 323. */
const TICKET_BYTES_MAX = FIXED_BYTES +
  TICKET_ADDRESSES_MAX * (1 + IPV6_BYTES + 2) + 1 + TICKET_LABEL_BYTES_MAX;
/** "net1", 323 bytes as 517 characters of five bits, 6 characters of checksum: 527. */
export const TICKET_TEXT_MAX = TICKET_PREFIX.length + 1 + Math.ceil(TICKET_BYTES_MAX * 8 / 5) + 6;

/** What a ticket says. */
export interface Ticket {
  /** Seconds since the Unix epoch from which on it is refused; 0 means never. */
  readonly expiresAtSeconds: number;
  /** Ed25519 public key of the node to contact, 32 bytes; its node id is derived from it. */
  readonly entityId: Uint8Array;
  /** Noise public key of the node to contact, 32 bytes. */
  readonly noisePublicKey: Uint8Array;
  /** Pre-shared key of the mesh, 32 bytes; secret. */
  readonly meshSecret: Uint8Array;
  /** 1 to 8 different UDP addresses of that node, best first. */
  readonly addresses: readonly SocketAddress[];
  /** A name for people, at most 64 bytes of UTF-8 without control characters; may be empty. */
  readonly label: string;
}

/** Why a ticket was refused; in the `reason` field of the error's data. */
export type TicketFault =
  | "empty"
  | "too_long"
  | "mixed_case"
  | "prefix"
  | "character"
  | "checksum"
  | "padding"
  | "version"
  | "truncated"
  | "trailing_bytes"
  | "expiry"
  | "entity_id"
  | "noise_key"
  | "mesh_secret"
  | "address_count"
  | "address"
  | "label"
  | "expired";

/**
 * Text of a ticket: lower case, one line.
 *
 * @throws NetError `config_invalid` when a field is out of its bounds.
 */
export function encodeTicket(ticket: Ticket): string {
  const label = new TextEncoder().encode(ticket.label);
  const addresses = ticket.addresses.map((address) => parseIpAddress(address.host));
  const fault = findFault(ticket) ?? (addresses.includes(undefined) ? "address" : undefined);
  if (fault !== undefined) throw refuse("encode", fault);
  const bytes = new Uint8Array(TICKET_BYTES_MAX);
  const view = new DataView(bytes.buffer);
  bytes[0] = TICKET_VERSION;
  view.setBigUint64(1, BigInt(ticket.expiresAtSeconds), true);
  bytes.set(ticket.entityId, 9);
  bytes.set(ticket.noisePublicKey, 41);
  bytes.set(ticket.meshSecret, 73);
  bytes[105] = addresses.length;
  let offset = FIXED_BYTES;
  for (const [i, address] of addresses.entries()) {
    if (address === undefined) continue;
    bytes[offset] = address.length === IPV4_BYTES ? 4 : 6;
    bytes.set(address, offset + 1);
    view.setUint16(offset + 1 + address.length, ticket.addresses[i]?.port ?? 0, true);
    offset += 3 + address.length;
  }
  bytes[offset] = label.length;
  bytes.set(label, offset + 1);
  offset += 1 + label.length;
  return bech32m.encode(TICKET_PREFIX, bech32m.toWords(bytes.subarray(0, offset)), false);
}

/**
 * Reads a ticket.
 *
 * @param text The ticket, with any white space around it, in lower or upper case.
 * @param nowSeconds Seconds since the Unix epoch.
 * @throws NetError `ticket_invalid` or `ticket_expired`, with a {@linkcode TicketFault} as
 * `data.reason`.
 */
export function decodeTicket(text: string, nowSeconds: number): Ticket {
  const bytes = decodeText(text);
  const ticket = typeof bytes === "string" ? bytes : decodeTicketBytes(bytes);
  if (typeof ticket === "string") throw refuse("use", ticket);
  if (ticket.expiresAtSeconds !== 0 && nowSeconds >= ticket.expiresAtSeconds) {
    throw refuse("use", "expired", new Date(ticket.expiresAtSeconds * 1000));
  }
  return ticket;
}

/** Checks text form, prefix and checksum. */
function decodeText(text: string): Uint8Array | TicketFault {
  const trimmed = text.trim();
  if (trimmed === "") return "empty";
  if (trimmed.length > TICKET_TEXT_MAX) return "too_long";
  // Before changing case: some letters outside ASCII become ASCII letters by it.
  if (!/^[!-~]*$/.test(trimmed)) return "character";
  const lower = trimmed.toLowerCase();
  if (trimmed !== lower && trimmed !== trimmed.toUpperCase()) return "mixed_case";
  if (!lower.startsWith(`${TICKET_PREFIX}1`)) return "prefix";
  if (!/^[02-9ac-hj-np-z]*$/.test(lower.slice(TICKET_PREFIX.length + 1))) return "character";
  const decoded = bech32m.decodeUnsafe(lower, false);
  if (!decoded) return "checksum";
  const bytes = bech32m.fromWordsUnsafe(decoded.words);
  return bytes instanceof Uint8Array ? bytes : "padding";
}

/** Checks and reads the binary form. */
function decodeTicketBytes(bytes: Uint8Array): Ticket | TicketFault {
  if (bytes.length === 0) return "truncated";
  if (bytes[0] !== TICKET_VERSION) return "version";
  // The shortest ticket has no address and no label; the count is checked right after.
  if (bytes.length < FIXED_BYTES + 1) return "truncated";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const expiry = view.getBigUint64(1, true);
  if (expiry > BigInt(Number.MAX_SAFE_INTEGER)) return "expiry";
  const count = view.getUint8(105);
  if (count < 1 || count > TICKET_ADDRESSES_MAX) return "address_count";
  const addresses: SocketAddress[] = [];
  let offset = FIXED_BYTES;
  for (let i = 0; i < count; i++) {
    if (offset >= bytes.length) return "truncated";
    const tag = view.getUint8(offset);
    if (tag !== 4 && tag !== 6) return "address";
    const end = offset + 1 + (tag === 4 ? IPV4_BYTES : IPV6_BYTES);
    if (end + 2 > bytes.length) return "truncated";
    const host = formatIpAddress(bytes.subarray(offset + 1, end));
    addresses.push({ host, port: view.getUint16(end, true) });
    offset = end + 2;
  }
  if (offset >= bytes.length) return "truncated";
  const labelEnd = offset + 1 + view.getUint8(offset);
  if (labelEnd > bytes.length) return "truncated";
  if (labelEnd < bytes.length) return "trailing_bytes";
  const label = decodeLabel(bytes.subarray(offset + 1, labelEnd));
  if (label === undefined) return "label";
  const ticket = {
    expiresAtSeconds: Number(expiry),
    entityId: bytes.slice(9, 41),
    noisePublicKey: bytes.slice(41, 73),
    meshSecret: bytes.slice(73, 105),
    addresses,
    label,
  };
  return findFault(ticket) ?? ticket;
}

/** The rules that hold for a ticket however it came about. */
function findFault(ticket: Ticket): TicketFault | undefined {
  const { expiresAtSeconds, addresses, label } = ticket;
  if (!Number.isSafeInteger(expiresAtSeconds) || expiresAtSeconds < 0) return "expiry";
  if (!isValidEntityId(ticket.entityId)) return "entity_id";
  if (!isUsableNoiseKey(ticket.noisePublicKey)) return "noise_key";
  if (ticket.meshSecret.length !== KEY_BYTES) return "mesh_secret";
  if (addresses.length < 1 || addresses.length > TICKET_ADDRESSES_MAX) return "address_count";
  if (!addresses.every(isDialable)) return "address";
  const different = new Set(addresses.map(({ host, port }) => `${host} ${port}`));
  if (different.size !== addresses.length) return "address";
  return isLabel(label) ? undefined : "label";
}

/** A canonical unicast address with a port. */
function isDialable({ host, port }: SocketAddress): boolean {
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) return false;
  const bytes = parseIpAddress(host);
  if (bytes === undefined || formatIpAddress(bytes) !== host) return false;
  if (bytes.every((byte) => byte === 0)) return false;
  const first = bytes[0] ?? 0;
  // IPv4 from 224 on is multicast, reserved and broadcast.
  if (bytes.length === IPV4_BYTES) return first < 224;
  return first !== 0xff && !isMappedIpv4(bytes);
}

/** ::ffff:a.b.c.d, which has to be written as IPv4. */
function isMappedIpv4(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => i >= 12 || byte === (i < 10 ? 0 : 0xff));
}

/** Anything that could move a cursor or reverse a line on somebody's terminal is kept out. */
function isLabel(label: string): boolean {
  return label.isWellFormed() && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(label) &&
    new TextEncoder().encode(label).length <= TICKET_LABEL_BYTES_MAX;
}

function decodeLabel(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const FAULT_TEXT: Readonly<Record<TicketFault, string>> = {
  empty: "it is empty",
  too_long: `it is longer than ${TICKET_TEXT_MAX} characters`,
  mixed_case: "upper and lower case are mixed",
  prefix: `it does not begin with ${TICKET_PREFIX}1`,
  character: "it contains a character that no ticket has",
  checksum: "its checksum is wrong, so at least one character was changed or lost",
  padding: "its last character is not canonical",
  version: `its version is not ${TICKET_VERSION}`,
  truncated: "it ends too early",
  trailing_bytes: "something follows behind its end",
  expiry: "its expiry is not a whole number of seconds from 0 to 2^53 - 1",
  entity_id: "its entity id is not an acceptable ed25519 key",
  noise_key: "its Noise key is not an acceptable X25519 key",
  mesh_secret: "its mesh secret is not 32 bytes",
  address_count: `it must have 1 to ${TICKET_ADDRESSES_MAX} addresses`,
  address: "an address is repeated, not canonical or cannot be dialled",
  label:
    `its label must be at most ${TICKET_LABEL_BYTES_MAX} bytes of UTF-8 without control characters`,
  expired: "it has expired",
};

function refuse(verb: "encode" | "use", fault: TicketFault, since?: Date): NetError {
  const code: ErrorCode = verb === "encode"
    ? "config_invalid"
    : fault === "expired"
    ? "ticket_expired"
    : "ticket_invalid";
  const time = since === undefined || Number.isNaN(since.getTime())
    ? ""
    : ` (${since.toISOString()})`;
  return new NetError(code, `Cannot ${verb} ticket: ${FAULT_TEXT[fault]}${time}`, {
    data: { reason: fault },
    next: nextStep(verb, fault),
  });
}

function nextStep(verb: "encode" | "use", fault: TicketFault): string {
  if (verb === "encode") return "correct the setting that the message names";
  switch (fault) {
    case "expired":
      return "ask for a new one: net node ticket on a node of the mesh prints it";
    case "version":
      return "update net, or ask for a ticket from a node with the same version";
    default:
      return "copy the whole ticket again, as net node ticket prints it";
  }
}
