/**
 * Token chains on the wire: a count byte, then the tokens, root first (`identity-and-channels.md` 6).
 *
 * A bare token is no chain; one token is a chain of one link, 170 bytes. Whether a chain proves anything
 * is `verify_chain.ts`.
 */
import { concatBytes } from "../../base/mod.ts";
import { TOKEN_CHAIN_LINKS_MAX } from "./limits.ts";
import { encodeToken, readToken, type Token, TOKEN_BYTES } from "./token.ts";

/** Bytes of the longest chain. */
export const TOKEN_CHAIN_BYTES_MAX = 1 + TOKEN_CHAIN_LINKS_MAX * TOKEN_BYTES;

/** Tokens from the root to the one who presents them; 1 to 8. */
export type TokenChain = readonly Token[];

/** What {@linkcode decodeTokenChain} found. */
export type DecodedTokenChain =
  | { readonly ok: true; readonly chain: TokenChain }
  | { readonly ok: false; readonly kind: "invalid_format" };

/**
 * Bytes of a chain.
 *
 * @throws RangeError when it does not have 1 to 8 links.
 */
export function encodeTokenChain(chain: TokenChain): Uint8Array<ArrayBuffer> {
  if (chain.length < 1 || chain.length > TOKEN_CHAIN_LINKS_MAX) {
    throw new RangeError(
      `Cannot encode token chain: it has ${chain.length} links, must have 1 to ` +
        `${TOKEN_CHAIN_LINKS_MAX}`,
    );
  }
  return concatBytes(new Uint8Array([chain.length]), ...chain.map(encodeToken));
}

/** Reads a chain; never throws, verifies nothing. */
export function decodeTokenChain(bytes: Uint8Array): DecodedTokenChain {
  const count = bytes[0] ?? 0;
  if (
    count < 1 || count > TOKEN_CHAIN_LINKS_MAX || bytes.length !== 1 + count * TOKEN_BYTES
  ) return { ok: false, kind: "invalid_format" };
  const chain: Token[] = [];
  for (let at = 1; at < bytes.length; at += TOKEN_BYTES) chain.push(readToken(bytes, at));
  return { ok: true, chain };
}
