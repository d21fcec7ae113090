/**
 * Signatures of fold envelopes (`capabilities.md` 11): who is bound by what was said.
 *
 * The publisher is the entity known for the session an envelope came on, or the one a relay names; that
 * it is the right one is the caller's word. Freshness is the fold's.
 */
import { deriveNodeId, type Identity, SIGNATURE_BYTES, verifySignature } from "../../crypto/mod.ts";
import { type AnyFoldEnvelope, encodeFoldEnvelope, foldSigningBytes, isSound } from "./envelope.ts";

/** What is wrong with a signed envelope, in the order of the checks. */
export type FoldForgery =
  | "signature_length"
  /** All zero: not signed. */
  | "unsigned"
  | "signature"
  /** Signed, but in the name of another node. */
  | "node_id_mismatch"
  /** Generation 0. */
  | "no_generation";

/**
 * The envelope with the identity's signature.
 *
 * @throws RangeError when the envelope is another node's, its generation is 0, or nobody would accept
 * its payload.
 * @throws NetError `limit` when it does not fit in one event.
 */
export function signFoldEnvelope<E extends AnyFoldEnvelope>(envelope: E, identity: Identity): E {
  if (envelope.nodeId !== identity.nodeId) {
    throw new RangeError(
      `Cannot sign fold envelope: node id is ${envelope.nodeId}, must be ${identity.nodeId}`,
    );
  }
  if (envelope.generation === 0n) {
    throw new RangeError("Cannot sign fold envelope: generation is 0, must be at least 1");
  }
  if (!isSound(envelope)) {
    throw new RangeError("Cannot sign fold envelope: its payload is one that nobody accepts");
  }
  const signed = { ...envelope, signature: identity.sign(foldSigningBytes(envelope)) };
  encodeFoldEnvelope(signed);
  return signed;
}

/**
 * What is wrong with an envelope as the word of `publisher`; `undefined` when it is good.
 *
 * @param publisher Entity id, 32 bytes.
 * @param signed The bytes in front of the signature, where they are at hand.
 *
 * @example
 * ```ts
 * import { createIdentity } from "../../crypto/mod.ts";
 * import { signFoldEnvelope, verifyFoldEnvelope } from "./envelope_signature.ts";
 * const identity = createIdentity(new Uint8Array(32));
 * const envelope = signFoldEnvelope({
 *   kind: 3,
 *   classHash: 0n,
 *   nodeId: identity.nodeId,
 *   generation: 1n,
 *   announcedAtUs: 0n,
 *   ttlSeconds: undefined,
 *   flags: 0,
 *   payload: { resourceId: 5n, state: { kind: "free" } },
 *   signature: undefined,
 * }, identity);
 * console.assert(verifyFoldEnvelope(envelope, identity.entityId) === undefined);
 * ```
 */
export function verifyFoldEnvelope(
  envelope: AnyFoldEnvelope,
  publisher: Uint8Array,
  signed: Uint8Array = foldSigningBytes(envelope),
): FoldForgery | undefined {
  const { signature } = envelope;
  if (signature?.length !== SIGNATURE_BYTES) return "signature_length";
  if (signature.every((byte) => byte === 0)) return "unsigned";
  if (!verifySignature(publisher, signed, signature)) return "signature";
  if (deriveNodeId(publisher) !== envelope.nodeId) return "node_id_mismatch";
  return envelope.generation === 0n ? "no_generation" : undefined;
}
