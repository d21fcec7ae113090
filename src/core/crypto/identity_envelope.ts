/**
 * An identity's seed on its way to another node: sealed to that node's X25519 key and signed by the
 * identity itself (`identity-and-channels.md` 2).
 *
 * The causal link says which step of the identity's history the move belongs to; its bytes are opaque
 * here and travel beside the envelope.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { concatBytes, equalBytes } from "../../base/mod.ts";
import { blake2sKeyed } from "./hashes.ts";
import {
  createIdentity,
  ENTITY_ID_BYTES,
  SEED_BYTES,
  SIGNATURE_BYTES,
  verifySignature,
} from "./identity.ts";
import { createNoiseKeyPair, type NoiseKeyPair } from "./x25519.ts";

/** First byte of an envelope. */
export const IDENTITY_ENVELOPE_VERSION = 1;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONCE_BYTES = 24;
const TARGET_AT = 1;
const EPHEMERAL_AT = TARGET_AT + KEY_BYTES;
const SEALED_AT = EPHEMERAL_AT + KEY_BYTES;
const SIGNER_AT = SEALED_AT + SEED_BYTES + TAG_BYTES;
const SIGNATURE_AT = SIGNER_AT + ENTITY_ID_BYTES;

/** Bytes of an envelope. */
export const IDENTITY_ENVELOPE_BYTES = SIGNATURE_AT + SIGNATURE_BYTES;

/** What {@linkcode sealIdentityEnvelope} needs. */
export interface SealIdentityOptions {
  /** Ed25519 seed of the identity that moves, 32 bytes. */
  readonly seed: Uint8Array;
  /** X25519 public key of the node it moves to, 32 bytes. */
  readonly targetKey: Uint8Array;
  /** Encoded causal link of the identity. */
  readonly causalLink: Uint8Array;
  /** Fresh key pair, never used again; a random one when left out. */
  readonly ephemeral?: NoiseKeyPair;
}

/** What {@linkcode openIdentityEnvelope} needs. */
export interface OpenIdentityOptions {
  /** The X25519 key pair of this node. */
  readonly target: NoiseKeyPair;
  /** Entity id that is expected to move here, 32 bytes. */
  readonly signer: Uint8Array;
  /** Encoded causal link that came with the envelope. */
  readonly causalLink: Uint8Array;
}

/** Why an envelope is refused, in the order of the checks. */
export type EnvelopeFault =
  | "length"
  | "version"
  | "signer"
  | "signature"
  | "target"
  | "sealed"
  | "identity";

/** What {@linkcode openIdentityEnvelope} found; the seed is secret. */
export type OpenedEnvelope =
  | { readonly ok: true; readonly seed: Uint8Array }
  | { readonly ok: false; readonly fault: EnvelopeFault };

/**
 * Seals a seed for one node; 209 bytes.
 *
 * @throws RangeError when the seed is not 32 bytes long or the target no usable X25519 key.
 *
 * @example
 * ```ts
 * import { createIdentity } from "./identity.ts";
 * import { openIdentityEnvelope, sealIdentityEnvelope } from "./identity_envelope.ts";
 * import { createNoiseKeyPair } from "./x25519.ts";
 * const target = createNoiseKeyPair();
 * const seed = new Uint8Array(32).fill(1);
 * const causalLink = new Uint8Array();
 * const bytes = sealIdentityEnvelope({ seed, targetKey: target.publicKey, causalLink });
 * const signer = createIdentity(seed).entityId;
 * console.assert(openIdentityEnvelope(bytes, { target, signer, causalLink }).ok);
 * ```
 */
export function sealIdentityEnvelope(options: SealIdentityOptions): Uint8Array<ArrayBuffer> {
  const { seed, targetKey, causalLink } = options;
  const identity = createIdentity(seed);
  const ephemeral = options.ephemeral ?? createNoiseKeyPair();
  const shared = ephemeral.agree(targetKey);
  if (shared === undefined) {
    throw new RangeError(
      "Cannot seal identity: targetKey must be an X25519 public key of 32 bytes",
    );
  }
  const bytes = new Uint8Array(IDENTITY_ENVELOPE_BYTES);
  bytes[0] = IDENTITY_ENVELOPE_VERSION;
  bytes.set(targetKey, TARGET_AT);
  bytes.set(ephemeral.publicKey, EPHEMERAL_AT);
  const cipher = createCipher(shared, ephemeral.publicKey, targetKey, causalLink);
  bytes.set(cipher.encrypt(seed), SEALED_AT);
  bytes.set(identity.entityId, SIGNER_AT);
  bytes.set(identity.sign(concatBytes(targetKey, causalLink)), SIGNATURE_AT);
  return bytes;
}

/** The seed in an envelope, if it is for this node and of the expected identity; never throws. */
export function openIdentityEnvelope(
  bytes: Uint8Array,
  options: OpenIdentityOptions,
): OpenedEnvelope {
  const { target, signer, causalLink } = options;
  if (bytes.length !== IDENTITY_ENVELOPE_BYTES) return refuse("length");
  if (bytes[0] !== IDENTITY_ENVELOPE_VERSION) return refuse("version");
  const targetKey = bytes.subarray(TARGET_AT, EPHEMERAL_AT);
  if (!equalBytes(bytes.subarray(SIGNER_AT, SIGNATURE_AT), signer)) return refuse("signer");
  const message = concatBytes(targetKey, causalLink);
  if (!verifySignature(signer, message, bytes.subarray(SIGNATURE_AT))) return refuse("signature");
  if (!equalBytes(targetKey, target.publicKey)) return refuse("target");
  const ephemeralKey = bytes.subarray(EPHEMERAL_AT, SEALED_AT);
  const shared = target.agree(ephemeralKey);
  if (shared === undefined) return refuse("sealed");
  let seed: Uint8Array;
  try {
    seed = createCipher(shared, ephemeralKey, targetKey, causalLink)
      .decrypt(bytes.subarray(SEALED_AT, SIGNER_AT));
  } catch {
    // All lengths are right: what is left is a wrong tag.
    return refuse("sealed");
  }
  return equalBytes(createIdentity(seed).entityId, signer)
    ? { ok: true, seed }
    : refuse("identity");
}

function createCipher(
  shared: Uint8Array,
  ephemeralKey: Uint8Array,
  targetKey: Uint8Array,
  causalLink: Uint8Array,
) {
  const key = blake2sKeyed("net-identity-envelope", shared);
  const nonce = blake2sKeyed("net-identity-nonce", concatBytes(ephemeralKey, targetKey));
  return xchacha20poly1305(key, nonce.subarray(0, NONCE_BYTES), causalLink);
}

function refuse(fault: EnvelopeFault): OpenedEnvelope {
  return { ok: false, fault };
}
