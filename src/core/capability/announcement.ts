/**
 * Capability announcements on the wire, subprotocol 0x0C00 (`capabilities.md` 6): canonical JSON, the
 * bytes a signature covers, and a decoder for what strangers send.
 *
 * Signing and verifying are `announcement_signature.ts`, what is kept of announcements
 * `announcement_store.ts`. Tags are not interpreted and reserved metadata is not stripped here: a
 * forwarded copy must still verify.
 */
import { Buffer } from "node:buffer";
import { fromHex, NetError, utf8 } from "../../base/mod.ts";
import { ENTITY_ID_BYTES, SIGNATURE_BYTES } from "../crypto/mod.ts";
import { type CanonicalForm, type KnownOrigin, readCanonicalForm } from "./_canonical_form.ts";
import { JsonReader } from "./_json_reader.ts";
import { canonicalReflexAddress } from "./_reflex_address.ts";
import { type CapabilitySet, formatCapabilitySet } from "./capability_set.ts";
import { readCapabilitySet } from "./capability_set_codec.ts";
import {
  ALLOWED_MAX,
  ANNOUNCEMENT_BYTES_MAX,
  FORWARD_HOPS_MAX,
  GROUP_BYTES,
  SUBNET_BYTES,
} from "./limits.ts";

/** Subprotocol and stream of announcements. */
export const SUBPROTOCOL_ANNOUNCEMENT = 0x0c00;

const U64_MAX = (1n << 64n) - 1n;
const U32_MAX = 0xffff_ffff;
/** Backslash and control characters, which JSON escapes; and with all that is not ASCII. */
const ESCAPED = /[^ -[\]-\uffff]/;
const NOT_PLAIN = /[^ -[\]-~]/;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a node says of itself, in canonical form. */
export interface Announcement {
  /** Origin; the id that belongs to `entityId` once verified. */
  readonly nodeId: bigint;
  /** Ed25519 public key of the origin, 32 bytes. */
  readonly entityId: Uint8Array;
  /** Grows with every announcement of the origin. */
  readonly version: bigint;
  /** Nanoseconds since the Unix epoch, by the origin's clock. */
  readonly timestampNs: bigint;
  /** Seconds from arrival. */
  readonly ttlSeconds: number;
  readonly capabilities: CapabilitySet;
  /** 64 bytes; `undefined` when unsigned. */
  readonly signature: Uint8Array | undefined;
  /** Nodes that passed it on; not covered by the signature. */
  readonly hopCount: number;
  /** `ip:port` or `[ipv6]:port` as the origin is seen from outside. */
  readonly reflexAddress: string | undefined;
  /** Who may call; all three empty means everybody. */
  readonly allowedNodes: readonly bigint[];
  /** 16 bytes each. */
  readonly allowedSubnets: readonly Uint8Array[];
  /** 32 bytes each. */
  readonly allowedGroups: readonly Uint8Array[];
  /** JSON of the owner's certificate as it stood on the wire: carried and signed, not understood. */
  readonly ownerCertificate: string | undefined;
}

/** Why bytes are no announcement. */
export type AnnouncementFault = "too_long" | "malformed" | "missing_member" | "allow_list";

/** What {@linkcode decodeAnnouncement} found. */
export type DecodedAnnouncement =
  | { readonly ok: true; readonly announcement: Announcement }
  | { readonly ok: false; readonly fault: AnnouncementFault };

/**
 * Bytes to send.
 *
 * @param announcement Canonical: decoded, or made by `localAnnouncement`.
 * @throws NetError `limit` when it does not fit in one event of 8104 bytes.
 */
export function encodeAnnouncement(announcement: Announcement): Uint8Array<ArrayBuffer> {
  const bytes = utf8(format(announcement, formatSeal(announcement, announcement.hopCount)));
  if (bytes.length <= ANNOUNCEMENT_BYTES_MAX) return bytes;
  throw new NetError(
    "limit",
    `Cannot encode announcement: length is ${bytes.length}, must be at most ${ANNOUNCEMENT_BYTES_MAX}`,
    { next: "announce fewer tags or shorter metadata" },
  );
}

/** The bytes that the signature covers: all but signature and hop count. */
export function announcementTranscript(announcement: Announcement): Uint8Array<ArrayBuffer> {
  return utf8(format(announcement, ""));
}

/**
 * Bytes for the next hop, `undefined` when it went far enough.
 *
 * They go to every connected peer but the sender and the next hop towards the origin.
 */
