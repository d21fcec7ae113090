/**
 * What a token chain proves: that its presenter may do something on a channel because a trusted root
 * says so (`identity-and-channels.md` 6).
 *
 * Cheap checks come first, so that a chain which does not fit costs no signature. Synchronous and
 * without memory; the caller counts and throttles.
 */
import { equalBytes } from "../../base/mod.ts";
import { hasScope, TOKEN_SCOPES, type TokenAction } from "./scope.ts";
import { checkTokenTime, coversChannel, isTokenSigned, type Token } from "./token.ts";
import type { TokenClock } from "./token.ts";
import { decodeTokenChain, type TokenChain } from "./token_chain.ts";
import type { TokenErrorKind } from "./token_error.ts";

/** Says which issuer generations were taken back. */
export interface RevocationCheck {
  /** True when tokens of this issuer and generation are refused. */
  isRevoked(issuer: Uint8Array, issuerGeneration: number): boolean;
}

/** What a chain is asked to prove. */
export interface TokenChainQuestion extends TokenClock {
  /** Entity id of the one who presents the chain, 32 bytes, proven elsewhere. */
  readonly presenter: Uint8Array;
  readonly action: TokenAction;
  readonly channelHash: bigint;
  /** Entity ids of trusted first issuers; none of them trusts nobody. */
  readonly roots: readonly Uint8Array[];
  /** Left out, nothing is revoked. */
  readonly revocations?: RevocationCheck;
}

/** The part of the rules that a chain breaks. */
export type TokenChainRule =
  | "root"
  | "presenter"
  | "continuity"
  | "delegate_scope"
  | "depth"
  | "window"
  | "signature"
  | "time"
  | "revocation"
  | "scope"
  | "channel";

/** One thing that is wrong with a chain. */
export interface TokenChainFault {
  /** Index of the link, 0 for the root's. */
  readonly link: number;
  readonly rule: TokenChainRule;
  readonly kind: TokenErrorKind;
}

/** Whether a chain proves what was asked. */
export type TokenChainVerdict =
  | { readonly ok: true; readonly chain: TokenChain }
  | {
    readonly ok: false;
    readonly kind: TokenErrorKind;
    /** The link at fault; `undefined` when the bytes are no chain. */
    readonly link: number | undefined;
    /** `undefined` when the bytes are no chain. */
    readonly rule: TokenChainRule | undefined;
  };

/**
 * Whether the bytes are a chain that proves what is asked; never throws for any bytes. Signatures cost
 * some 40 µs a link.
 *
 * @example
 * ```ts
 * import { verifyTokenChain } from "./verify_chain.ts";
 * const verdict = verifyTokenChain(new Uint8Array(169), {
 *   presenter: new Uint8Array(32),
 *   action: "subscribe",
 *   channelHash: 1n,
 *   roots: [],
 *   nowSeconds: 0,
 * });
 * console.assert(!verdict.ok && verdict.kind === "invalid_format");
 * ```
 */
export function verifyTokenChain(
  bytes: Uint8Array,
  question: TokenChainQuestion,
): TokenChainVerdict {
  const decoded = decodeTokenChain(bytes);
  if (!decoded.ok) return { ...decoded, link: undefined, rule: undefined };
  return judge(decoded.chain, question, true);
}

/**
 * The same for a chain whose signatures were verified before, as at every publish; signatures are not
 * looked at.
 */
export function recheckTokenChain(
  chain: TokenChain,
  question: TokenChainQuestion,
): TokenChainVerdict {
  return judge(chain, question, false);
}

/** Everything that is wrong with a chain as far as was asked, in the order it is checked. */
export function findTokenChainFaults(
  chain: TokenChain,
  question: Partial<TokenChainQuestion> & TokenClock,
): readonly TokenChainFault[] {
  const faults: TokenChainFault[] = [];
  checkChain(chain, question, true, (fault) => {
    faults.push(fault);
    return false;
  });
  return faults;
}

function judge(
  chain: TokenChain,
  question: TokenChainQuestion,
  hasSignatures: boolean,
): TokenChainVerdict {
  let first: TokenChainFault | undefined;
  checkChain(chain, question, hasSignatures, (fault) => {
    first = fault;
    return true;
  });
  return first === undefined ? { ok: true, chain } : { ok: false, ...first };
}

/** Takes a fault; true to look no further. */
type OnFault = (fault: TokenChainFault) => boolean;

function checkChain(
  chain: TokenChain,
  question: Partial<TokenChainQuestion> & TokenClock,
  hasSignatures: boolean,
  onFault: OnFault,
): void {
  const { roots, presenter } = question;
  let parent: Token | undefined;
  for (const [link, token] of chain.entries()) {
    const fail = (rule: TokenChainRule, kind: TokenErrorKind) => onFault({ link, rule, kind });
    if (link === 0 && roots !== undefined && !roots.some((id) => equalBytes(id, token.issuer))) {
      if (fail("root", "not_authorized")) return;
    }
    if (link === chain.length - 1 && presenter !== undefined) {
      if (!equalBytes(presenter, token.subject) && fail("presenter", "not_authorized")) return;
    }
    if (parent !== undefined && checkPair(parent, token, fail)) return;
    parent = token;
  }
  for (const [link, token] of chain.entries()) {
    const fail = (rule: TokenChainRule, kind: TokenErrorKind) => onFault({ link, rule, kind });
    if (checkLink(token, question, hasSignatures, fail)) return;
  }
}

type Fail = (rule: TokenChainRule, kind: TokenErrorKind) => boolean;

/** Whether a token may follow from the one before it; true to stop. */
function checkPair(parent: Token, child: Token, fail: Fail): boolean {
  if (!equalBytes(parent.subject, child.issuer) && fail("continuity", "not_authorized")) {
    return true;
  }
  if (!hasScope(parent.scope, TOKEN_SCOPES.delegate)) {
    if (fail("delegate_scope", "delegation_not_allowed")) return true;
  }
  if (child.depth >= parent.depth && fail("depth", "delegation_exhausted")) return true;
  const isInside = child.notBeforeSeconds >= parent.notBeforeSeconds &&
    child.notAfterSeconds <= parent.notAfterSeconds;
  return !isInside && fail("window", "delegation_not_allowed");
}

/** Whether a token holds by itself; true to stop. */
function checkLink(
  token: Token,
  question: Partial<TokenChainQuestion> & TokenClock,
  hasSignatures: boolean,
  fail: Fail,
): boolean {
  const { action, channelHash, revocations } = question;
  if (hasSignatures && !isTokenSigned(token) && fail("signature", "invalid_signature")) return true;
  const late = checkTokenTime(token, question);
  if (late !== undefined && fail("time", late)) return true;
  if (
    revocations?.isRevoked(token.issuer, token.issuerGeneration) && fail("revocation", "revoked")
  ) {
    return true;
  }
  if (action !== undefined && !hasScope(token.scope, TOKEN_SCOPES[action])) {
    if (fail("scope", "not_authorized")) return true;
  }
  return channelHash !== undefined && !coversChannel(token, channelHash) &&
    fail("channel", "not_authorized");
}
