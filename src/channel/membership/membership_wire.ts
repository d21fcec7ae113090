/**
 * Messages of channel membership, subprotocol 0x0A00 (`identity-and-channels.md` 10, feature CH-08).
 *
 * One message beyond the specification: nodes of ours tell each other with `offer` which channels they have
 * just begun to run, because an announcement may be ten seconds away. It goes to nodes only that announce
 * {@linkcode TAG_CHANNELS}; others drop what they do not know, in silence.
 */
import { utf8 } from "../../base/mod.ts";
import { type ChannelId, channelId } from "../channel_id.ts";
import { OFFERED_MAX, QUEUE_GROUP_BYTES_MAX } from "../limits.ts";
import { TOKEN_CHAIN_BYTES_MAX } from "../token/mod.ts";

/** Subprotocol of these messages, and their stream. */
export const SUBPROTOCOL_MEMBERSHIP = 0x0a00;

/** Tag by which a node says that it subscribes anew every minute, and understands offers. */
export const TAG_CHANNELS = "net.channels@1";

/** Why a request was refused; 0 says that it was not. */
export const AckReason = {
  Ok: 0,
  Unauthorized: 1,
  UnknownChannel: 2,
  RateLimited: 3,
  TooManyChannels: 4,
} as const;
/** A value of the table of the same name; peers of later releases may send others. */
export type AckReason = number;

/** A request to get the events of a channel. */
export interface SubscribeMessage {
  readonly kind: "subscribe";
  readonly nonce: bigint;
  readonly channel: ChannelId;
  /** A token chain as it is on the wire; empty for none. */
  readonly chain: Uint8Array;
  /** The queue group to share events with; all events when left out. */
  readonly queueGroup: string | undefined;
}

/** Any message. */
export type MembershipMessage =
  | SubscribeMessage
  | { readonly kind: "unsubscribe"; readonly nonce: bigint; readonly channel: ChannelId }
  | {
    readonly kind: "ack";
    readonly nonce: bigint;
    readonly isAccepted: boolean;
    readonly reason: AckReason;
  }
  /** Canonical hashes of channels, and of prefixes, that the sender runs. */
  | { readonly kind: "offer"; readonly hashes: readonly bigint[] };

/** Why bytes are no message. */
export type MembershipFault = "empty" | "unknown_kind" | "truncated" | "trailing" | "name" | "text";

/** What {@linkcode decodeMembership} found. */
export type DecodedMembership =
  | { readonly ok: true; readonly message: MembershipMessage }
  | { readonly ok: false; readonly fault: MembershipFault };

const SUBSCRIBE = 0;
const UNSUBSCRIBE = 1;
const ACK = 2;
const OFFER = 0x10;
const ACK_BYTES = 11;
const NAME_AT = 10;
const EMPTY = new Uint8Array(0);
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Bytes of a message.
 *
 * @throws RangeError when a part is longer than its length field, or there are too many hashes.
 *
 * @example
 * ```ts
 * import { decodeMembership, encodeMembership } from "./membership_wire.ts";
 * const bytes = encodeMembership({ kind: "ack", nonce: 4n, isAccepted: true, reason: 0 });
 * console.assert(bytes.toHex() === "0204000000000000000100");
 * console.assert(decodeMembership(bytes).ok);
 * ```
 */
export function encodeMembership(message: MembershipMessage): Uint8Array<ArrayBuffer> {
  switch (message.kind) {
    case "subscribe":
      return encodeSubscribe(message);
    case "unsubscribe": {
      const name = utf8(message.channel.name);
      const { bytes } = begin(UNSUBSCRIBE, message.nonce, NAME_AT + name.length);
      bytes[NAME_AT - 1] = name.length;
      bytes.set(name, NAME_AT);
      return bytes;
    }
    case "ack": {
      const { bytes } = begin(ACK, message.nonce, ACK_BYTES);
      bytes[9] = message.isAccepted ? 1 : 0;
      bytes[10] = message.reason;
      return bytes;
    }
    case "offer":
      return encodeOffer(message.hashes);
  }
}

/** Reads a message; never throws. What it holds is copied. */
export function decodeMembership(bytes: Uint8Array): DecodedMembership {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (bytes[0]) {
    case undefined:
      return fault("empty");
    case SUBSCRIBE:
    case UNSUBSCRIBE:
      return decodeRequest(bytes, view);
    case ACK:
      return decodeAck(view);
    case OFFER:
      return decodeOffer(view);
    default:
      return fault("unknown_kind");
  }
}

