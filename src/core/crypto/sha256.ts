/** SHA-256 of what comes in pieces, by the engine's `node:crypto`. */
import { createHash } from "node:crypto";

/** A hash in the making. */
export interface Sha256 {
  /** Adds bytes; they are hashed before the call returns. */
  update(bytes: Uint8Array): this;
  /** Ends the message and returns its 32-byte hash; once. */
  digest(): Uint8Array<ArrayBuffer>;
}

/**
 * Begins a SHA-256.
 *
 * @example
 * ```ts
 * import { createSha256 } from "./sha256.ts";
 * console.assert(createSha256().digest().toHex().startsWith("e3b0c442"));
 * ```
 */
export function createSha256(): Sha256 {
  const hash = createHash("sha256");
  const sha256: Sha256 = {
    update: (bytes) => {
      hash.update(bytes);
      return sha256;
    },
    digest: () => Uint8Array.from(hash.digest()),
  };
  return sha256;
}
