/**
 * Tokens kept for later: by subject and channel, those for every channel apart
 * (`identity-and-channels.md` 5).
 *
 * A token in here is signed well, no more: a check asks for everything else. Whether its issuer is
 * trusted is the question of a chain (`verify_chain.ts`).
 */
import { equalBytes } from "../../base/mod.ts";
import { TOKEN_CACHE_SLOTS_MAX, TOKENS_PER_SLOT_MAX } from "./limits.ts";
import { hasScope, TOKEN_SCOPES, type TokenAction } from "./scope.ts";
import { authorizesAction, checkTokenTime, isTokenSigned, type Token } from "./token.ts";
import type { TokenClock } from "./token.ts";
import type { TokenErrorKind } from "./token_error.ts";
import type { RevocationCheck } from "./verify_chain.ts";

/** What became of a token that was to be kept; the last four are refusals. */
export type TokenInsertion =
  | "stored"
  /** In the place of one with the same scope. */
  | "replaced"
  | "invalid_signature"
  /** The subject is not the one that was asked for. */
  | "not_authorized"
  | "slots_full"
  | "slot_full";

/** Options of {@linkcode TokenCache}. */
export interface TokenCacheOptions {
  readonly revocations: RevocationCheck;
  /** Bounds; the usual ones when left out. */
  readonly slotsMax?: number;
  readonly tokensPerSlotMax?: number;
}

/** What is looked for. */
export interface TokenCacheQuestion extends TokenClock {
  /** Entity id, 32 bytes. */
  readonly subject: Uint8Array;
  readonly action: TokenAction;
  readonly channelHash: bigint;
}

/** What {@linkcode TokenCache.check} found. */
export type TokenCacheAnswer =
  | { readonly ok: true; readonly token: Token }
  | { readonly ok: false; readonly kind: TokenErrorKind };

interface SubjectTokens {
  /** Tokens for every channel; empty for most subjects, and then nobody walks them. */
  wildcard: readonly Token[];
  readonly channels: Map<bigint, readonly Token[]>;
}

const NOT_AUTHORIZED = { ok: false, kind: "not_authorized" } as const;

/**
 * Verified tokens, bounded in number.
 *
 * @example
 * ```ts
 * import { RevocationRegistry } from "./revocation_registry.ts";
 * import { TokenCache } from "./token_cache.ts";
 * const cache = new TokenCache({ revocations: new RevocationRegistry() });
 * const subject = new Uint8Array(32);
 * const answer = cache.check({ subject, action: "publish", channelHash: 1n, nowSeconds: 0 });
 * console.assert(!answer.ok && answer.kind === "not_authorized");
 * ```
 */
export class TokenCache {
  readonly counters = {
    token_cache_stored_total: 0,
    token_cache_refused_total: 0,
    token_cache_expired_total: 0,
  };
  readonly #revocations: RevocationCheck;
  readonly #slotsMax: number;
  readonly #tokensPerSlotMax: number;
  readonly #subjects = new Map<string, SubjectTokens>();
  #slots = 0;
  #tokens = 0;

  constructor(options: TokenCacheOptions) {
    this.#revocations = options.revocations;
    this.#slotsMax = options.slotsMax ?? TOKEN_CACHE_SLOTS_MAX;
    this.#tokensPerSlotMax = options.tokensPerSlotMax ?? TOKENS_PER_SLOT_MAX;
  }

  /** Tokens kept. */
  get size(): number {
    return this.#tokens;
  }

  /** Slots in use. */
  get slots(): number {
    return this.#slots;
  }

  /**
   * Keeps a token that is signed well; time and revocation are not looked at.
   *
   * @param subject When given, the token has to be for this entity.
   */
  insert(token: Token, subject?: Uint8Array): TokenInsertion {
    const insertion = this.#insert(token, subject);
    if (insertion === "stored") this.counters.token_cache_stored_total += 1;
    else if (insertion !== "replaced") this.counters.token_cache_refused_total += 1;
    return insertion;
  }

