/**
 * Making tokens: first ones and delegated ones (`identity-and-channels.md` 3 and 4).
 *
 * A token can be made for anything its issuer likes; what it is worth depends on who trusts the issuer.
 */
import { equalBytes, type RandomBytes } from "../../base/mod.ts";
import { ENTITY_ID_BYTES, type Identity } from "../../core/crypto/mod.ts";
import { TOKEN_TTL_SECONDS_MAX } from "./limits.ts";
import { hasScope, TOKEN_SCOPES } from "./scope.ts";
import {
  clampTokenSkew,
  type Token,
  type TokenClock,
  tokenTranscript,
  type UnsignedToken,
  verifyToken,
} from "./token.ts";
import { tokenError } from "./token_error.ts";

const U64_MAX = (1n << 64n) - 1n;
const NONCE_BYTES = 8;

/** Time and chance of a token that is made. */
export interface IssueDeps extends Pick<TokenClock, "nowSeconds"> {
  readonly random: RandomBytes;
}

/** What a first token says. */
export interface IssueTokenOptions {
  /** Entity id of the one who may, 32 bytes. */
  readonly subject: Uint8Array;
  /** Scope bits. */
  readonly scope: number;
  /** Canonical hash of the channel; 0 for a wildcard token. */
  readonly channelHash: bigint;
  /** Life in seconds, 1 to one year. */
  readonly ttlSeconds: number;
  /** How often it may be passed on, 0 to 255; 0 when left out. */
  readonly depth?: number;
  /**
   * Clock difference that its readers forgive, 0 when left out: the token ends that much earlier, so that
   * nobody takes it for longer than its life.
   */
  readonly skewSeconds?: number;
}

/** What a delegated token says; the rest follows from its parent. */
export interface DelegateTokenOptions {
  /** Entity id of the one who may, 32 bytes. */
  readonly subject: Uint8Array;
  /** Scope bits; those that the parent lacks are left out. */
  readonly scope: number;
  /** Clock difference to forgive when the parent's time is looked at; 0 when left out. */
  readonly skewSeconds?: number;
}

/**
 * Issues a token at the identity's generation.
 *
 * @throws NetError with a token's kind: `zero_ttl`, `ttl_too_long`, `read_only`.
 * @throws RangeError when another option is out of its range.
 *
 * @example
 * ```ts
 * import { createIdentity } from "../../core/crypto/mod.ts";
 * import { issueToken } from "./issue.ts";
 * const issuer = createIdentity(new Uint8Array(32));
 * const token = issueToken(issuer, {
 *   subject: issuer.entityId,
 *   scope: 2,
 *   channelHash: 1n,
 *   ttlSeconds: 60,
 * }, { nowSeconds: 1000, random: (length) => new Uint8Array(length) });
 * console.assert(token.notAfterSeconds === 1060n);
 * ```
 */
export function issueToken(issuer: Identity, options: IssueTokenOptions, deps: IssueDeps): Token {
  const { subject, scope, channelHash, ttlSeconds, depth = 0 } = options;
  if (!Number.isInteger(ttlSeconds)) {
    throw new RangeError(`Cannot issue token: ttlSeconds is ${ttlSeconds}, must be whole seconds`);
  }
  if (!Number.isInteger(depth) || depth < 0 || depth > 0xff) {
    throw new RangeError(`Cannot issue token: depth is ${depth}, must be 0..255`);
  }
  if (channelHash < 0n || channelHash > U64_MAX) {
    throw new RangeError(`Cannot issue token: channelHash is ${channelHash}, must be 0..2^64-1`);
  }
  const lifeSeconds = ttlSeconds - clampTokenSkew(options.skewSeconds ?? 0);
  if (ttlSeconds > TOKEN_TTL_SECONDS_MAX) throw tokenError("ttl_too_long");
  if (lifeSeconds <= 0) throw tokenError("zero_ttl");
  const notBeforeSeconds = BigInt(Math.floor(deps.nowSeconds));
  return signToken(issuer, {
    issuer: issuer.entityId,
    subject: requireSubject(subject),
    scope: requireScope(scope),
    channelHash,
    issuerGeneration: issuer.issuerGeneration,
    notBeforeSeconds,
    notAfterSeconds: notBeforeSeconds + BigInt(lifeSeconds),
    depth,
    nonce: randomNonce(deps.random),
  });
}

/**
 * Passes a token on, narrowed: same channel and end, one step less deep, at the signer's own generation.
 *
 * A child whose scope comes out empty is made all the same; it allows nothing.
 *
 * @param signer The subject of `parent`.
 * @throws NetError with a token's kind: the parent's own fault, then `delegation_exhausted`,
 * `delegation_not_allowed`, `not_authorized`, `read_only`.
 */
export function delegateToken(
  parent: Token,
  signer: Identity,
  options: DelegateTokenOptions,
  deps: IssueDeps,
): Token {
  const { nowSeconds } = deps;
  const subject = requireSubject(options.subject);
  const scope = requireScope(options.scope);
  const fault = verifyToken(parent, { nowSeconds, skewSeconds: options.skewSeconds });
  if (fault !== undefined) throw tokenError(fault);
  if (parent.depth === 0) throw tokenError("delegation_exhausted");
  if (!hasScope(parent.scope, TOKEN_SCOPES.delegate)) throw tokenError("delegation_not_allowed");
  if (!equalBytes(signer.entityId, parent.subject)) throw tokenError("not_authorized");
  const now = BigInt(Math.floor(nowSeconds));
  return signToken(signer, {
    issuer: signer.entityId,
    subject,
    scope: (parent.scope & scope) >>> 0,
    channelHash: parent.channelHash,
    issuerGeneration: signer.issuerGeneration,
    // Within the forgiven difference the parent may begin later; a child may not begin before it.
    notBeforeSeconds: now < parent.notBeforeSeconds ? parent.notBeforeSeconds : now,
    notAfterSeconds: parent.notAfterSeconds,
    depth: parent.depth - 1,
    nonce: randomNonce(deps.random),
  });
}

/** The nearest life that a token may have: 1 second to one year. */
export function clampTokenTtl(ttlSeconds: number): number {
  return Math.min(TOKEN_TTL_SECONDS_MAX, Math.max(1, Math.floor(ttlSeconds)));
}

function signToken(signer: Identity, token: UnsignedToken): Token {
  if (!signer.canSign) throw tokenError("read_only");
  return { ...token, signature: signer.sign(tokenTranscript(token)) };
}

function randomNonce(random: RandomBytes): bigint {
  return new DataView(random(NONCE_BYTES).buffer).getBigUint64(0, true);
}

function requireSubject(subject: Uint8Array): Uint8Array {
  if (subject.length === ENTITY_ID_BYTES) return subject.slice();
  throw new RangeError(
    `Cannot issue token: subject length is ${subject.length}, must be ${ENTITY_ID_BYTES}`,
  );
}

function requireScope(scope: number): number {
  if (Number.isInteger(scope) && scope >= 0 && scope <= 0xffff_ffff) return scope;
  throw new RangeError(`Cannot issue token: scope is ${scope}, must be 0..2^32-1`);
}
