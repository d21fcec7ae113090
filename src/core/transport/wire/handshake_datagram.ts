/** A handshake message as the datagram it travels in (`wire.md` 4.2, 4.5). */
import { FLAG_HANDSHAKE, HEADER_BYTES, PacketHeader, writeHeader } from "./header.ts";
import { HANDSHAKE_TTL } from "../limits.ts";
import type { PacketRoute } from "../packet_sender.ts";
import { ROUTING_HEADER_BYTES, writeRoutingHeader } from "./routing_header.ts";

/**
 * Bytes of the datagram that carries a handshake message.
 *
 * @param messageBytes Bytes of the Noise message.
 * @param isRouted Behind a routing header.
 */
export function handshakeDatagramBytes(messageBytes: number, isRouted: boolean): number {
  return (isRouted ? ROUTING_HEADER_BYTES : 0) + HEADER_BYTES + messageBytes;
}

/**
 * Builds the datagram: an empty header in front of the message, and the routing header if it has one.
 *
 * @param source Routing id of this node.
 * @param relayTo The node it is for, when the routed form is used.
 */
export function encodeHandshakeDatagram(
  message: Uint8Array,
  source: number,
  relayTo: PacketRoute["relayTo"],
): Uint8Array<ArrayBuffer> {
  const isRouted = relayTo !== undefined;
  const bytes = new Uint8Array(handshakeDatagramBytes(message.length, isRouted));
  const view = new DataView(bytes.buffer);
  if (isRouted) {
    writeRoutingHeader(view, 0, {
      ttl: HANDSHAKE_TTL,
      hopCount: 0,
      flags: 0,
      reserved: 0,
      source,
      destinationLow: relayTo.low,
      destinationHigh: relayTo.high,
    });
  }
  const packetAt = bytes.length - message.length - HEADER_BYTES;
  const header = new PacketHeader();
  header.flags = FLAG_HANDSHAKE;
  header.payloadLength = message.length;
  writeHeader(view, packetAt, header);
  bytes.set(message, packetAt + HEADER_BYTES);
  return bytes;
}
