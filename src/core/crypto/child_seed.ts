/**
 * Seeds of child identities: the same parent and label always give the same child
 * (`identity-and-channels.md` 7).
 *
 * A child can't be led back to its parent; whoever has the parent's seed has all children.
 */
import { blake3 } from "@noble/hashes/blake3.js";
import { concatBytes, utf8 } from "../../base/mod.ts";
import { SEED_BYTES } from "./identity.ts";

const CONTEXT = utf8("net-mesh-sdk delegation child-seed v1");

/**
 * The seed of a child identity, 32 bytes; secret.
 *
 * @param label Any text, also an empty one.
 * @throws RangeError when the parent's seed is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { deriveChildSeed } from "./child_seed.ts";
 * const parent = new Uint8Array(32);
 * console.assert(deriveChildSeed(parent, "a").toHex() !== deriveChildSeed(parent, "b").toHex());
 * ```
 */
export function deriveChildSeed(parentSeed: Uint8Array, label: string): Uint8Array {
  if (parentSeed.length !== SEED_BYTES) {
    throw new RangeError(
      `Cannot derive child seed: parent length is ${parentSeed.length}, must be ${SEED_BYTES}`,
    );
  }
  return blake3(concatBytes(parentSeed, utf8(label)), { context: CONTEXT, dkLen: SEED_BYTES });
}
