/**
 * Sealed sessions whose sides have not yet proven who they are (`sealed.md` 3): a table of its own, so
 * that nobody unproven touches a peer, a route or the failure detector.
 *
 * It is bounded per source and in total; when it is full a random one makes room, so that a flood cannot
 * push out everybody else on purpose.
 */
import { addressKey } from "../address.ts";
import type { HandshakeResult } from "./handshake_types.ts";
import { HALF_OPEN_MAX, HALF_OPEN_PER_SOURCE_MAX } from "../limits.ts";
import type { Session } from "../session/session.ts";

/** One half-open session. */
export interface HalfOpen {
  readonly session: Session;
  readonly result: HandshakeResult;
  /** Told how it ended: nothing when both sides are proven. */
  readonly settle: (failure?: Error) => void;
}

/** Half-open sessions by source address and first ephemeral. */
export class HalfOpenTable {
  readonly #entries = new Map<string, HalfOpen>();
  readonly #bySession = new Map<Session, string>();
  readonly #perHost = new Map<string, number>();
  readonly #random: () => number;

  /** @param random 0 to below 1; decides who makes room. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Number of half-open sessions. */
  get size(): number {
    return this.#entries.size;
  }

  /** True when this handshake is under way. */
  has(result: HandshakeResult): boolean {
    return this.#entries.has(keyOf(result));
  }

  /** The entry of a session. */
  get(session: Session): HalfOpen | undefined {
    const key = this.#bySession.get(session);
    return key === undefined ? undefined : this.#entries.get(key);
  }

  /**
   * Adds an entry.
   *
   * @returns The one that had to make room, if any; its session is to be ended.
   */
  add(entry: HalfOpen): HalfOpen | undefined {
    const { host } = entry.result.address;
    const ofHost = this.#perHost.get(host) ?? 0;
    let evicted: HalfOpen | undefined;
    if (ofHost >= HALF_OPEN_PER_SOURCE_MAX) {
      evicted = this.#pick((other) => other.result.address.host === host);
    } else if (this.#entries.size >= HALF_OPEN_MAX) evicted = this.#pick(() => true);
    if (evicted !== undefined) this.remove(evicted.session);
    const key = keyOf(entry.result);
    this.#entries.set(key, entry);
    this.#bySession.set(entry.session, key);
    this.#perHost.set(host, (this.#perHost.get(host) ?? 0) + 1);
    return evicted;
  }

  /** Takes the entry of a session out. */
  remove(session: Session): HalfOpen | undefined {
    const key = this.#bySession.get(session);
    const entry = key === undefined ? undefined : this.#entries.get(key);
    if (key === undefined || entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#bySession.delete(session);
    const { host } = entry.result.address;
    const left = (this.#perHost.get(host) ?? 1) - 1;
    if (left > 0) this.#perHost.set(host, left);
    else this.#perHost.delete(host);
    return entry;
  }

  /** Some entry that fits, chosen at random. */
  #pick(fits: (entry: HalfOpen) => boolean): HalfOpen | undefined {
    const fitting = [...this.#entries.values()].filter(fits);
    return fitting[Math.floor(this.#random() * fitting.length)];
  }
}

function keyOf(result: HandshakeResult): string {
  return `${addressKey(result.address)}/${result.ephemeral}`;
}