export function forwardAnnouncement(
  announcement: Announcement,
): Uint8Array<ArrayBuffer> | undefined {
  const { hopCount } = announcement;
  if (hopCount >= FORWARD_HOPS_MAX) return undefined;
  // The added member can push an announcement of the largest size over the bound; it ends here then.
  const bytes = utf8(format(announcement, formatSeal(announcement, hopCount + 1)));
  return bytes.length <= ANNOUNCEMENT_BYTES_MAX ? bytes : undefined;
}

/**
 * Reads an announcement; never throws.
 *
 * As the reference: members in any order, unknown ones vanish, a known one twice is a fault, tags and
 * metadata are put in order.
 *
 * @example
 * ```ts
 * import { decodeAnnouncement } from "./announcement.ts";
 * const decoded = decodeAnnouncement(new TextEncoder().encode('{"node_id":1}'));
 * console.assert(!decoded.ok && decoded.fault === "missing_member");
 * ```
 */
export function decodeAnnouncement(bytes: Uint8Array): DecodedAnnouncement {
  const read = readAnnouncement(bytes);
  return read.ok ? { ok: true, announcement: read.announcement } : read;
}

/** {@linkcode DecodedAnnouncement}, and the message itself when its bytes can be used as they are. */
export type ReadAnnouncement =
  | {
    readonly ok: true;
    readonly announcement: Announcement;
    readonly form: CanonicalForm | undefined;
  }
  | { readonly ok: false; readonly fault: AnnouncementFault };

/**
 * {@linkcode decodeAnnouncement} for who goes on with the message.
 *
 * @param knownOf What an earlier message of the node gave, when that had a form.
 */
export function readAnnouncement(
  bytes: Uint8Array,
  knownOf?: (nodeId: bigint) => KnownOrigin | undefined,
): ReadAnnouncement {
  if (bytes.length > ANNOUNCEMENT_BYTES_MAX) return { ok: false, fault: "too_long" };
  const plain = readPlainText(bytes);
  let text: string;
  try {
    text = plain ?? DECODER.decode(bytes);
  } catch {
    return { ok: false, fault: "malformed" };
  }
  const form = plain === undefined && ESCAPED.test(text)
    ? undefined
    : readCanonicalForm(bytes, text, knownOf);
  if (form !== undefined) return { ok: true, announcement: form.announcement, form };
  const reader = new JsonReader(text);
  const draft = readMembers(reader);
  reader.end();
  if (draft.hasLongList) return { ok: false, fault: "allow_list" };
  if (reader.hasFailed) return { ok: false, fault: "malformed" };
  const announcement = complete(draft);
  return announcement === undefined
    ? { ok: false, fault: "missing_member" }
    : { ok: true, announcement, form: undefined };
}

/** The text of bytes that are ASCII and hold nothing that JSON escapes; four times faster than decoding. */
function readPlainText(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return NOT_PLAIN.test(text) ? undefined : text;
}

function format(announcement: Announcement, sealText: string): string {
  const { reflexAddress, allowedNodes, allowedSubnets, allowedGroups } = announcement;
  let tail = "";
  if (reflexAddress !== undefined) tail += `,"reflex_addr":"${reflexAddress}"`;
  if (allowedNodes.length > 0) tail += `,"allowed_nodes":[${allowedNodes.join(",")}]`;
  if (allowedSubnets.length > 0) tail += `,"allowed_subnets":[${formatLists(allowedSubnets)}]`;
  if (allowedGroups.length > 0) tail += `,"allowed_groups":[${formatLists(allowedGroups)}]`;
  if (announcement.ownerCertificate !== undefined) {
    tail += `,"owner_cert":${announcement.ownerCertificate}`;
  }
  return `{"node_id":${announcement.nodeId},"entity_id":"${announcement.entityId.toHex()}",` +
    `"version":${announcement.version},"timestamp_ns":${announcement.timestampNs},` +
    `"ttl_secs":${announcement.ttlSeconds},` +
    `"capabilities":${formatCapabilitySet(announcement.capabilities)}${sealText}${tail}}`;
}

function formatSeal({ signature }: Announcement, hopCount: number): string {
  const seal = signature === undefined ? "" : `,"signature":"${signature.toHex()}"`;
  return hopCount === 0 ? seal : `${seal},"hop_count":${hopCount}`;
}

