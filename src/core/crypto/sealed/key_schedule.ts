/**
 * The key schedule of sealed sessions: chain keys, packet keys, route-hop keys (`sealed.md` 2).
 *
 * Everything starts from Noise's Split(), so unlike compat keys none of it can be computed from the
 * mesh secret and a capture. When to move along the chain is decided in `epoch_keys.ts`.
 */
import { concatBytes, joinHalves, utf8 } from "../../../base/mod.ts";
import { BLAKE2S_BYTES, blake2sKeyed } from "../hashes.ts";

const CHAIN_LABEL = utf8("net-sealed-chain-v1");
const PACKET_LABEL = utf8("net-sealed-packet-v1");
const NEXT_LABEL = utf8("net-sealed-next-v1");
const ROUTE_HOP_LABEL = utf8("net-sealed-route-hop-v1");

/** The public names of a sealed session. */
export interface SealedSessionId {
  readonly sessionId: bigint;
  readonly sessionIdLow: number;
  readonly sessionIdHigh: number;
  /** First four nonce bytes as an unsigned 32-bit number, written little-endian (`wire.md` 5). */
  readonly noncePrefix: number;
}

/**
 * Session id and nonce prefix, which are those of compat; compat's keys are not computed.
 *
 * @param handshakeHash Final transcript hash, 32 bytes.
 * @throws RangeError when it is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { deriveSealedSessionId } from "./key_schedule.ts";
 * console.assert(deriveSealedSessionId(new Uint8Array(32).fill(1)).noncePrefix === 0);
 * ```
 */
export function deriveSealedSessionId(handshakeHash: Uint8Array): SealedSessionId {
  requireBytes("handshake hash", handshakeHash);
  const view = new DataView(handshakeHash.buffer, handshakeHash.byteOffset, BLAKE2S_BYTES);
  const sessionIdLow = view.getUint32(0, true);
  const sessionIdHigh = view.getUint32(4, true);
  return {
    sessionId: joinHalves(sessionIdLow, sessionIdHigh),
    sessionIdLow,
    sessionIdHigh,
    noncePrefix: (sessionIdLow ^ sessionIdHigh) >>> 0,
  };
}

/**
 * Chain key of epoch 0 of one direction, 32 bytes.
 *
 * @param splitKey The direction's key from Split(), 32 bytes; the caller overwrites it.
 * @param handshakeHash Final transcript hash, 32 bytes.
 * @throws RangeError when an argument is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { deriveChainKey, derivePacketKey } from "./key_schedule.ts";
 * const chain = deriveChainKey(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2));
 * console.assert(derivePacketKey(chain).length === 32);
 * ```
 */
export function deriveChainKey(splitKey: Uint8Array, handshakeHash: Uint8Array): Uint8Array {
  requireBytes("Split() key", splitKey);
  requireBytes("handshake hash", handshakeHash);
  return blake2sKeyed(splitKey, concatBytes(CHAIN_LABEL, handshakeHash));
}

/**
 * Chain key of the epoch after the one of `chainKey`, 32 bytes.
 *
 * @throws RangeError when the chain key is not 32 bytes long.
 */
export function deriveNextChainKey(chainKey: Uint8Array): Uint8Array {
  requireBytes("chain key", chainKey);
  return blake2sKeyed(chainKey, NEXT_LABEL);
}

/**
 * Packet key of the epoch of `chainKey`, 32 bytes.
 *
 * @throws RangeError when the chain key is not 32 bytes long.
 */
export function derivePacketKey(chainKey: Uint8Array): Uint8Array {
  requireBytes("chain key", chainKey);
  return blake2sKeyed(chainKey, PACKET_LABEL);
}

/**
 * Route-hop key of one direction (`wire.md` 9.5), 32 bytes; it lives as long as the session.
 *
 * @param chainKey Chain key of epoch 0.
 * @throws RangeError when the chain key is not 32 bytes long.
 */
export function deriveRouteHopKey(chainKey: Uint8Array): Uint8Array {
  requireBytes("chain key", chainKey);
  return blake2sKeyed(chainKey, ROUTE_HOP_LABEL);
}

function requireBytes(what: string, bytes: Uint8Array): void {
  if (bytes.length === BLAKE2S_BYTES) return;
  throw new RangeError(
    `Cannot derive sealed keys: ${what} has ${bytes.length} bytes, must be ${BLAKE2S_BYTES}`,
  );
}
