/**
 * Reads announcements that came in canonical form, as nearly all do, several times faster than member by
 * member. What it takes, the general reader of `announcement.ts` reads as the same; what it does not take
 * may still be an announcement.
 *
 * The bytes of such a message hold what the signature covers, and what the next hop gets, already.
 */
import { canonicalReflexAddress } from "./_reflex_address.ts";
import type { Announcement } from "./announcement.ts";
import { type CapabilitySet, compareUtf8 } from "./capability_set.ts";
import { ANNOUNCEMENT_BYTES_MAX, FORWARD_HOPS_MAX } from "./limits.ts";

const U64_MAX = (1n << 64n) - 1n;
const U32_MAX = 0xffff_ffff;
const HOPS_MAX = 0xff;

const HEAD =
  /\{"node_id":(0|[1-9][0-9]{0,19}),"entity_id":"([0-9a-f]{64})","version":(0|[1-9][0-9]{0,19}),"timestamp_ns":(0|[1-9][0-9]{0,19}),"ttl_secs":(0|[1-9][0-9]{0,9}),"capabilities":\{"tags":\[/y;
const SEAL = /,"signature":"([0-9a-f]{128})"(?:,"hop_count":([1-9][0-9]{0,2}))?/y;
const TAIL = /(?:,"reflex_addr":"([^"]+)")?\}$/y;
const MIDDLE = '],"metadata":{';
const HOP_MEMBER = ',"hop_count":';

/** One for all: there are as many announcements as nodes. */
const NOBODY: readonly never[] = [];

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACE = 0x7d;

/** A message whose bytes are used as they are. */
export class CanonicalForm {
  readonly announcement: Announcement;
  readonly #bytes: Uint8Array;
  /** Where signature and hop count stand in the bytes; the signature ends before the hop count. */
  readonly #sealAt: number;
  readonly #signedAt: number;
  readonly #tailAt: number;

  constructor(
    announcement: Announcement,
    bytes: Uint8Array,
    places: readonly [sealAt: number, signedAt: number, tailAt: number],
  ) {
    this.announcement = announcement;
    this.#bytes = bytes;
    [this.#sealAt, this.#signedAt, this.#tailAt] = places;
  }

  /**
   * The bytes that the signature covers.
   *
   * @param room Where they are put; as long as a message can be.
   */
  transcript(room: Uint8Array): Uint8Array {
    const bytes = this.#bytes;
    const at = this.#sealAt;
    room.set(bytes.subarray(0, at));
    const length = copyTail(bytes, this.#tailAt, room, at);
    return room.subarray(0, length);
  }

  /** The bytes for the next hop, as `forwardAnnouncement` makes them. */
  forward(): Uint8Array<ArrayBuffer> | undefined {
    const { hopCount } = this.announcement;
    if (hopCount >= FORWARD_HOPS_MAX) return undefined;
    const bytes = this.#bytes;
    const member = `${HOP_MEMBER}${hopCount + 1}`;
    const at = this.#signedAt;
    const length = at + member.length + bytes.length - this.#tailAt;
    if (length > ANNOUNCEMENT_BYTES_MAX) return undefined;
    const forwarded = new Uint8Array(length);
    forwarded.set(bytes.subarray(0, at));
    for (let i = 0; i < member.length; i++) forwarded[at + i] = member.charCodeAt(i);
    copyTail(bytes, this.#tailAt, forwarded, at + member.length);
    return forwarded;
  }
}

/** Copies the few bytes from `start` on; where they end. */
function copyTail(from: Uint8Array, start: number, to: Uint8Array, at: number): number {
  let end = at;
  for (let i = start; i < from.length; i++) to[end++] = from[i] ?? 0;
  return end;
}

/** What is known of a node, as {@linkcode readCanonicalForm} read it before. */
export type KnownOrigin = Pick<Announcement, "entityId" | "capabilities">;

/**
 * Reads a signed message without allow-lists and owner certificate.
 *
 * @param bytes The message; the form refers to them.
 * @param text The same as text; it holds nothing that JSON escapes, so that its strings stand as they are.
 * @param knownOf Looks a node up: most of what nodes announce is what they announced before, and is used
 * again, the same object, instead of being read.
 * @returns `undefined` for anything that is not in canonical form.
 */
export function readCanonicalForm(
  bytes: Uint8Array,
  text: string,
  knownOf: (nodeId: bigint) => KnownOrigin | undefined = () => undefined,
): CanonicalForm | undefined {
  HEAD.lastIndex = 0;
  const head = HEAD.exec(text);
  if (head === null) return undefined;
  const [, nodeDigits = "", entityHex = "", version = "", timestampNs = "", ttl = ""] = head;
  const nodeId = BigInt(nodeDigits);
  const known = knownOf(nodeId);
  const reader = new SetReader(text, HEAD.lastIndex, known?.capabilities.tags ?? NOBODY);
  const capabilities = known !== undefined && reader.skip(known.capabilities)
    ? known.capabilities
    : reader.read();
  if (capabilities === undefined) return undefined;
  const sealAt = SEAL.lastIndex = reader.at;
  const seal = SEAL.exec(text);
  if (seal === null) return undefined;
  const tailAt = TAIL.lastIndex = SEAL.lastIndex;
  const tail = TAIL.exec(text);
  if (tail === null) return undefined;

  const [, signature = "", hops = ""] = seal;
  const [, reflexAddress] = tail;
  const announcement = {
    nodeId,
    entityId: known?.entityId.toHex() === entityHex
      ? known.entityId
      : Uint8Array.fromHex(entityHex),
    version: BigInt(version),
    timestampNs: BigInt(timestampNs),
    ttlSeconds: Number(ttl),
    capabilities,
    signature: Uint8Array.fromHex(signature),
    hopCount: Number(hops),
    reflexAddress: reflexAddress === undefined ? undefined : canonicalReflexAddress(reflexAddress),
    allowedNodes: NOBODY,
    allowedSubnets: NOBODY,
    allowedGroups: NOBODY,
    ownerCertificate: undefined,
  };
  if (
    announcement.nodeId > U64_MAX || announcement.version > U64_MAX ||
    announcement.timestampNs > U64_MAX || announcement.ttlSeconds > U32_MAX ||
    announcement.hopCount > HOPS_MAX || announcement.reflexAddress !== reflexAddress
  ) return undefined;
  // All from the seal on is ASCII, so that places are the same counted from the end.
  const shift = bytes.length - text.length;
  const signedAt = hops === "" ? tailAt : tailAt - HOP_MEMBER.length - hops.length;
  return new CanonicalForm(announcement, bytes, [sealAt + shift, signedAt + shift, tailAt + shift]);
}

/** Reads `…],"metadata":{…}}` behind the bracket of the tags; nothing in it is escaped. */
class SetReader {
  readonly #text: string;
  readonly #known: readonly string[];
  /** Where in the known tags the next one is looked for. */
  #place = 0;
  at: number;

  constructor(text: string, at: number, known: readonly string[]) {
    this.#text = text;
    this.at = at;
    this.#known = known;
  }

  /** Passes over a set that is the known one; false, and nothing is passed over, when it is not. */
  skip({ tags, metadata }: CapabilitySet): boolean {
    const start = this.at;
    for (const [i, tag] of tags.entries()) {
      if (i > 0 && !this.#take(COMMA)) return this.#back(start);
      if (!this.#takeString(tag)) return this.#back(start);
    }
    if (!this.#text.startsWith(MIDDLE, this.at)) return this.#back(start);
    this.at += MIDDLE.length;
    let count = 0;
    for (const [key, value] of metadata) {
      if (count++ > 0 && !this.#take(COMMA)) return this.#back(start);
      if (!this.#takeString(key) || !this.#take(COLON) || !this.#takeString(value)) {
        return this.#back(start);
      }
    }
    return this.#take(BRACE) && this.#take(BRACE) || this.#back(start);
  }

  read(): CapabilitySet | undefined {
    const tags = this.#tags();
    if (tags === undefined || !this.#text.startsWith(MIDDLE, this.at)) return undefined;
    this.at += MIDDLE.length;
    const metadata = this.#metadata();
    if (metadata === undefined || this.#text.charCodeAt(this.at) !== BRACE) return undefined;
    this.at += 1;
    return { tags, metadata };
  }

  #tags(): readonly string[] | undefined {
    const tags: string[] = [];
    let last = "";
    while (this.#text.charCodeAt(this.at) === QUOTE) {
      const tag = this.#knownTag() ?? this.#string();
      if (tag === undefined || compareUtf8(last, tag) >= 0) return undefined;
      tags.push(tag);
      last = tag;
      // As members of a set the texts are kept once for all nodes, see `capability_set.ts`.
      if (!this.#take(COMMA)) return [...new Set(tags)];
    }
    // Behind a comma there has to be another.
    return last === "" ? tags : undefined;
  }

  /** One of the next two tags of the known set, if it comes next; of a changed set most are there. */
  #knownTag(): string | undefined {
    for (const place of [this.#place, this.#place + 1]) {
      const tag = this.#known[place];
      if (tag === undefined || !this.#takeString(tag)) continue;
      this.#place = place + 1;
      return tag;
    }
    return undefined;
  }

  #metadata(): ReadonlyMap<string, string> | undefined {
    const metadata = new Map<string, string>();
    let last: string | undefined;
    while (this.#text.charCodeAt(this.at) === QUOTE) {
      const key = this.#string();
      if (key === undefined || (last !== undefined && compareUtf8(last, key) >= 0)) {
        return undefined;
      }
      if (this.#text.charCodeAt(this.at) !== COLON) return undefined;
      this.at += 1;
      const value = this.#text.charCodeAt(this.at) === QUOTE ? this.#string() : undefined;
      if (value === undefined) return undefined;
      metadata.set(key, value);
      last = key;
      const next = this.#text.charCodeAt(this.at);
      this.at += 1;
      if (next === BRACE) return metadata;
      if (next !== COMMA) return undefined;
    }
    if (last !== undefined || this.#text.charCodeAt(this.at) !== BRACE) return undefined;
    this.at += 1;
    return metadata;
  }

  #back(start: number): false {
    this.at = start;
    return false;
  }

  #take(unit: number): boolean {
    if (this.#text.charCodeAt(this.at) !== unit) return false;
    this.at += 1;
    return true;
  }

  #takeString(content: string): boolean {
    const end = this.at + 1 + content.length;
    if (this.#text.charCodeAt(this.at) !== QUOTE || this.#text.charCodeAt(end) !== QUOTE) {
      return false;
    }
    if (!this.#text.startsWith(content, this.at + 1)) return false;
    this.at = end + 1;
    return true;
  }

  /** The text between quotes, the first of which comes next. */
  #string(): string | undefined {
    const start = this.at + 1;
    const end = this.#text.indexOf('"', start);
    if (end === -1) return undefined;
    this.at = end + 1;
    return this.#text.slice(start, end);
  }
}
