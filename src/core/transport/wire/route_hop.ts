/**
 * The authenticated envelope between gateways of protected subnets (`wire.md` 9.5).
 *
 * It authenticates one hop and hides nothing. The window over hop sequences belongs to whoever keeps
 * the hop's session.
 */

import { concatBytes, equalBytesConstantTime, utf8 } from "../../../base/mod.ts";
import { blake2sKeyed } from "../../crypto/mod.ts";
import { ROUTING_HEADER_BYTES } from "./routing_header.ts";

/** First two bytes of an envelope as a little-endian number. */
export const ROUTE_HOP_MAGIC = 0x5248;
/** Bytes of the tag at the end. */
export const ROUTE_HOP_TAG_BYTES = 16;

/** Magic, hop session id, hop sequence. */
const ENVELOPE_HEADER_BYTES = 18;
/** Shortest envelope: nothing behind the routing header. */
const ENVELOPE_BYTES_MIN = ENVELOPE_HEADER_BYTES + ROUTING_HEADER_BYTES + ROUTE_HOP_TAG_BYTES;
const TAG_LABEL = utf8("net.subnet.route-hop.v1");

/** What an envelope carries. */
export interface RouteHop {
  readonly hopSessionId: bigint;
  /** Counts per session from 0. */
  readonly hopSequence: bigint;
  /** Routing header and inner packet, unchanged. */
  readonly routed: Uint8Array;
}

/**
 * Wraps a routed packet for the next gateway.
 *
 * @param key The session's route-hop send key, 32 bytes.
 * @throws RangeError when `routed` is shorter than a routing header or the key is not usable.
 */
export function encodeRouteHop(key: Uint8Array, hop: RouteHop): Uint8Array<ArrayBuffer> {
  const { routed } = hop;
  if (routed.length < ROUTING_HEADER_BYTES) {
    throw new RangeError(
      `Cannot wrap routed packet: length is ${routed.length}, must be ${ROUTING_HEADER_BYTES} or more`,
    );
  }
  const end = ENVELOPE_HEADER_BYTES + routed.length;
  const envelope = new Uint8Array(end + ROUTE_HOP_TAG_BYTES);
  const view = new DataView(envelope.buffer);
  view.setUint16(0, ROUTE_HOP_MAGIC, true);
  view.setBigUint64(2, hop.hopSessionId, true);
  view.setBigUint64(10, hop.hopSequence, true);
  envelope.set(routed, ENVELOPE_HEADER_BYTES);
  envelope.set(computeTag(key, envelope.subarray(2, end)), end);
  return envelope;
}

/**
 * The hop session id of an envelope, to find its key with; `undefined` when it is malformed. Nothing
 * is authenticated yet.
 */
export function peekRouteHopSession(envelope: Uint8Array): bigint | undefined {
  if (envelope.length < ENVELOPE_BYTES_MIN) return undefined;
  const view = new DataView(envelope.buffer, envelope.byteOffset, ENVELOPE_HEADER_BYTES);
  return view.getUint16(0, true) === ROUTE_HOP_MAGIC ? view.getBigUint64(2, true) : undefined;
}

/**
 * Verifies and unwraps an envelope.
 *
 * @param key The session's route-hop receive key, 32 bytes.
 * @returns `undefined` when it is malformed or not authentic; `routed` is a view into `envelope`.
 */
export function openRouteHop(key: Uint8Array, envelope: Uint8Array): RouteHop | undefined {
  const hopSessionId = peekRouteHopSession(envelope);
  if (hopSessionId === undefined) return undefined;
  const end = envelope.length - ROUTE_HOP_TAG_BYTES;
  const tag = computeTag(key, envelope.subarray(2, end));
  if (!equalBytesConstantTime(tag, envelope.subarray(end))) return undefined;
  const view = new DataView(envelope.buffer, envelope.byteOffset, ENVELOPE_HEADER_BYTES);
  return {
    hopSessionId,
    hopSequence: view.getBigUint64(10, true),
    routed: envelope.subarray(ENVELOPE_HEADER_BYTES, end),
  };
}

function computeTag(key: Uint8Array, covered: Uint8Array): Uint8Array {
  return blake2sKeyed(key, concatBytes(TAG_LABEL, covered)).subarray(0, ROUTE_HOP_TAG_BYTES);
}
