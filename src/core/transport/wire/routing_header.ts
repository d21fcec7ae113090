/**
 * The 18-byte routing header in front of a relayed packet (`wire.md` 9.1 to 9.3).
 *
 * It is not authenticated: whoever relays can change it. Which next hop to take is decided elsewhere.
 */
import { MAX_PAYLOAD } from "./header.ts";

/** Bytes of the routing header. */
export const ROUTING_HEADER_BYTES = 18;
/**
 * Largest plaintext behind a routing header: the Rust core, as a relay and at the end of one, takes no
 * datagram of more than 8192 bytes, the routing header included.
 */
export const MAX_RELAYED_PAYLOAD = MAX_PAYLOAD - ROUTING_HEADER_BYTES;
/** First two bytes, "RT" on the wire, as a little-endian number. */
export const ROUTING_MAGIC = 0x5452;

/** Flags: 0x01 control, 0x02 wants an acknowledgement, 0x04 priority, 0x08 end; carried, never acted on. */
const FLAGS_MASK = 0x0f;
const TTL_AT = 2;
const HOP_COUNT_AT = 3;
const FLAGS_AT = 4;

/** The fields of a routing header. One object is reused for all packets. */
export class RoutingHeader {
  ttl = 0;
  hopCount = 0;
  /** Low nibble only. */
  flags = 0;
  /** Carried through by relays. */
  reserved = 0;
  /** Routing id of the sender, as it claims. */
  source = 0;
  /** Node id of the destination as two unsigned halves. */
  destinationLow = 0;
  destinationHigh = 0;
}

/**
 * Reads a routing header whose magic was checked by classification.
 *
 * @param at Start of the header in `view`.
 * @param into Overwritten.
 */
export function readRoutingHeader(view: DataView, at: number, into: RoutingHeader): void {
  into.ttl = view.getUint8(at + TTL_AT);
  into.hopCount = view.getUint8(at + HOP_COUNT_AT);
  into.flags = view.getUint8(at + FLAGS_AT) & FLAGS_MASK;
  into.reserved = view.getUint8(at + 5);
  into.source = view.getUint32(at + 6, true);
  into.destinationLow = view.getUint32(at + 10, true);
  into.destinationHigh = view.getUint32(at + 14, true);
}

/**
 * Writes all 18 bytes, magic included.
 *
 * @param at Where the header starts in `view`.
 */
export function writeRoutingHeader(
  view: DataView,
  at: number,
  header: Readonly<RoutingHeader>,
): void {
  view.setUint16(at, ROUTING_MAGIC, true);
  view.setUint8(at + TTL_AT, header.ttl);
  view.setUint8(at + HOP_COUNT_AT, header.hopCount);
  view.setUint8(at + FLAGS_AT, header.flags & FLAGS_MASK);
  view.setUint8(at + 5, header.reserved);
  view.setUint32(at + 6, header.source, true);
  view.setUint32(at + 10, header.destinationLow, true);
  view.setUint32(at + 14, header.destinationHigh, true);
}

/**
 * Does to the header, in place, what a relay does before it passes the packet on.
 *
 * @param at Start of the header in `bytes`.
 * @returns False when the time-to-live is used up: nothing was changed, the packet is to be dropped.
 *
 * @example
 * ```ts
 * import { forwardRoutingHeader } from "./routing_header.ts";
 * const bytes = Uint8Array.fromHex("525401038f5aefbeaddeb0da964c15cb64db");
 * console.assert(forwardRoutingHeader(bytes, 0));
 * console.assert(bytes.toHex() === "525400040f5aefbeaddeb0da964c15cb64db");
 * ```
 */
export function forwardRoutingHeader(bytes: Uint8Array, at: number): boolean {
  const ttl = bytes[at + TTL_AT] ?? 0;
  if (ttl === 0) return false;
  bytes[at + TTL_AT] = ttl - 1;
  bytes[at + HOP_COUNT_AT] = Math.min((bytes[at + HOP_COUNT_AT] ?? 0) + 1, 255);
  bytes[at + FLAGS_AT] = (bytes[at + FLAGS_AT] ?? 0) & FLAGS_MASK;
  return true;
}
