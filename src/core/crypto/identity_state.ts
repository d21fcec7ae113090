/**
 * An identity as bytes to keep or move: version 1, seed, issuer generation
 * (`identity-and-channels.md` 1).
 *
 * Whoever has these bytes is that identity. They are not encrypted; `identity_envelope.ts` is.
 */
import { isIssuerGeneration, ISSUER_GENERATION_MAX, SEED_BYTES } from "./identity.ts";

/** Bytes of an identity's state. */
export const IDENTITY_STATE_BYTES = 1 + SEED_BYTES + 4;

const VERSION = 1;

/** What an identity is made of; secret. */
export interface IdentityState {
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  readonly issuerGeneration: number;
}

/** What {@linkcode decodeIdentityState} found. */
export type DecodedIdentityState =
  | { readonly ok: true; readonly state: IdentityState }
  | { readonly ok: false; readonly fault: "length" | "version" };

/**
 * The 37 bytes of an identity.
 *
 * @throws RangeError when the seed is not 32 bytes long or the generation no unsigned 32-bit number.
 *
 * @example
 * ```ts
 * import { decodeIdentityState, encodeIdentityState } from "./identity_state.ts";
 * const bytes = encodeIdentityState({ seed: new Uint8Array(32), issuerGeneration: 7 });
 * const decoded = decodeIdentityState(bytes);
 * console.assert(bytes.length === 37 && decoded.ok && decoded.state.issuerGeneration === 7);
 * ```
 */
export function encodeIdentityState(state: IdentityState): Uint8Array<ArrayBuffer> {
  const { seed, issuerGeneration } = state;
  if (seed.length !== SEED_BYTES) {
    throw new RangeError(`Cannot encode identity: seed length is ${seed.length}, must be 32`);
  }
  if (!isIssuerGeneration(issuerGeneration)) {
    throw new RangeError(
      `Cannot encode identity: issuerGeneration is ${issuerGeneration}, must be 0..` +
        `${ISSUER_GENERATION_MAX}`,
    );
  }
  const bytes = new Uint8Array(IDENTITY_STATE_BYTES);
  bytes[0] = VERSION;
  bytes.set(seed, 1);
  new DataView(bytes.buffer).setUint32(1 + SEED_BYTES, issuerGeneration, true);
  return bytes;
}

/** Reads the bytes of an identity; never throws. The seed is a copy. */
export function decodeIdentityState(bytes: Uint8Array): DecodedIdentityState {
  if (bytes.length !== IDENTITY_STATE_BYTES) return { ok: false, fault: "length" };
  if (bytes[0] !== VERSION) return { ok: false, fault: "version" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, IDENTITY_STATE_BYTES);
  const seed = bytes.slice(1, 1 + SEED_BYTES);
  return { ok: true, state: { seed, issuerGeneration: view.getUint32(1 + SEED_BYTES, true) } };
}