function encodeSubscribe(message: SubscribeMessage): Uint8Array<ArrayBuffer> {
  const name = utf8(message.channel.name);
  const { chain, queueGroup } = message;
  const group = queueGroup === undefined ? EMPTY : utf8(queueGroup);
  if (chain.length > TOKEN_CHAIN_BYTES_MAX) {
    throw new RangeError(
      `Cannot subscribe: the chain has ${chain.length} bytes, must be at most ` +
        `${TOKEN_CHAIN_BYTES_MAX}`,
    );
  }
  if (queueGroup !== undefined && (group.length < 1 || group.length > QUEUE_GROUP_BYTES_MAX)) {
    throw new RangeError(
      `Cannot subscribe: the queue group has ${group.length} bytes, must be 1 to ` +
        `${QUEUE_GROUP_BYTES_MAX}`,
    );
  }
  const groupBytes = group.length === 0 ? 0 : 1 + group.length;
  const chainAt = NAME_AT + name.length + 2;
  const length = chainAt + chain.length + groupBytes;
  const { bytes, view } = begin(SUBSCRIBE, message.nonce, length);
  bytes[NAME_AT - 1] = name.length;
  bytes.set(name, NAME_AT);
  view.setUint16(chainAt - 2, chain.length, true);
  bytes.set(chain, chainAt);
  if (groupBytes > 0) {
    bytes[chainAt + chain.length] = group.length;
    bytes.set(group, chainAt + chain.length + 1);
  }
  return bytes;
}

function encodeOffer(hashes: readonly bigint[]): Uint8Array<ArrayBuffer> {
  if (hashes.length > OFFERED_MAX) {
    throw new RangeError(
      `Cannot offer ${hashes.length} channels in one message, must be at most ${OFFERED_MAX}`,
    );
  }
  const bytes = new Uint8Array(1 + 8 * hashes.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = OFFER;
  for (const [i, hash] of hashes.entries()) view.setBigUint64(1 + 8 * i, hash, true);
  return bytes;
}

function begin(kind: number, nonce: bigint, length: number) {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = kind;
  view.setBigUint64(1, nonce, true);
  return { bytes, view };
}

function decodeRequest(bytes: Uint8Array, view: DataView): DecodedMembership {
  if (bytes.length < NAME_AT) return fault("truncated");
  const nonce = view.getBigUint64(1, true);
  const nameEnd = NAME_AT + view.getUint8(NAME_AT - 1);
  if (nameEnd > bytes.length) return fault("truncated");
  const name = decodeText(bytes.subarray(NAME_AT, nameEnd));
  const channel = name === undefined ? undefined : channelId(name);
  if (channel === undefined) return fault("name");
  if (bytes[0] === UNSUBSCRIBE) {
    if (nameEnd < bytes.length) return fault("trailing");
    return { ok: true, message: { kind: "unsubscribe", nonce, channel } };
  }
  // Chain and group may be left out, but not broken off.
  if (nameEnd === bytes.length) {
    const message = {
      kind: "subscribe",
      nonce,
      channel,
      chain: EMPTY,
      queueGroup: undefined,
    } as const;
    return { ok: true, message };
  }
  const chainAt = nameEnd + 2;
  if (chainAt > bytes.length) return fault("truncated");
  const chainEnd = chainAt + view.getUint16(nameEnd, true);
  if (chainEnd > bytes.length) return fault("truncated");
  const group = decodeGroup(bytes, chainEnd);
  if (typeof group === "object") return group;
  const chain = bytes.slice(chainAt, chainEnd);
  const queueGroup = group === "" ? undefined : group;
  return { ok: true, message: { kind: "subscribe", nonce, channel, chain, queueGroup } };
}

/** The queue group at the end; the empty text for none. */
function decodeGroup(bytes: Uint8Array, at: number): string | DecodedMembership {
  const length = bytes[at];
  if (length === undefined) return "";
  const end = at + 1 + length;
  if (end > bytes.length) return fault("truncated");
  if (end < bytes.length) return fault("trailing");
  return decodeText(bytes.subarray(at + 1, end)) ?? fault("text");
}

function decodeAck(view: DataView): DecodedMembership {
  if (view.byteLength !== ACK_BYTES) {
    return fault(view.byteLength < ACK_BYTES ? "truncated" : "trailing");
  }
  const accepted = view.getUint8(9);
  if (accepted > 1) return fault("unknown_kind");
  const nonce = view.getBigUint64(1, true);
  const reason = view.getUint8(10);
  return { ok: true, message: { kind: "ack", nonce, isAccepted: accepted === 1, reason } };
}

function decodeOffer(view: DataView): DecodedMembership {
  const bytes = view.byteLength - 1;
  if (bytes % 8 !== 0) return fault("truncated");
  if (bytes / 8 > OFFERED_MAX) return fault("trailing");
  const hashes = Array.from({ length: bytes / 8 }, (_, i) => view.getBigUint64(1 + 8 * i, true));
  return { ok: true, message: { kind: "offer", hashes } };
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined;
  }
}

function fault(kind: MembershipFault): DecodedMembership {
  return { ok: false, fault: kind };
}
