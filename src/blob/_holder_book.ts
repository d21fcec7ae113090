/**
 * Whom to ask for a chunk, and how much at once: what one get learned of its peers, on top of what the
 * node knows of liars. Pure; knows no streams.
 *
 * Each holder has a window of chunks in flight that grows while it keeps pace with the best one and
 * shrinks when it does not, so that fast holders get more. One that would hold up the others is left
 * aside until they are gone or slower.
 */
import {
  HOLDER_WINDOW_FIRST,
  HOLDER_WINDOW_MAX,
  MISSES_MAX,
  PROBES_MAX,
  REPUTATIONS_MAX,
  SLOW_FACTOR,
} from "./limits.ts";

/** Peers that sent other bytes than asked for; lives as long as the node. */
export class Reputation {
  readonly #strikes = new Map<bigint, number>();

  /** Notes a lie. */
  strike(peer: bigint): void {
    if (this.#strikes.size >= REPUTATIONS_MAX && !this.#strikes.has(peer)) {
      const oldest = this.#strikes.keys().next();
      if (!oldest.done) this.#strikes.delete(oldest.value);
    }
    this.#strikes.set(peer, this.strikes(peer) + 1);
  }

  /** How often it lied. */
  strikes(peer: bigint): number {
    return this.#strikes.get(peer) ?? 0;
  }
}

/** What one peer did in this get. */
interface Dealings {
  inFlight: number;
  window: number;
  /** Time of a byte, averaged; `undefined` until it delivered. */
  msPerByte: number | undefined;
  /** Chunks it lacked since it last delivered one. */
  misses: number;
  /** Stalls since it last delivered one. */
  stalls: number;
  isHolder: boolean;
}

/** What to do about the next attempt. */
export type Pick =
  | { readonly kind: "ask"; readonly peer: bigint }
  /** Somebody may be asked when something in flight has ended. */
  | { readonly kind: "wait" }
  | { readonly kind: "nobody" };

/** A request on its way. */
export interface Flight {
  /** It delivered so many bytes. */
  delivered(bytes: number, nowMs: number): void;
  /** It ended in another way; `isHolderFault` makes the window smaller. */
  ended(isHolderFault: boolean): void;
}

/** Share of the newest measurement in the average. */
const NEWEST_SHARE = 0.3;

/** What one get knows of the peers it may ask. */
export class HolderBook {
  readonly #reputation: Reputation;
  readonly #dealings = new Map<bigint, Dealings>();
  #waiters = new Set<() => void>();

  constructor(reputation: Reputation) {
    this.#reputation = reputation;
  }

  /** Notes that a peer has the blob, or says so. */
  noteHolder(peer: bigint): void {
    const dealings = this.#of(peer);
    dealings.isHolder = true;
    dealings.misses = 0;
  }

  /** Notes that a peer lacks a chunk. */
  noteLacking(peer: bigint): void {
    const dealings = this.#of(peer);
    dealings.misses += 1;
    dealings.isHolder = false;
  }

  /** Notes that a peer lied. */
  noteLie(peer: bigint): void {
    this.#reputation.strike(peer);
    this.#of(peer).isHolder = false;
  }

  /** Peers to ask, best first: holders, unknown ones, lacking ones; liars last. */
  order(connected: readonly bigint[]): bigint[] {
    return [...connected].sort((a, b) =>
      this.#rank(a) - this.#rank(b) || this.#expectedMs(a) - this.#expectedMs(b)
    );
  }

  /** True when somebody who has the blob is not among `connected`. */
  isHolderAway(connected: readonly bigint[]): boolean {
    for (const [peer, { isHolder }] of this.#dealings) {
      if (isHolder && !connected.includes(peer)) return true;
    }
    return false;
  }