  /** A token that allows this now; when there is none, what is wrong with the nearest one. */
  check(question: TokenCacheQuestion): TokenCacheAnswer {
    const found = this.#subjects.get(question.subject.toHex());
    if (found === undefined) return NOT_AUTHORIZED;
    const exact = found.channels.get(question.channelHash);
    const answer = exact === undefined ? NOT_AUTHORIZED : this.#checkSlot(exact, question);
    if (answer.ok || found.wildcard.length === 0) return answer;
    const wildcard = this.#checkSlot(found.wildcard, question);
    return !wildcard.ok && wildcard.kind === "not_authorized" ? answer : wildcard;
  }

  /** Drops the tokens whose time is over, and says how many. */
  evictExpired(clock: TokenClock): number {
    const before = this.#tokens;
    for (const [key, { wildcard, channels }] of this.#subjects) {
      for (const [hash, tokens] of channels) this.#keepUnexpired(key, hash, tokens, clock);
      if (wildcard.length > 0) this.#keepUnexpired(key, undefined, wildcard, clock);
    }
    const evicted = before - this.#tokens;
    this.counters.token_cache_expired_total += evicted;
    return evicted;
  }

  #insert(token: Token, subject: Uint8Array | undefined): TokenInsertion {
    if (subject !== undefined && !equalBytes(subject, token.subject)) return "not_authorized";
    if (!isTokenSigned(token)) return "invalid_signature";
    const key = token.subject.toHex();
    const hash = hasScope(token.scope, TOKEN_SCOPES.wildcard) ? undefined : token.channelHash;
    const slot = this.#slot(key, hash);
    if (slot.length === 0 && this.#slots >= this.#slotsMax) return "slots_full";
    const same = slot.findIndex(({ scope }) => scope === token.scope);
    if (same >= 0) {
      this.#setSlot(key, hash, slot.with(same, token));
      return "replaced";
    }
    if (slot.length >= this.#tokensPerSlotMax) return "slot_full";
    this.#setSlot(key, hash, [...slot, token]);
    return "stored";
  }

  #checkSlot(tokens: readonly Token[], question: TokenCacheQuestion): TokenCacheAnswer {
    const { subject, action, channelHash } = question;
    let fault: TokenErrorKind | undefined;
    for (const token of tokens) {
      // The slot's name is a hash key; what counts is the token's own subject.
      if (!equalBytes(token.subject, subject)) continue;
      if (!authorizesAction(token, action, channelHash)) continue;
      const late = checkTokenTime(token, question);
      const isRevoked = late === undefined &&
        this.#revocations.isRevoked(token.issuer, token.issuerGeneration);
      if (late === undefined && !isRevoked) return { ok: true, token };
      fault ??= late ?? "revoked";
    }
    return fault === undefined ? NOT_AUTHORIZED : { ok: false, kind: fault };
  }

  #keepUnexpired(
    key: string,
    hash: bigint | undefined,
    tokens: readonly Token[],
    clock: TokenClock,
  ): void {
    const kept = tokens.filter((token) => checkTokenTime(token, clock) !== "expired");
    if (kept.length < tokens.length) this.#setSlot(key, hash, kept);
  }

  /** Tokens of a slot; `hash` is `undefined` for the wildcard slot. */
  #slot(key: string, hash: bigint | undefined): readonly Token[] {
    const found = this.#subjects.get(key);
    return (hash === undefined ? found?.wildcard : found?.channels.get(hash)) ?? [];
  }

  #setSlot(key: string, hash: bigint | undefined, tokens: readonly Token[]): void {
    const before = this.#slot(key, hash).length;
    const found = this.#subjects.get(key) ?? { wildcard: [], channels: new Map() };
    if (hash === undefined) found.wildcard = tokens;
    else if (tokens.length > 0) found.channels.set(hash, tokens);
    else found.channels.delete(hash);
    this.#tokens += tokens.length - before;
    this.#slots += Math.sign(tokens.length) - Math.sign(before);
    if (found.wildcard.length === 0 && found.channels.size === 0) this.#subjects.delete(key);
    else this.#subjects.set(key, found);
  }
}
