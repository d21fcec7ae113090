/**
 * Messages of subprotocol 0x2200 and the identity proof among them (`sealed.md` 3 and 5).
 *
 * A proof signs the handshake's transcript, in which both blocks lie, so it holds for one session, one
 * role and one pair of entities. When to send which is decided in `proof_exchange.ts`.
 */
import { concatBytes, utf8 } from "../../../base/mod.ts";
import { BLAKE2S_BYTES } from "../hashes.ts";
import { ENTITY_ID_BYTES, type Identity, SIGNATURE_BYTES, verifySignature } from "../identity.ts";
import type { SessionRole } from "../session_keys.ts";
import { RESET_TAG_BYTES } from "./reset_tag.ts";

/** Subprotocol and stream id of all messages here; sent unreliable. */
export const SUBPROTOCOL_SEALED = 0x2200;
/** Exact length of a proof: kind, role, ack, reset tag, signature. */
export const PROOF_BYTES = 3 + RESET_TAG_BYTES + SIGNATURE_BYTES;
/** Random bytes of a path challenge. */
export const PATH_DATA_BYTES = 8;
/** Random bytes that name one life of a node. */
export const BOOT_BYTES = 8;
/** Exact length of a path challenge and of its response. */
export const PATH_BYTES = 1 + PATH_DATA_BYTES;

const KIND_PROOF = 1;
const KIND_PATH_CHALLENGE = 2;
const KIND_PATH_RESPONSE = 3;
const KIND_FAREWELL = 5;
const KIND_BOOT = 6;
const ROLE_CODES = { initiator: 0, responder: 1 } as const;
const RESET_TAG_AT = 3;
const SIGNATURE_AT = RESET_TAG_AT + RESET_TAG_BYTES;
const SIGNED_LABEL = utf8("net-sealed-id-v1");

/** A proof as it came: nothing in it is verified. */
export interface IdentityProof {
  /** Role of its sender in the handshake. */
  readonly role: SessionRole;
  /** The sender has verified our proof. */
  readonly isAck: boolean;
  /** Lets the sender end this session after it lost its state, 16 bytes. */
  readonly resetTag: Uint8Array;
  readonly signature: Uint8Array;
}

/** One message of the subprotocol; all byte arrays are copies. */
export type SealedMessage =
  | { readonly kind: "proof"; readonly proof: IdentityProof }
  | { readonly kind: "path_challenge"; readonly data: Uint8Array }
  | { readonly kind: "path_response"; readonly data: Uint8Array }
  /** The sender stops, and with it the session. */
  | { readonly kind: "farewell" }
  /** Which life of the sender this is: another one than before means that it began anew. */
  | { readonly kind: "boot"; readonly boot: Uint8Array }
  /** To be dropped and counted. */
  | { readonly kind: "malformed"; readonly fault: "kind" | "length" | "role" | "ack" };

/** Who proves what to whom. */
export interface ProofSubject {
  /** Role of the signer. */
  readonly role: SessionRole;
  /** Final transcript hash, 32 bytes. */
  readonly handshakeHash: Uint8Array;
  /** Entity id of the signer. */
  readonly entityId: Uint8Array;
  /** Entity id of the one it is proven to. */
  readonly peerEntityId: Uint8Array;
}

/** Why a proof does not hold. */
export type ProofFault =
  /** It claims the role of the one who checks it: a reflection. */
  | "role"
  | "signature";

/**
 * Signs the proof of our identity; the signature is the same however often it is made.
 *
 * @throws RangeError when a hash or entity id is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { createIdentity } from "../identity.ts";
 * import { checkProof, signProof } from "./proof.ts";
 * const [left, right] = [1, 2].map((n) => createIdentity(new Uint8Array(32).fill(n)));
 * if (left === undefined || right === undefined) throw new Error("unreachable");
 * const subject = {
 *   role: "initiator",
 *   handshakeHash: new Uint8Array(32),
 *   entityId: left.entityId,
 *   peerEntityId: right.entityId,
 * } as const;
 * const signature = signProof(left, subject);
 * const proof = { role: "initiator", isAck: false, resetTag: new Uint8Array(16), signature } as const;
 * console.assert(checkProof(proof, subject) === undefined);
 * ```
 */
export function signProof(
  identity: Pick<Identity, "sign">,
  subject: ProofSubject,
): Uint8Array {
  return identity.sign(signedBytes(subject));
}

/**
 * Checks a peer's proof, strictly: see {@linkcode verifySignature}.
 *
 * @param subject With the peer as signer.
 * @returns What is wrong, or `undefined` when the proof holds.
 * @throws RangeError when a hash or entity id of `subject` is not 32 bytes long.
 */
export function checkProof(proof: IdentityProof, subject: ProofSubject): ProofFault | undefined {
  if (proof.role !== subject.role) return "role";
  const isGood = verifySignature(subject.entityId, signedBytes(subject), proof.signature);
  return isGood ? undefined : "signature";
}

