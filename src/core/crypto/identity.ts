/**
 * Who a node is: ed25519 entity, node id, origin hash, routing id (`wire.md` 1,
 * `identity-and-channels.md` 1).
 *
 * Signing and verifying run synchronously on `node:crypto`. Its verifier is laxer than the reference,
 * so small-order and non-canonical encodings are refused here first. Noise keys are `x25519.ts`.
 */
import { sign as signMessage, verify as verifyMessage } from "node:crypto";
import { equalBytes, NetError, type RandomBytes } from "../../base/mod.ts";
import { exportPublicKey, importPrivateKey, importPublicKey, KEY_BYTES } from "./_okp_keys.ts";
import { blake2sKeyed } from "./hashes.ts";

/** Bytes of an ed25519 seed. */
export const SEED_BYTES = KEY_BYTES;
/** Bytes of an entity id, which is an ed25519 public key. */
export const ENTITY_ID_BYTES = KEY_BYTES;
/** Bytes of an ed25519 signature. */
export const SIGNATURE_BYTES = 64;

/** Low 16 bits that make a node's pingwaves look like packets: the packet magic (`wire.md` 2). */
const PACKET_MAGIC = 0x4e45n;
/** One seed in 65,536 is unlucky; 16 in a row mean that `random` is broken. */
const SEED_TRIES_MAX = 16;

/** A node's own identity; the seed itself stays inside. */
export interface Identity {
  /** Ed25519 public key, 32 bytes. */
  readonly entityId: Uint8Array;
  readonly nodeId: bigint;
  readonly originHash: bigint;
  /** Low 32 bits of the node id. */
  readonly routingId: number;
  /** Deterministic ed25519 signature of `message`, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/**
 * The identity of an ed25519 seed.
 *
 * @param seed 32 bytes; not kept.
 * @throws RangeError when it is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { createIdentity } from "./identity.ts";
 * console.assert(createIdentity(new Uint8Array(32)).nodeId === 0x2a22743fee3e433dn);
 * ```
 */
export function createIdentity(seed: Uint8Array): Identity {
  if (seed.length !== SEED_BYTES) {
    throw new RangeError(`Cannot use seed: length is ${seed.length}, must be ${SEED_BYTES}`);
  }
  const privateKey = importPrivateKey("ed25519", seed);
  const entityId = exportPublicKey("ed25519", privateKey);
  const nodeId = deriveNodeId(entityId);
  return {
    entityId,
    nodeId,
    originHash: deriveOriginHash(entityId),
    routingId: deriveRoutingId(nodeId),
    sign: (message) => new Uint8Array(signMessage(null, message, privateKey)),
  };
}

/**
 * A fresh seed whose node id does not collide with the packet magic.
 *
 * @throws NetError `internal` when `random` keeps giving unusable seeds.
 */
export function generateSeed(random: RandomBytes): Uint8Array {
  for (let tries = 0; tries < SEED_TRIES_MAX; tries++) {
    const seed = random(SEED_BYTES);
    if (hasRecognisablePingwaves(createIdentity(seed).nodeId)) return seed;
  }
  throw new NetError("internal", "Cannot make an identity: the random source repeats itself");
}

/** False for the one node id in 65,536 whose pingwaves every receiver takes for packets (`wire.md` 2). */
export function hasRecognisablePingwaves(nodeId: bigint): boolean {
  return (nodeId & 0xffffn) !== PACKET_MAGIC;
}

/** Node id of an entity id. */
export function deriveNodeId(entityId: Uint8Array): bigint {
  return first64(blake2sKeyed("net-node-id-v1", entityId));
}

/** Origin hash of an entity id. */
export function deriveOriginHash(entityId: Uint8Array): bigint {
  return first64(blake2sKeyed("net-origin-v1", entityId));
}

/** Routing id of a node id: its low 32 bits. */
export function deriveRoutingId(nodeId: bigint): number {
  return Number(nodeId & 0xffff_ffffn);
}

/**
 * Verifies strictly: canonical encodings only, no small-order key or R, S below the group order.
 *
 * @returns False for anything that is not a good signature, wrong lengths included; never throws.
 */
export function verifySignature(
  entityId: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES || !isValidEntityId(entityId)) return false;
  if (!isStrictPoint(signature.subarray(0, 32)) || !isReducedScalar(signature.subarray(32))) {
    return false;
  }
  try {
    return verifyMessage(null, message, importPublicKey("ed25519", entityId), signature);
  } catch {
    // The engine refuses keys that are no curve points by throwing.
    return false;
  }
}

/**
 * True when the bytes are a canonical ed25519 public key that is not of small order. Whether they are a
 * point of the curve at all shows only when a signature is verified.
 */
export function isValidEntityId(entityId: Uint8Array): boolean {
  return entityId.length === ENTITY_ID_BYTES && isStrictPoint(entityId);
}

/** Field prime 2^255 - 19 and group order 2^252 + 2774…8493, little-endian. */
const FIELD_PRIME = Uint8Array.fromHex(
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
);
const GROUP_ORDER = Uint8Array.fromHex(
  "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
);

/** The y coordinates of the eight points whose order divides 8; each but the first two has two signs. */
const SMALL_ORDER_Y = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map((hex) => Uint8Array.fromHex(hex));

function isStrictPoint(encoded: Uint8Array): boolean {
  const y = encoded.slice();
  // The top bit is the sign of x; the one other non-canonical form, x = 0 with a sign, has small order.
  y[31] = (y[31] ?? 0) & 0x7f;
  return isBelow(y, FIELD_PRIME) && !SMALL_ORDER_Y.some((small) => equalBytes(small, y));
}

function isReducedScalar(scalar: Uint8Array): boolean {
  return isBelow(scalar, GROUP_ORDER);
}

/** Compares two little-endian numbers of 32 public bytes. */
function isBelow(left: Uint8Array, right: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function first64(digest: Uint8Array): bigint {
  return new DataView(digest.buffer, digest.byteOffset, 8).getBigUint64(0, true);
}
