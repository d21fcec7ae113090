/** Hashes by how they begin. */

/**
 * The least and the greatest hash that begin with these hex digits, an odd number of them too.
 *
 * @param prefix Lower-case hex digits, at most 64.
 */
export function hashRange(
  prefix: string,
): { readonly first: Uint8Array; readonly last: Uint8Array } {
  return {
    first: Uint8Array.fromHex(prefix.padEnd(64, "0")),
    last: Uint8Array.fromHex(prefix.padEnd(64, "f")),
  };
}