function formatLists(lists: readonly Uint8Array[]): string {
  return lists.map((bytes) => `[${bytes.join(",")}]`).join(",");
}

type Draft = { -readonly [Name in keyof Announcement]?: Announcement[Name] } & {
  hasLongList?: boolean;
};

type MemberReader = (reader: JsonReader, draft: Draft) => void;

/** Readers of the known members; what is not in here is passed over. */
const MEMBERS: ReadonlyMap<string, MemberReader> = new Map<string, MemberReader>([
  ["node_id", (reader, draft) => void (draft.nodeId = reader.unsigned(U64_MAX))],
  ["entity_id", (reader, draft) => void (draft.entityId = readHex(reader, ENTITY_ID_BYTES))],
  ["version", (reader, draft) => void (draft.version = reader.unsigned(U64_MAX))],
  ["timestamp_ns", (reader, draft) => void (draft.timestampNs = reader.unsigned(U64_MAX))],
  ["ttl_secs", (reader, draft) => void (draft.ttlSeconds = reader.small(U32_MAX))],
  ["capabilities", (reader, draft) => void (draft.capabilities = readCapabilitySet(reader))],
  ["signature", (reader, draft) => {
    if (!reader.takeNull()) draft.signature = readHex(reader, SIGNATURE_BYTES);
  }],
  ["hop_count", (reader, draft) => void (draft.hopCount = reader.small(0xff))],
  ["reflex_addr", (reader, draft) => {
    if (reader.takeNull()) return;
    draft.reflexAddress = canonicalReflexAddress(reader.text());
    if (draft.reflexAddress === undefined) reader.fail();
  }],
  ["allowed_nodes", (reader, draft) => {
    draft.allowedNodes = readList(reader, draft, () => reader.unsigned(U64_MAX));
  }],
  ["allowed_subnets", (reader, draft) => {
    draft.allowedSubnets = readList(reader, draft, () => readBytes(reader, SUBNET_BYTES));
  }],
  ["allowed_groups", (reader, draft) => {
    draft.allowedGroups = readList(reader, draft, () => readBytes(reader, GROUP_BYTES));
  }],
  ["owner_cert", (reader, draft) => {
    if (!reader.takeNull()) draft.ownerCertificate = reader.raw();
  }],
]);

function readMembers(reader: JsonReader): Draft {
  const draft: Draft = {};
  const seen = new Set<string>();
  for (let key = reader.firstKey(); key !== undefined; key = reader.nextKey()) {
    const read = MEMBERS.get(key);
    if (read === undefined) reader.raw();
    else if (seen.has(key)) reader.fail();
    else {
      seen.add(key);
      read(reader, draft);
    }
  }
  return draft;
}

function complete(draft: Draft): Announcement | undefined {
  const { nodeId, entityId, version, timestampNs, ttlSeconds, capabilities } = draft;
  if (
    nodeId === undefined || entityId === undefined || version === undefined ||
    timestampNs === undefined || ttlSeconds === undefined || capabilities === undefined
  ) return undefined;
  return {
    nodeId,
    entityId,
    version,
    timestampNs,
    ttlSeconds,
    capabilities,
    signature: draft.signature,
    hopCount: draft.hopCount ?? 0,
    reflexAddress: draft.reflexAddress,
    allowedNodes: draft.allowedNodes ?? [],
    allowedSubnets: draft.allowedSubnets ?? [],
    allowedGroups: draft.allowedGroups ?? [],
    ownerCertificate: draft.ownerCertificate,
  };
}

function readHex(reader: JsonReader, length: number): Uint8Array {
  const bytes = fromHex(reader.text(), length);
  if (bytes !== undefined) return bytes;
  reader.fail();
  return new Uint8Array(length);
}

function readBytes(reader: JsonReader, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let count = 0;
  for (let isMore = reader.firstItem(); isMore; isMore = reader.nextItem()) {
    // Writes behind the end of the array have no effect.
    bytes[count++] = reader.small(0xff);
  }
  if (count !== length) reader.fail();
  return bytes;
}

function readList<T>(reader: JsonReader, draft: Draft, readItem: () => T): T[] {
  const list: T[] = [];
  for (let isMore = reader.firstItem(); isMore; isMore = reader.nextItem()) {
    list.push(readItem());
    if (list.length <= ALLOWED_MAX) continue;
    draft.hasLongList = true;
    reader.fail();
  }
  return list;
}
