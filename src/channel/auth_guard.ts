/**
 * The AuthGuard (`identity-and-channels.md` 12, feature CH-11; promises 87, 89): remembers who was let onto
 * which channel, so that a packet costs a few nanoseconds and no second verification.
 *
 * It decides nothing itself: what the subscribe decision accepted is told to it, and taken back. The verdict
 * by hash is for packets, where nothing but the 64-bit hash is at hand; what is published goes by the exact
 * name, so that two names with one hash can't borrow each other's subscribers.
 *
 * The order is turned round against the usual one, filter then map: every entry of the map is in the filter,
 * so that the answers are the same, and for whoever is allowed the filter is not needed at all.
 */
import { highHalf, joinHalves, lowHalf, PairMap } from "../base/mod.ts";
import { AuthFilter, filterMarks } from "./_auth_filter.ts";
import { NOT_FOUND, VerdictTable } from "./_verdict_table.ts";
import { AUTH_ENTRIES_MAX } from "./limits.ts";

/** What a principal's number is. */
export const AuthDomain = { NodeId: 1, OriginHash: 2 } as const;
/** A value of the table of the same name. */
export type AuthDomain = (typeof AuthDomain)[keyof typeof AuthDomain];

/** What is known of a principal on a channel hash. */
export const AuthVerdict = {
  /** Certainly never allowed, or no longer. */
  Denied: 0,
  /** Allowed. */
  Allowed: 1,
  /** The filter can't tell: the exact answer is {@linkcode AuthGuard.isAllowed}. */
  NeedsFullCheck: 2,
} as const;
/** A value of the table of the same name. */
export type AuthVerdict = (typeof AuthVerdict)[keyof typeof AuthVerdict];

/** A channel as the guard knows it. */
export interface AuthChannel {
  readonly name: string;
  /** Canonical hash of the name. */
  readonly hash: bigint;
}

/** Who is allowed on one channel: of each principal a bit per domain. */
interface ChannelMembers {
  readonly hash: bigint;
  readonly members: PairMap<number>;
}

/** Counters of an {@linkcode AuthGuard}. */
export interface AuthGuardCounters {
  allowed_total: number;
  revoked_total: number;
  drop_full_total: number;
}

/**
 * Who may use which channel.
 *
 * @example
 * ```ts
 * import { AuthDomain, AuthGuard, AuthVerdict } from "./auth_guard.ts";
 * const guard = new AuthGuard();
 * const channel = { name: "lab/x", hash: 0x6d5b83d90de02ee8n };
 * guard.allow(AuthDomain.NodeId, 7n, channel);
 * const verdict = guard.check(AuthDomain.NodeId, 7, 0, 0x0de02ee8, 0x6d5b83d9);
 * console.assert(verdict === AuthVerdict.Allowed);
 * ```
 */
export class AuthGuard {
  readonly counters: AuthGuardCounters = { allowed_total: 0, revoked_total: 0, drop_full_total: 0 };
  readonly #filter = new AuthFilter();
  readonly #verdicts = new VerdictTable();
  readonly #names = new Map<string, ChannelMembers>();
  /** Names by hash; more than one where names collide. */
  readonly #hashes = new Map<bigint, string[]>();
  readonly #entriesMax: number;
  #size = 0;

  /** @param entriesMax Most pairs of principal and channel kept. */
  constructor(entriesMax = AUTH_ENTRIES_MAX) {
    this.#entriesMax = entriesMax;
  }

  /** Pairs of principal and channel that are allowed. */
  get size(): number {
    return this.#size;
  }

  /** Bits set in the filter. */
  get filterBitsSet(): number {
    return this.#filter.bitsSet;
  }

  /**
   * The verdict for a packet, by hash alone.
   *
   * @param principalLow Halves of the node id or origin hash.
   * @param hashLow Halves of the channel's canonical hash.
   */
  check(
    domain: AuthDomain,
    principalLow: number,
    principalHigh: number,
    hashLow: number,
    hashHigh: number,
  ): AuthVerdict {
    const slot = this.#verdicts.find(domain, principalLow, principalHigh, hashLow, hashHigh);
    if (slot !== NOT_FOUND) return AuthVerdict.Allowed;
    const marks = filterMarks(domain, principalLow, principalHigh, hashLow, hashHigh);
    return this.#filter.has(marks) ? AuthVerdict.NeedsFullCheck : AuthVerdict.Denied;
  }

