/**
 * Who a node is: ed25519 entity, node id, origin hash, routing id (`wire.md` 1,
 * `identity-and-channels.md` 1).
 *
 * Signing and verifying run synchronously on `node:crypto`. Its verifier is laxer than the reference,
 * so small-order and non-canonical encodings are refused here first. Noise keys are `x25519.ts`.
 */
import { type KeyObject, sign as signMessage, verify as verifyMessage } from "node:crypto";
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

/** Largest issuer generation: an unsigned 32-bit number. */
export const ISSUER_GENERATION_MAX = 0xffff_ffff;

/** Somebody's own identity; the seed itself stays inside. */
export interface Identity {
  /** Ed25519 public key, 32 bytes. */
  readonly entityId: Uint8Array;
  readonly nodeId: bigint;
  readonly originHash: bigint;
  /** Low 32 bits of the node id. */
  readonly routingId: number;
  /** Written into every token it issues; raised to take earlier tokens back. */
  readonly issuerGeneration: number;
  /** False when only the public key is here: it can be named and verified against, not sign. */
  readonly canSign: boolean;
  /**
   * Deterministic ed25519 signature of `message`, 64 bytes.
   *
   * @throws NetError `not_allowed` with the kind `read_only` when the secret key is not here.
   */
  sign(message: Uint8Array): Uint8Array;
  /**
   * The same keys, issuing at another generation.
   *
   * @throws RangeError when it is no unsigned 32-bit number.
   */
  atGeneration(issuerGeneration: number): Identity;
}

/**
 * The identity of an ed25519 seed.
 *
 * @param seed 32 bytes; not kept.
 * @param issuerGeneration Generation of the tokens it issues; 0 when left out.
 * @throws RangeError when the seed is not 32 bytes long or the generation no unsigned 32-bit number.
 *
 * @example
 * ```ts
 * import { createIdentity } from "./identity.ts";
 * console.assert(createIdentity(new Uint8Array(32)).nodeId === 0x2a22743fee3e433dn);
 * ```
 */
export function createIdentity(seed: Uint8Array, issuerGeneration = 0): Identity {
  if (seed.length !== SEED_BYTES) {
    throw new RangeError(`Cannot use seed: length is ${seed.length}, must be ${SEED_BYTES}`);
  }
  const privateKey = importPrivateKey("ed25519", seed);
  const entityId = exportPublicKey("ed25519", privateKey);
  const sign = (message: Uint8Array) => new Uint8Array(signMessage(null, message, privateKey));
  return assembleIdentity(entityId, issuerGeneration, { canSign: true, sign });
}

/**
 * An identity without its secret key, as is left after it moved to another node; it cannot sign.
 *
 * @param entityId 32 bytes, copied.
 * @throws RangeError when it has another length or the generation is no unsigned 32-bit number.
 */
export function createPublicIdentity(entityId: Uint8Array, issuerGeneration = 0): Identity {
  if (entityId.length !== ENTITY_ID_BYTES) {
    throw new RangeError(
      `Cannot use entity id: length is ${entityId.length}, must be ${ENTITY_ID_BYTES}`,
    );
  }
  const sign = () => {
    throw new NetError("not_allowed", "identity: read_only", {
      data: { kind: "read_only" },
      next: "sign where the identity's secret key is kept",
    });
  };
  return assembleIdentity(entityId.slice(), issuerGeneration, { canSign: false, sign });
}

/** True for an unsigned 32-bit number. */
export function isIssuerGeneration(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= ISSUER_GENERATION_MAX;
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

/** A public key made ready to verify with, for signatures that keep coming from one entity. */
export interface SignatureVerifier {
  /** As {@linkcode verifySignature}. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/**
 * Makes a public key ready, which is a fifth of the work of verifying; it takes about 0.6 KB.
 *
 * @returns `undefined` when the bytes are no acceptable key.
 */
export function createSignatureVerifier(entityId: Uint8Array): SignatureVerifier | undefined {
  if (!isValidEntityId(entityId)) return undefined;
  let key: KeyObject;
  try {
    key = importPublicKey("ed25519", entityId);
  } catch {
    // The engine refuses keys that are no curve points by throwing.
    return undefined;
  }
  return {
    verify: (message, signature) => {
      if (signature.length !== SIGNATURE_BYTES || !isReducedScalar(signature.subarray(32))) {
        return false;
      }
      if (!isStrictPoint(signature.subarray(0, 32))) return false;
      try {
        return verifyMessage(null, message, key, signature);
      } catch {
        // Some engines find out only now that the key is no curve point.
        return false;
      }
    },
  };
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
  return createSignatureVerifier(entityId)?.verify(message, signature) ?? false;
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

function assembleIdentity(
  entityId: Uint8Array,
  issuerGeneration: number,
  signer: Pick<Identity, "canSign" | "sign">,
): Identity {
  const nodeId = deriveNodeId(entityId);
  const fixed = {
    entityId,
    nodeId,
    originHash: deriveOriginHash(entityId),
    routingId: deriveRoutingId(nodeId),
    ...signer,
  };
  const at = (generation: number): Identity => {
    if (isIssuerGeneration(generation)) {
      return { ...fixed, issuerGeneration: generation, atGeneration: at };
    }
    throw new RangeError(
      `Cannot use issuer generation: value is ${generation}, must be 0..${ISSUER_GENERATION_MAX}`,
    );
  };
  return at(issuerGeneration);
}

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
