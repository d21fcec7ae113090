/**
 * Reset tags: what a node hands to its peer so that it can end a session whose state it lost
 * (`sealed.md` 5).
 *
 * A tag follows from the identity seed and the session id alone, so it can be made again after a
 * restart. Whoever has it can end that one session, and nothing else.
 */
import { concatBytes, utf8 } from "../../../base/mod.ts";
import { blake2sKeyed } from "../hashes.ts";
import { SEED_BYTES } from "../identity.ts";

/** Bytes of a reset tag. */
export const RESET_TAG_BYTES = 16;

const KEY_LABEL = utf8("net-sealed-reset-key-v1");
const TAG_LABEL = utf8("net-sealed-reset-tag-v1");

/** Gives the reset tag of a session, from its id as two unsigned halves; 16 bytes. */
export type ResetTagger = (sessionIdLow: number, sessionIdHigh: number) => Uint8Array;

/**
 * Creates the tagger of an identity: `KB2S(KB2S(seed, "net-sealed-reset-key-v1"),
 * "net-sealed-reset-tag-v1" || session id)`, cut to 16 bytes.
 *
 * @param identitySeed Ed25519 seed, 32 bytes; not kept.
 * @throws RangeError when it is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { createResetTagger } from "./reset_tag.ts";
 * const tagOf = createResetTagger(new Uint8Array(32).fill(1));
 * console.assert(tagOf(1, 0).length === 16 && tagOf(1, 0).toHex() !== tagOf(0, 1).toHex());
 * ```
 */
export function createResetTagger(identitySeed: Uint8Array): ResetTagger {
  if (identitySeed.length !== SEED_BYTES) {
    throw new RangeError(
      `Cannot make reset tags: seed has ${identitySeed.length} bytes, must be ${SEED_BYTES}`,
    );
  }
  const key = blake2sKeyed(identitySeed, KEY_LABEL);
  return (low, high) => {
    const id = new Uint8Array(8);
    const view = new DataView(id.buffer);
    view.setUint32(0, low, true);
    view.setUint32(4, high, true);
    return blake2sKeyed(key, concatBytes(TAG_LABEL, id)).slice(0, RESET_TAG_BYTES);
  };
}

/** A tag as one number, for keeping many: an array of 16 bytes takes 200 more. */
export function packResetTag(tag: Uint8Array): bigint {
  return BigInt(`0x${tag.toHex()}`);
}

/** The tag that {@linkcode packResetTag} made a number of. */
export function unpackResetTag(packed: bigint): Uint8Array {
  return Uint8Array.fromHex(packed.toString(16).padStart(2 * RESET_TAG_BYTES, "0"));
}