/**
 * Encodes a proof.
 *
 * @throws RangeError when tag or signature has a wrong length.
 */
export function encodeProof(proof: IdentityProof): Uint8Array<ArrayBuffer> {
  const { role, isAck, resetTag, signature } = proof;
  if (resetTag.length !== RESET_TAG_BYTES || signature.length !== SIGNATURE_BYTES) {
    throw new RangeError(
      `Cannot encode proof: tag and signature have ${resetTag.length} and ${signature.length} ` +
        `bytes, must be ${RESET_TAG_BYTES} and ${SIGNATURE_BYTES}`,
    );
  }
  const head = Uint8Array.of(KIND_PROOF, ROLE_CODES[role], isAck ? 1 : 0);
  return concatBytes(head, resetTag, signature);
}

/**
 * Encodes the question whether the peer receives at an address.
 *
 * @param data 8 random bytes.
 * @throws RangeError when there are not 8.
 */
export function encodePathChallenge(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodePath(KIND_PATH_CHALLENGE, data);
}

/**
 * Encodes the answer to a path challenge.
 *
 * @param data The challenge's 8 bytes.
 * @throws RangeError when there are not 8.
 */
export function encodePathResponse(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodePath(KIND_PATH_RESPONSE, data);
}

/** Encodes the word that the sender stops. */
export function encodeFarewell(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(KIND_FAREWELL);
}

/**
 * Encodes the name of this life of the node.
 *
 * @param boot 8 random bytes, drawn when it started.
 * @throws RangeError when there are not 8.
 */
export function encodeBoot(boot: Uint8Array): Uint8Array<ArrayBuffer> {
  if (boot.length !== BOOT_BYTES) {
    throw new RangeError(`Cannot encode boot: has ${boot.length} bytes, must be ${BOOT_BYTES}`);
  }
  return concatBytes(Uint8Array.of(KIND_BOOT), boot);
}

/** Reads any message of the subprotocol; never throws. */
export function decodeSealedMessage(bytes: Uint8Array): SealedMessage {
  switch (bytes[0]) {
    case KIND_PROOF:
      return decodeProof(bytes);
    case KIND_PATH_CHALLENGE:
    case KIND_PATH_RESPONSE: {
      if (bytes.length !== PATH_BYTES) return malformed("length");
      const kind = bytes[0] === KIND_PATH_CHALLENGE ? "path_challenge" : "path_response";
      return { kind, data: bytes.slice(1) };
    }
    case KIND_FAREWELL:
      return bytes.length === 1 ? { kind: "farewell" } : malformed("length");
    case KIND_BOOT:
      if (bytes.length !== 1 + BOOT_BYTES) return malformed("length");
      return { kind: "boot", boot: bytes.slice(1) };
    case undefined:
      return malformed("length");
    default:
      return malformed("kind");
  }
}

/** The other side of a handshake. */
export function oppositeRole(role: SessionRole): SessionRole {
  return role === "initiator" ? "responder" : "initiator";
}

function decodeProof(bytes: Uint8Array): SealedMessage {
  if (bytes.length !== PROOF_BYTES) return malformed("length");
  const [, roleCode, ack] = bytes;
  if (roleCode !== ROLE_CODES.initiator && roleCode !== ROLE_CODES.responder) {
    return malformed("role");
  }
  if (ack !== 0 && ack !== 1) return malformed("ack");
  const proof: IdentityProof = {
    role: roleCode === ROLE_CODES.initiator ? "initiator" : "responder",
    isAck: ack === 1,
    resetTag: bytes.slice(RESET_TAG_AT, SIGNATURE_AT),
    signature: bytes.slice(SIGNATURE_AT),
  };
  return { kind: "proof", proof };
}

function encodePath(kind: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  if (data.length !== PATH_DATA_BYTES) {
    throw new RangeError(
      `Cannot encode path message: data has ${data.length} bytes, must be ${PATH_DATA_BYTES}`,
    );
  }
  return concatBytes(Uint8Array.of(kind), data);
}

/** Every part has a fixed length, so no two subjects give the same bytes. */
function signedBytes(subject: ProofSubject): Uint8Array {
  const { role, handshakeHash, entityId, peerEntityId } = subject;
  if (
    handshakeHash.length !== BLAKE2S_BYTES || entityId.length !== ENTITY_ID_BYTES ||
    peerEntityId.length !== ENTITY_ID_BYTES
  ) {
    throw new RangeError(
      `Cannot make proof: hash and entity ids have ${handshakeHash.length}, ${entityId.length} ` +
        `and ${peerEntityId.length} bytes, must be 32`,
    );
  }
  const roleByte = Uint8Array.of(ROLE_CODES[role]);
  return concatBytes(SIGNED_LABEL, roleByte, handshakeHash, entityId, peerEntityId);
}

function malformed(fault: "kind" | "length" | "role" | "ack"): SealedMessage {
  return { kind: "malformed", fault };
}
