/**
 * Permission tokens: the 169 bytes by which one entity allows another to do something on a channel
 * (`identity-and-channels.md` 3).
 *
 * Here are the bytes and the checks of one token. Making them is `issue.ts`, chains of them are
 * `token_chain.ts` and `verify_chain.ts`, taking them back is `revocation_registry.ts`.
 */
import { ENTITY_ID_BYTES, SIGNATURE_BYTES, verifySignature } from "../../core/crypto/mod.ts";
import { TOKEN_SKEW_SECONDS_MAX, TOKEN_TTL_SECONDS_MAX } from "./limits.ts";
import { hasScope, TOKEN_SCOPES, type TokenAction } from "./scope.ts";
import type { TokenErrorKind } from "./token_error.ts";

/** Bytes of a token. */
export const TOKEN_BYTES = 169;
/** Bytes of a token that its signature covers: all before it. */
export const TOKEN_SIGNED_BYTES = TOKEN_BYTES - SIGNATURE_BYTES;

const OFFSETS = {
  issuer: 0,
  subject: 32,
  scope: 64,
  channelHash: 68,
  issuerGeneration: 76,
  notBefore: 80,
  notAfter: 88,
  depth: 96,
  nonce: 97,
} as const;

/** A permission of one entity, signed by another. */
export interface Token {
  /** Entity id of the one who signed, 32 bytes. */
  readonly issuer: Uint8Array;
  /** Entity id of the one who may, 32 bytes. */
  readonly subject: Uint8Array;
  /** Scope bits, unsigned 32-bit. */
  readonly scope: number;
  /** Canonical hash of the channel's name; 0 by custom when the scope has wildcard. */
  readonly channelHash: bigint;
  /** Generation of the issuer when it signed. */
  readonly issuerGeneration: number;
  /** Unix seconds from which on it counts. */
  readonly notBeforeSeconds: bigint;
  /** Unix seconds from which on it counts no more. */
  readonly notAfterSeconds: bigint;
  /** How often it may be passed on. */
  readonly depth: number;
  /** Tells tokens apart that are equal otherwise. */
  readonly nonce: bigint;
  /** Ed25519 signature of the issuer, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A token without its signature. */
export type UnsignedToken = Omit<Token, "signature">;

/** What {@linkcode decodeToken} found. */
export type DecodedToken =
  | { readonly ok: true; readonly token: Token }
  | { readonly ok: false; readonly kind: "invalid_format" };

/** The 169 bytes of a token. */
export function encodeToken(token: Token): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TOKEN_BYTES);
  writeSigned(bytes, token);
  bytes.set(token.signature, TOKEN_SIGNED_BYTES);
  return bytes;
}

/** The 105 bytes that the signature covers. */
export function tokenTranscript(token: UnsignedToken): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TOKEN_SIGNED_BYTES);
  writeSigned(bytes, token);
  return bytes;
}

/**
 * Reads a token; never throws. Any 169 bytes are one: nothing is verified. The fields are copies.
 *
 * @example
 * ```ts
 * import { decodeToken } from "./token.ts";
 * console.assert(decodeToken(new Uint8Array(169)).ok && !decodeToken(new Uint8Array(168)).ok);
 * ```
 */
export function decodeToken(bytes: Uint8Array): DecodedToken {
  if (bytes.length !== TOKEN_BYTES) return { ok: false, kind: "invalid_format" };
  return { ok: true, token: readToken(bytes, 0) };
}

/** The token at an offset of bytes that hold one there. */
export function readToken(bytes: Uint8Array, start: number): Token {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, TOKEN_BYTES);
  const at = (offset: number, length: number) =>
    bytes.slice(start + offset, start + offset + length);
  return {
    issuer: at(OFFSETS.issuer, ENTITY_ID_BYTES),
    subject: at(OFFSETS.subject, ENTITY_ID_BYTES),
    scope: view.getUint32(OFFSETS.scope, true),
    channelHash: view.getBigUint64(OFFSETS.channelHash, true),
    issuerGeneration: view.getUint32(OFFSETS.issuerGeneration, true),
    notBeforeSeconds: view.getBigUint64(OFFSETS.notBefore, true),
    notAfterSeconds: view.getBigUint64(OFFSETS.notAfter, true),
    depth: view.getUint8(OFFSETS.depth),
    nonce: view.getBigUint64(OFFSETS.nonce, true),
    signature: at(TOKEN_SIGNED_BYTES, SIGNATURE_BYTES),
  };
}

/** When a token is looked at. */
export interface TokenClock {
  /** Unix seconds; fractions are cut. */
  readonly nowSeconds: number;
  /** Clock difference to forgive in seconds, 0 when left out; more than 300 count as 300. */
  readonly skewSeconds?: number;
}

/** What is wrong with signature or time of a token, in this order; `undefined` when nothing is. */
export function verifyToken(token: Token, clock: TokenClock): TokenErrorKind | undefined {
  return isTokenSigned(token) ? checkTokenTime(token, clock) : "invalid_signature";
}

/** True when the issuer signed exactly this; costs some 40 µs. */
export function isTokenSigned(token: Token): boolean {
  return verifySignature(token.issuer, tokenTranscript(token), token.signature);
}

/** What is wrong with the time of a token; `undefined` when nothing is. */
export function checkTokenTime(token: Token, clock: TokenClock): TokenErrorKind | undefined {
  const { notBeforeSeconds, notAfterSeconds } = token;
  const now = BigInt(Math.floor(clock.nowSeconds));
  const skew = BigInt(clampTokenSkew(clock.skewSeconds ?? 0));
  // No 64-bit clock reaches a sum beyond 64 bits, so these need no saturation.
  if (now < notBeforeSeconds - skew) return "not_yet_valid";
  if (now >= notAfterSeconds + skew) return "expired";
  if (notAfterSeconds - notBeforeSeconds > BigInt(TOKEN_TTL_SECONDS_MAX)) return "ttl_too_long";
  return undefined;
}

/** Clock difference that is forgiven when `skewSeconds` is asked for. */
export function clampTokenSkew(skewSeconds: number): number {
  return Math.min(TOKEN_SKEW_SECONDS_MAX, Math.max(0, Math.floor(skewSeconds)));
}

/** True when the token's scope has the action and its channel is this one, or any. */
export function authorizesAction(token: Token, action: TokenAction, channelHash: bigint): boolean {
  return hasScope(token.scope, TOKEN_SCOPES[action]) && coversChannel(token, channelHash);
}

/** True when the token is for this channel, or for any. */
export function coversChannel(token: Token, channelHash: bigint): boolean {
  return hasScope(token.scope, TOKEN_SCOPES.wildcard) || token.channelHash === channelHash;
}

function writeSigned(bytes: Uint8Array, token: UnsignedToken): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, TOKEN_SIGNED_BYTES);
  bytes.set(token.issuer, OFFSETS.issuer);
  bytes.set(token.subject, OFFSETS.subject);
  view.setUint32(OFFSETS.scope, token.scope, true);
  view.setBigUint64(OFFSETS.channelHash, token.channelHash, true);
  view.setUint32(OFFSETS.issuerGeneration, token.issuerGeneration, true);
  view.setBigUint64(OFFSETS.notBefore, token.notBeforeSeconds, true);
  view.setBigUint64(OFFSETS.notAfter, token.notAfterSeconds, true);
  view.setUint8(OFFSETS.depth, token.depth);
  view.setBigUint64(OFFSETS.nonce, token.nonce, true);
}
