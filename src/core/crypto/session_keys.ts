/**
 * Session id and keys from the handshake hash (`wire.md` 4.3).
 *
 * Kept as the reference has it: whoever holds the mesh secret and records both handshake messages can
 * compute all of this, so nothing more may be derived from the hash or promised about these keys.
 */
import { joinHalves, utf8 } from "../../base/mod.ts";
import { BLAKE2S_BYTES, blake2sKeyed } from "./hashes.ts";

/** Which side of the handshake we were. */
export type SessionRole = "initiator" | "responder";

/** All secrets of one compat session, seen from one side. */
export interface SessionKeys {
  readonly sessionId: bigint;
  readonly sessionIdLow: number;
  readonly sessionIdHigh: number;
  /** First four nonce bytes as an unsigned 32-bit number, written little-endian (`wire.md` 5). */
  readonly noncePrefix: number;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly routeHopSendKey: Uint8Array;
  readonly routeHopReceiveKey: Uint8Array;
}

const ROOT_LABEL = utf8("net-kdf-v1");
const PACKET_LABELS = { initiator: "initiator-tx", responder: "initiator-rx" } as const;
const ROUTE_HOP_LABELS = { initiator: "route-hop-tx-v1", responder: "route-hop-rx-v1" } as const;

/**
 * Derives the session's id and keys.
 *
 * @param handshakeHash Final transcript hash, 32 bytes.
 * @throws RangeError when it is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { deriveSessionKeys } from "./session_keys.ts";
 * const hash = new Uint8Array(32);
 * const left = deriveSessionKeys(hash, "initiator");
 * console.assert(left.sendKey.toHex() === deriveSessionKeys(hash, "responder").receiveKey.toHex());
 * ```
 */
export function deriveSessionKeys(handshakeHash: Uint8Array, role: SessionRole): SessionKeys {
  if (handshakeHash.length !== BLAKE2S_BYTES) {
    throw new RangeError(
      `Cannot derive session keys: hash length is ${handshakeHash.length}, must be ${BLAKE2S_BYTES}`,
    );
  }
  const view = new DataView(handshakeHash.buffer, handshakeHash.byteOffset, BLAKE2S_BYTES);
  const sessionIdLow = view.getUint32(0, true);
  const sessionIdHigh = view.getUint32(4, true);
  const root = blake2sKeyed(handshakeHash, ROOT_LABEL);
  const derive = (label: string) => blake2sKeyed(root, utf8(label));
  // Labels name the direction from the initiator's side: what it sends is what the other receives.
  const other = role === "initiator" ? "responder" : "initiator";
  return {
    sessionId: joinHalves(sessionIdLow, sessionIdHigh),
    sessionIdLow,
    sessionIdHigh,
    noncePrefix: (sessionIdLow ^ sessionIdHigh) >>> 0,
    sendKey: derive(PACKET_LABELS[role]),
    receiveKey: derive(PACKET_LABELS[other]),
    routeHopSendKey: derive(ROUTE_HOP_LABELS[role]),
    routeHopReceiveKey: derive(ROUTE_HOP_LABELS[other]),
  };
}
