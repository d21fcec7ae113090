/**
 * What kind of datagram arrived, by its length and first two bytes (`wire.md` 2).
 *
 * One socket carries everything, and pingwaves have no magic of their own, so the order of the rules
 * matters. Nothing behind the first two bytes is looked at.
 */

import { SEALED_DATAGRAM_MAGIC } from "../../crypto/mod.ts";
import { HEADER_BYTES, PACKET_MAGIC } from "./header.ts";
import { PINGWAVE_BYTES } from "./pingwave.ts";
import { ROUTE_HOP_MAGIC } from "./route_hop.ts";
import { ROUTING_HEADER_BYTES, ROUTING_MAGIC } from "./routing_header.ts";

/** First two bytes of a hole-punch keep-alive, "PH" on the wire, as a little-endian number. */
export const KEEP_ALIVE_MAGIC = 0x4850;
/** Exact size of a hole-punch keep-alive. */
export const KEEP_ALIVE_BYTES = 14;

/** Classes of datagrams; `Unknown` ones are dropped. */
export const DatagramClass = {
  Unknown: 0,
  KeepAlive: 1,
  Pingwave: 2,
  RouteHop: 3,
  Routed: 4,
  Direct: 5,
  /** The sealing's own datagrams (`sealed.md` 5); unknown to the Rust core. */
  Sealed: 6,
} as const;
/** A value of the table of the same name. */
export type DatagramClass = (typeof DatagramClass)[keyof typeof DatagramClass];

/**
 * Classifies a datagram.
 *
 * @param at Start of the datagram in `view`.
 * @param length Bytes of the datagram.
 *
 * @example
 * ```ts
 * import { classifyDatagram, DatagramClass } from "./classify.ts";
 * const view = new DataView(Uint8Array.of(0x45, 0x4e, 1).buffer);
 * console.assert(classifyDatagram(view, 0, 3) === DatagramClass.Direct);
 * ```
 */
export function classifyDatagram(view: DataView, at: number, length: number): DatagramClass {
  if (length < 2) return DatagramClass.Unknown;
  const magic = view.getUint16(at, true);
  if (length === KEEP_ALIVE_BYTES && magic === KEEP_ALIVE_MAGIC) return DatagramClass.KeepAlive;
  if (length === PINGWAVE_BYTES && magic !== PACKET_MAGIC) return DatagramClass.Pingwave;
  if (magic === ROUTE_HOP_MAGIC) return DatagramClass.RouteHop;
  if (magic === ROUTING_MAGIC && length >= ROUTING_HEADER_BYTES + HEADER_BYTES) {
    return DatagramClass.Routed;
  }
  if (magic === SEALED_DATAGRAM_MAGIC) return DatagramClass.Sealed;
  return magic === PACKET_MAGIC ? DatagramClass.Direct : DatagramClass.Unknown;
}
