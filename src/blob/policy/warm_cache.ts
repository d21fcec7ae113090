/**
 * What a cache of bounded size takes and what it gives up for it: the coldest goes first, nothing goes for
 * something colder, and nothing goes that came just now. So the quota holds after every admission, and a scan
 * over much that is read once does not wash out what is read often.
 *
 * Only names and sizes are kept here; the bytes are the caller's.
 */
import { WARM_ENTRIES_MAX } from "./limits.ts";

/** Settings of a cache. */
export interface WarmCacheOptions {
  readonly capBytes: number;
  /** Most that one entry takes; the whole cache when left out. */
  readonly entryCapBytes?: number;
  readonly entriesMax?: number;
  /** An entry stays for so long, whatever else would come. */
  readonly restMs: number;
}

/** How warm something is; a newcomer is asked for by the same name. */
export type WarmthOf = (key: string, nowMs: number) => number;

/** The outcome: names that go, or why nothing comes in. */
export type WarmAdmission =
  | { readonly isAdmitted: true; readonly isNew: boolean; readonly evicted: readonly string[] }
  | { readonly isAdmitted: false; readonly reason: "too_large" | "colder" | "resting" };

interface Entry {
  bytes: number;
  readonly sinceMs: number;
}

/** Entries looked at for the coldest: those without use for the longest time. */
const LOOK_MAX = 64;

/**
 * Names with sizes below a quota.
 *
 * @example
 * ```ts
 * import { WarmCache } from "./warm_cache.ts";
 * const cache = new WarmCache({ capBytes: 10, restMs: 0 }, (key) => key === "hot" ? 5 : 0);
 * console.assert(cache.admit("hot", 6, 0).isAdmitted);
 * console.assert(!cache.admit("cold", 6, 1).isAdmitted && cache.bytes === 6);
 * ```
 */
export class WarmCache {
  #options: WarmCacheOptions;
  readonly #warmthOf: WarmthOf;
  /** In the order of their last use, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(options: WarmCacheOptions, warmthOf: WarmthOf) {
    this.#options = options;
    this.#warmthOf = warmthOf;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of one entry; `undefined` when it is not here. */
  bytesOf(key: string): number | undefined {
    return this.#entries.get(key)?.bytes;
  }

  /** Takes bytes in, for a new entry or on top of an old one, whose oldest bytes go when it is full. */
  admit(key: string, bytes: number, nowMs: number): WarmAdmission {
    const { capBytes, entryCapBytes = capBytes, entriesMax = WARM_ENTRIES_MAX } = this.#options;
    if (bytes > Math.min(capBytes, entryCapBytes)) {
      return { isAdmitted: false, reason: "too_large" };
    }
    const known = this.#entries.get(key);
    const before = known?.bytes ?? 0;
    const after = Math.min(before + bytes, entryCapBytes, capBytes);
    const isOneMore = known === undefined && this.#entries.size >= entriesMax;
    const plan = this.#planRoom(key, this.#bytes - before + after - capBytes, isOneMore, nowMs);
    if (typeof plan === "string") return { isAdmitted: false, reason: plan };
    for (const victim of plan) this.remove(victim);
    this.#entries.delete(key);
    this.#entries.set(key, { bytes: after, sinceMs: known?.sinceMs ?? nowMs });
    this.#bytes += after - before;
    return { isAdmitted: true, isNew: known === undefined, evicted: plan };
  }

  /** Says that an entry was used. */
  touch(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return true;
  }

  /** Forgets an entry. */
  remove(key: string): boolean {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    return this.#entries.delete(key);
  }

  /** Sets what an entry really takes, after a look at its file. */
  resync(key: string, bytes: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
  }

  /** Goes on with other settings; the names that go because the quota is smaller now. */
  configure(options: WarmCacheOptions, nowMs: number): readonly string[] {
    this.#options = options;
    return this.shrink(nowMs);
  }

  /**
   * Brings the cache below its quota, or below fewer bytes, rest or not: after a smaller quota, with files that are
   * larger than thought, or on a disk that is full.
   */
  shrink(nowMs: number, bytesMax = Infinity): readonly string[] {
    const { capBytes, entriesMax = WARM_ENTRIES_MAX } = this.#options;
    const mostBytes = Math.min(capBytes, bytesMax);
    const evicted: string[] = [];
    while (this.#bytes > mostBytes || this.#entries.size > entriesMax) {
      const coldest = this.#coldest(new Set(), nowMs, true);
      if (coldest === undefined) break;
      evicted.push(coldest.key);
      this.remove(coldest.key);
    }
    return evicted;
  }

  /** Names to be given up for so many bytes, or why there is no room. */
  #planRoom(
    key: string,
    bytesMissing: number,
    isOneMore: boolean,
    nowMs: number,
  ): readonly string[] | "colder" | "resting" {
    const victims = new Set<string>([key]);
    const warmth = this.#warmthOf(key, nowMs);
    let missing = bytesMissing;
    while (missing > 0 || (isOneMore && victims.size === 1)) {
      const coldest = this.#coldest(victims, nowMs);
      if (coldest === undefined) return "resting";
      if (coldest.warmth > warmth) return "colder";
      victims.add(coldest.key);
      missing -= coldest.bytes;
    }
    victims.delete(key);
    return [...victims];
  }

  /** The coldest of those without use for the longest time; an entry that rests only when there is no quota for it. */
  #coldest(
    except: ReadonlySet<string>,
    nowMs: number,
    isForced = this.#bytes > this.#options.capBytes,
  ): { readonly key: string; readonly warmth: number; readonly bytes: number } | undefined {
    let best: { key: string; warmth: number; bytes: number } | undefined;
    let looked = 0;
    for (const [key, { bytes, sinceMs }] of this.#entries) {
      if (except.has(key)) continue;
      if (++looked > LOOK_MAX && (best !== undefined || looked > 16 * LOOK_MAX)) break;
      if (!isForced && nowMs - sinceMs < this.#options.restMs) continue;
      const warmth = this.#warmthOf(key, nowMs);
      if (best === undefined || warmth < best.warmth) best = { key, warmth, bytes };
    }
    return best;
  }
}
