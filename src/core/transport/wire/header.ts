/**
 * The 68-byte packet header (`wire.md` 3): reading, writing, validation, authenticated data.
 *
 * Everything but {@linkcode headerAad} works in place and allocates nothing. Opening the packet and
 * finding its session happen elsewhere.
 */

/** Bytes of the header. */
export const HEADER_BYTES = 68;
/** Bytes of the authentication tag behind the payload. */
export const TAG_BYTES = 16;
/** Largest datagram: 68 + 8108 + 16. */
export const MAX_DATAGRAM = 8192;
/** Largest plaintext of a packet in bytes. */
export const MAX_PAYLOAD = 8108;
/** Most event frames in a packet: 8108 / 4. */
export const MAX_EVENTS = 2027;
/** Largest single event in bytes: the payload without one frame prefix of 4. */
export const MAX_EVENT_BYTES = 8104;
/** Exact size of a heartbeat: header and tag. */
export const HEARTBEAT_BYTES = 84;
/** Bytes of the header that the tag covers: all but hop_count, which counts as 0, and the nonce. */
export const AAD_BYTES = 56;

/** First two bytes of a packet, "EN" on the wire, as a little-endian number. */
export const PACKET_MAGIC = 0x4e45;
/** The one version there is. */
export const PACKET_VERSION = 1;

/** Flag: lost packets of the stream are sent again. */
export const FLAG_RELIABLE = 0x01;
// 0x02 (NACK), 0x04 (priority) and 0x08 (end) are defined, and set by nobody.
/** Flag: the payload is a Noise message in the clear. */
export const FLAG_HANDSHAKE = 0x10;
/** Flag: a heartbeat. */
export const FLAG_HEARTBEAT = 0x20;

const HOP_COUNT_AT = 6;
const NONCE_AT = 12;
const NONCE_END = 24;

/** The fields of a header; 64-bit ones are two unsigned halves. One object is reused for all packets. */
export class PacketHeader {
  flags = 0;
  priority = 0;
  hopTtl = 0;
  hopCount = 0;
  fragFlags = 0;
  /** 0 is the event plane. */
  subprotocol = 0;
  /** Low 16 bits of a channel's hash; a hint that must not be relied on (`wire.md` 3.3). */
  channelHash = 0;
  /** Nonce bytes 0..4, little-endian; receivers compute it themselves (`wire.md` 5). */
  noncePrefix = 0;
  counterLow = 0;
  counterHigh = 0;
  sessionLow = 0;
  sessionHigh = 0;
  streamLow = 0;
  streamHigh = 0;
  /** Number of the packet in its stream. */
  sequenceLow = 0;
  sequenceHigh = 0;
  originLow = 0;
  originHigh = 0;
  subnetId = 0;
  fragmentId = 0;
  fragmentOffset = 0;
  /** Bytes of plaintext, without header and tag. */
  payloadLength = 0;
  eventCount = 0;
}

/** Why a packet is dropped unread; `None` is 0 and means that it is not. */
export const PacketReject = {
  None: 0,
  TooShort: 1,
  BadMagic: 2,
  BadVersion: 3,
  PayloadTooLong: 4,
  TooManyEvents: 5,
  LengthMismatch: 6,
} as const;
/** A value of the table of the same name. */
export type PacketReject = (typeof PacketReject)[keyof typeof PacketReject];

/**
 * Checks the header alone: length, magic, version, declared sizes.
 *
 * @param at Start of the packet in `view`.
 * @param length Bytes of the packet.
 */
export function validateHeader(view: DataView, at: number, length: number): PacketReject {
  if (length < HEADER_BYTES) return PacketReject.TooShort;
  if (view.getUint16(at, true) !== PACKET_MAGIC) return PacketReject.BadMagic;
  if (view.getUint8(at + 2) !== PACKET_VERSION) return PacketReject.BadVersion;
  if (view.getUint16(at + 64, true) > MAX_PAYLOAD) return PacketReject.PayloadTooLong;
  if (view.getUint16(at + 66, true) > MAX_EVENTS) return PacketReject.TooManyEvents;
  return PacketReject.None;
}

/**
 * Checks a whole packet (`wire.md` 3.1): the header, and that the datagram has the length it declares.
 *
 * A handshake may be followed by other bytes but must hold its own message; a heartbeat has 84 bytes.
 *
 * @param at Start of the packet in `view`.
 * @param length Bytes of the packet.
 *
 * @example
 * ```ts
 * import { PacketHeader, PacketReject, validatePacket, writeHeader } from "./header.ts";
 * const view = new DataView(new ArrayBuffer(84));
 * writeHeader(view, 0, new PacketHeader());
 * console.assert(validatePacket(view, 0, 84) === PacketReject.None);
 * console.assert(validatePacket(view, 0, 83) === PacketReject.LengthMismatch);
 * ```
 */