  /**
   * Whom to ask now.
   *
   * @param candidates Peers that may be asked, as {@linkcode HolderBook.order} gives them.
   */
  pick(candidates: readonly bigint[]): Pick {
    const good = candidates.filter((peer) => this.#rank(peer) < RANK_LACKING);
    const quick = good.filter((peer) => !this.#isTooSlow(peer, good));
    // Those of the last resort are asked when there is nobody else, not when others are busy.
    const worth = quick.length > 0 ? quick : good.length > 0 ? good : candidates;
    if (worth.length === 0) return { kind: "nobody" };
    const free = worth.find((peer) => this.#hasRoom(peer));
    return free === undefined ? { kind: "wait" } : { kind: "ask", peer: free };
  }

  /** A holder that may be asked beside another one that takes long. */
  pickSecond(candidates: readonly bigint[]): bigint | undefined {
    return candidates.find((peer) =>
      this.#rank(peer) === 0 && this.#hasRoom(peer) && !this.#isTooSlow(peer, candidates)
    );
  }

  /** Begins a request. */
  begin(peer: bigint, nowMs: number): Flight {
    const dealings = this.#of(peer);
    dealings.inFlight += 1;
    const inFlight = dealings.inFlight;
    let isOver = false;
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      dealings.inFlight -= 1;
      return true;
    };
    return {
      delivered: (bytes, endMs) => {
        if (!end()) return;
        dealings.isHolder = true;
        dealings.misses = dealings.stalls = 0;
        this.#measure(dealings, (endMs - nowMs) / Math.max(1, bytes) / inFlight);
        this.#wake();
      },
      ended: (isHolderFault) => {
        if (!end()) return;
        if (isHolderFault) {
          dealings.stalls += 1;
          dealings.window = 1;
        }
        this.#wake();
      },
    };
  }

  /** Resolves when a request has ended, and somebody may have room. */
  changed(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#waiters.delete(wake);
        reject(signal?.reason);
      };
      this.#waiters.add(wake);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** What a chunk takes a peer as a rule; `undefined` when nobody delivered yet. */
  typicalMs(bytes: number): number | undefined {
    const best = this.#bestMsPerByte([...this.#dealings.keys()]);
    return best === undefined ? undefined : best * bytes;
  }

  #of(peer: bigint): Dealings {
    let dealings = this.#dealings.get(peer);
    if (dealings === undefined) {
      dealings = {
        inFlight: 0,
        window: HOLDER_WINDOW_FIRST,
        msPerByte: undefined,
        misses: 0,
        stalls: 0,
        isHolder: false,
      };
      this.#dealings.set(peer, dealings);
    }
    return dealings;
  }

  #rank(peer: bigint): number {
    const dealings = this.#dealings.get(peer);
    const strikes = this.#reputation.strikes(peer);
    if (strikes > 0) return RANK_LIAR + strikes;
    if (dealings === undefined) return 1;
    if (dealings.misses >= MISSES_MAX) return RANK_LACKING;
    if (dealings.misses > 0) return 2;
    return dealings.isHolder ? 0 : 1;
  }

  #hasRoom(peer: bigint): boolean {
    const dealings = this.#dealings.get(peer);
    if (dealings?.isHolder === true) return dealings.inFlight < dealings.window;
    // Who is not known to have it gets one request, and few of them at once.
    if ((dealings?.inFlight ?? 0) > 0) return false;
    let probes = 0;
    for (const { isHolder, inFlight } of this.#dealings.values()) if (!isHolder) probes += inFlight;
    return probes < PROBES_MAX;
  }

  /** A peer without a measurement is taken for the best. */
  #expectedMs(peer: bigint): number {
    const dealings = this.#dealings.get(peer);
    if (dealings === undefined) return 0;
    return (dealings.inFlight + 1) * (dealings.msPerByte ?? 0);
  }

  /** True when the best one does as much as a whole window while this one does a chunk. */
  #isTooSlow(peer: bigint, others: readonly bigint[]): boolean {
    const own = this.#dealings.get(peer)?.msPerByte;
    const best = this.#bestMsPerByte(others);
    return own !== undefined && best !== undefined && own > SLOW_FACTOR * best;
  }

  #bestMsPerByte(peers: readonly bigint[]): number | undefined {
    let best: number | undefined;
    for (const peer of peers) {
      const dealings = this.#dealings.get(peer);
      if (dealings?.msPerByte === undefined || dealings.stalls > 0) continue;
      best = Math.min(best ?? Infinity, dealings.msPerByte);
    }
    return best;
  }

  #measure(dealings: Dealings, msPerByte: number): void {
    const before = dealings.msPerByte;
    dealings.msPerByte = before === undefined
      ? msPerByte
      : before + NEWEST_SHARE * (msPerByte - before);
    const best = this.#bestMsPerByte([...this.#dealings.keys()]) ?? msPerByte;
    // Keeping pace is half the speed of the best.
    const isInPace = dealings.msPerByte <= 2 * best;
    const window = dealings.window + (isInPace ? 1 : -1);
    dealings.window = Math.max(1, Math.min(HOLDER_WINDOW_MAX, window));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }
}

const RANK_LACKING = 3;
const RANK_LIAR = 4;