  /** The exact answer: whether the principal was allowed on the channel of this very name. */
  isAllowed(
    domain: AuthDomain,
    principalLow: number,
    principalHigh: number,
    name: string,
  ): boolean {
    const domains = this.#names.get(name)?.members.get(principalLow, principalHigh) ?? 0;
    return (domains & domain) !== 0;
  }

  /**
   * Remembers that the principal may use the channel.
   *
   * @returns False when there is no room; then nothing is remembered, and the channel must be refused.
   */
  allow(domain: AuthDomain, principal: bigint, channel: AuthChannel): boolean {
    const low = lowHalf(principal);
    const high = highHalf(principal);
    if (this.isAllowed(domain, low, high, channel.name)) return true;
    if (this.#size >= this.#entriesMax) {
      this.counters.drop_full_total += 1;
      return false;
    }
    const entry = this.#names.get(channel.name) ?? this.#addChannel(channel);
    entry.members.set(low, high, (entry.members.get(low, high) ?? 0) | domain);
    this.#size += 1;
    this.counters.allowed_total += 1;
    const hashLow = lowHalf(entry.hash);
    const hashHigh = highHalf(entry.hash);
    if (this.#verdicts.find(domain, low, high, hashLow, hashHigh) !== NOT_FOUND) return true;
    const marks = filterMarks(domain, low, high, hashLow, hashHigh);
    this.#verdicts.add(domain, low, high, hashLow, hashHigh, marks);
    this.#filter.add(marks);
    return true;
  }

  /**
   * Takes a permission back: from the maps and from the filter.
   *
   * @returns False when there was none.
   */
  revoke(domain: AuthDomain, principal: bigint, name: string): boolean {
    const entry = this.#names.get(name);
    const low = lowHalf(principal);
    const high = highHalf(principal);
    const domains = entry?.members.get(low, high) ?? 0;
    if (entry === undefined || (domains & domain) === 0) return false;
    if (domains === domain) entry.members.delete(low, high);
    else entry.members.set(low, high, domains & ~domain);
    this.#size -= 1;
    this.counters.revoked_total += 1;
    const names = this.#hashes.get(entry.hash) ?? [];
    // Of two names with one hash, the other one may still need the verdict by hash.
    if (!names.some((other) => this.isAllowed(domain, low, high, other))) {
      this.#forget(domain, low, high, entry.hash);
    }
    if (entry.members.size > 0) return true;
    this.#names.delete(name);
    if (names.length > 1) this.#hashes.set(entry.hash, names.filter((other) => other !== name));
    else this.#hashes.delete(entry.hash);
    return true;
  }

  /** Takes back everything a principal was allowed: the peer is gone. */
  revokeAll(domain: AuthDomain, principal: bigint): void {
    for (const name of [...this.#names.keys()]) this.revoke(domain, principal, name);
  }

  /** Takes back everything that was allowed on a channel: it is gone, or its rules have changed. */
  revokeChannel(name: string): void {
    const members = this.#names.get(name)?.members.entries() ?? [];
    for (const [low, high, domains] of members) {
      const principal = joinHalves(low, high);
      for (const domain of Object.values(AuthDomain)) {
        if ((domains & domain) !== 0) this.revoke(domain, principal, name);
      }
    }
  }

  #addChannel({ name, hash }: AuthChannel): ChannelMembers {
    const entry = { hash, members: new PairMap<number>(4) };
    this.#names.set(name, entry);
    this.#hashes.set(hash, [...this.#hashes.get(hash) ?? [], name]);
    return entry;
  }

  #forget(domain: AuthDomain, low: number, high: number, hash: bigint): void {
    const slot = this.#verdicts.find(domain, low, high, lowHalf(hash), highHalf(hash));
    if (slot === NOT_FOUND) return;
    this.#filter.remove(this.#verdicts.marksAt(slot));
    this.#verdicts.removeAt(slot);
  }
}