export function validatePacket(view: DataView, at: number, length: number): PacketReject {
  const reject = validateHeader(view, at, length);
  if (reject !== PacketReject.None) return reject;
  const flags = view.getUint8(at + 3);
  const end = HEADER_BYTES + view.getUint16(at + 64, true);
  if ((flags & FLAG_HANDSHAKE) !== 0) {
    return length >= end ? PacketReject.None : PacketReject.LengthMismatch;
  }
  if ((flags & FLAG_HEARTBEAT) !== 0 && length !== HEARTBEAT_BYTES) {
    return PacketReject.LengthMismatch;
  }
  return length === end + TAG_BYTES ? PacketReject.None : PacketReject.LengthMismatch;
}

/**
 * Reads all fields of a validated header.
 *
 * @param at Start of the packet in `view`.
 * @param into Overwritten.
 */
export function readHeader(view: DataView, at: number, into: PacketHeader): void {
  into.flags = view.getUint8(at + 3);
  into.priority = view.getUint8(at + 4);
  into.hopTtl = view.getUint8(at + 5);
  into.hopCount = view.getUint8(at + HOP_COUNT_AT);
  into.fragFlags = view.getUint8(at + 7);
  into.subprotocol = view.getUint16(at + 8, true);
  into.channelHash = view.getUint16(at + 10, true);
  into.noncePrefix = view.getUint32(at + NONCE_AT, true);
  into.counterLow = view.getUint32(at + 16, true);
  into.counterHigh = view.getUint32(at + 20, true);
  into.sessionLow = view.getUint32(at + 24, true);
  into.sessionHigh = view.getUint32(at + 28, true);
  into.streamLow = view.getUint32(at + 32, true);
  into.streamHigh = view.getUint32(at + 36, true);
  into.sequenceLow = view.getUint32(at + 40, true);
  into.sequenceHigh = view.getUint32(at + 44, true);
  into.originLow = view.getUint32(at + 48, true);
  into.originHigh = view.getUint32(at + 52, true);
  into.subnetId = view.getUint32(at + 56, true);
  into.fragmentId = view.getUint16(at + 60, true);
  into.fragmentOffset = view.getUint16(at + 62, true);
  into.payloadLength = view.getUint16(at + 64, true);
  into.eventCount = view.getUint16(at + 66, true);
}

/**
 * Writes all 68 bytes, magic and version included; values are cut to their fields.
 *
 * @param at Where the packet starts in `view`.
 */
export function writeHeader(view: DataView, at: number, header: PacketHeader): void {
  view.setUint16(at, PACKET_MAGIC, true);
  view.setUint8(at + 2, PACKET_VERSION);
  view.setUint8(at + 3, header.flags);
  view.setUint8(at + 4, header.priority);
  view.setUint8(at + 5, header.hopTtl);
  view.setUint8(at + HOP_COUNT_AT, header.hopCount);
  view.setUint8(at + 7, header.fragFlags);
  view.setUint16(at + 8, header.subprotocol, true);
  view.setUint16(at + 10, header.channelHash, true);
  view.setUint32(at + NONCE_AT, header.noncePrefix, true);
  view.setUint32(at + 16, header.counterLow, true);
  view.setUint32(at + 20, header.counterHigh, true);
  view.setUint32(at + 24, header.sessionLow, true);
  view.setUint32(at + 28, header.sessionHigh, true);
  view.setUint32(at + 32, header.streamLow, true);
  view.setUint32(at + 36, header.streamHigh, true);
  view.setUint32(at + 40, header.sequenceLow, true);
  view.setUint32(at + 44, header.sequenceHigh, true);
  view.setUint32(at + 48, header.originLow, true);
  view.setUint32(at + 52, header.originHigh, true);
  view.setUint32(at + 56, header.subnetId, true);
  view.setUint16(at + 60, header.fragmentId, true);
  view.setUint16(at + 62, header.fragmentOffset, true);
  view.setUint16(at + 64, header.payloadLength, true);
  view.setUint16(at + 66, header.eventCount, true);
}

/**
 * The bytes the tag covers beside the payload (`wire.md` 5), in a new array; the packet cipher builds
 * them on its own, this is the reference it is compared with.
 *
 * @param at Start of the packet in `bytes`.
 * @throws RangeError when fewer than 68 bytes are left.
 */
export function headerAad(bytes: Uint8Array, at = 0): Uint8Array<ArrayBuffer> {
  if (bytes.length - at < HEADER_BYTES) {
    throw new RangeError(`Cannot read header: length is ${bytes.length - at}, must be 68 or more`);
  }
  const aad = new Uint8Array(AAD_BYTES);
  aad.set(bytes.subarray(at, at + NONCE_AT));
  aad.set(bytes.subarray(at + NONCE_END, at + HEADER_BYTES), NONCE_AT);
  aad[HOP_COUNT_AT] = 0;
  return aad;
}
