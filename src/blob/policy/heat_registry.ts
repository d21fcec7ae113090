/**
 * The heat of many things, and what of it is told to others (`dataforts.md` 16): reads raise it, a tick
 * decides what to announce, and what the announcement came to is told back, so that a failed one is tried
 * again by the next tick.
 *
 * Keys are texts, for chunks the hash in hex. The least recently read makes room for a new one.
 */
import {
  bumpHeat,
  coolHeat,
  decayRate,
  decideEmission,
  type Emission,
  type EmissionRule,
  type Heat,
} from "./heat.ts";
import { HEAT_ENTRIES_MAX, HEAT_TAGS_OWN_MAX, HEAT_TAGS_PER_ANNOUNCEMENT_MAX } from "./limits.ts";

/** Settings of a registry. */
export interface HeatRegistryOptions extends EmissionRule {
  readonly halfLifeMs: number;
  /** 0 keeps nothing. 8192 when left out. */
  readonly entriesMax?: number;
}

/** One change to be announced. */
export interface HeatUpdate {
  readonly key: string;
  readonly kind: Exclude<Emission, "suppress">;
  /** Not normalised. */
  readonly rate: number;
}

/** Counters of a registry. */
export interface HeatCounters {
  bumps: number;
  evicted: number;
  /** Updates that an announcement carried; `dataforts_gravity_emit_total`. */
  emitted: number;
  failed: number;
}

interface Entry {
  heat: Heat;
  lastEmitted: number | undefined;
  isInFlight: boolean;
}

/**
 * Rates by key.
 *
 * @example
 * ```ts
 * import { HeatRegistry } from "./heat_registry.ts";
 * const chunks = new HeatRegistry({ isEnabled: true, thresholdRatio: 2, halfLifeMs: 60_000 });
 * chunks.bump("ab", 0);
 * const updates = chunks.tick(0);
 * console.assert(updates[0]?.kind === "emit" && updates[0].rate === 1);
 * chunks.settle(updates, true, 0);
 * console.assert(chunks.tick(0).length === 0);
 * ```
 */
export class HeatRegistry {
  readonly counters: HeatCounters = { bumps: 0, evicted: 0, emitted: 0, failed: 0 };
  /** In the order of their last read, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  #options: HeatRegistryOptions;

  constructor(options: HeatRegistryOptions) {
    this.#options = options;
  }

  /** Things whose heat is kept; `dataforts_gravity_heat_registry_size`. */
  get size(): number {
    return this.#entries.size;
  }

  /** Goes on with other settings; what does not fit any more is forgotten. */
  configure(options: HeatRegistryOptions, nowMs: number): void {
    for (const entry of this.#entries.values()) {
      entry.heat = coolHeat(entry.heat, nowMs, this.#options.halfLifeMs);
    }
    this.#options = options;
    this.#shrink();
  }

  /** Counts one read; the rate after it. */
  bump(key: string, nowMs: number): number {
    this.counters.bumps += 1;
    const { halfLifeMs } = this.#options;
    const known = this.#entries.get(key);
    const heat = bumpHeat(known?.heat ?? { rate: 0, atMs: nowMs }, nowMs, halfLifeMs);
    this.#entries.delete(key);
    this.#entries.set(key, known ?? { heat, lastEmitted: undefined, isInFlight: false });
    if (known !== undefined) known.heat = heat;
    this.#shrink();
    return heat.rate;
  }

  /** The rate now; `undefined` for what was never read, or so long ago that it was forgotten. */
  rateOf(key: string, nowMs: number): number | undefined {
    const heat = this.#entries.get(key)?.heat;
    return heat && decayRate(heat.rate, nowMs - heat.atMs, this.#options.halfLifeMs);
  }

  /** Everything that is known, the coldest first, ties by key. */
  coldest(nowMs: number): { readonly key: string; readonly rate: number }[] {
    const { halfLifeMs } = this.#options;
    return [...this.#entries]
      .map(([key, { heat }]) => ({
        key,
        rate: decayRate(heat.rate, nowMs - heat.atMs, halfLifeMs),
      }))
      .sort((a, b) => a.rate - b.rate || (a.key < b.key ? -1 : 1));
  }

  /**
   * What is to be announced now, in one announcement: withdrawals, then the hottest. Each counts as under way
   * until {@linkcode HeatRegistry.settle}.
   */
  tick(nowMs: number): HeatUpdate[] {
    const { halfLifeMs } = this.#options;
    const updates: HeatUpdate[] = [];
    for (const [key, { heat, lastEmitted, isInFlight }] of this.#entries) {
      if (isInFlight) continue;
      const rate = decayRate(heat.rate, nowMs - heat.atMs, halfLifeMs);
      const kind = decideEmission(rate, lastEmitted, this.#options);
      if (kind !== "suppress") updates.push({ key, kind, rate });
      else if (rate === 0 && (lastEmitted ?? 0) === 0) this.#entries.delete(key);
    }
    const chosen = updates.sort((a, b) => rank(b) - rank(a) || (a.key < b.key ? -1 : 1))
      .slice(0, HEAT_TAGS_PER_ANNOUNCEMENT_MAX);
    for (const { key } of chosen) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) entry.isInFlight = true;
    }
    return chosen;
  }

  /**
   * What others were told, the hottest first: for an announcement that is made anew as a whole. No more than a
   * peer believes.
   */
  announced(): { readonly key: string; readonly rate: number }[] {
    return [...this.#entries]
      .map(([key, { lastEmitted }]) => ({ key, rate: lastEmitted ?? 0 }))
      .filter(({ rate }) => rate > 0)
      .sort((a, b) => b.rate - a.rate || (a.key < b.key ? -1 : 1))
      .slice(0, HEAT_TAGS_OWN_MAX);
  }

  /** Says what became of the announcement of a tick's updates. */
  settle(updates: readonly HeatUpdate[], isAnnounced: boolean, nowMs: number): void {
    this.counters[isAnnounced ? "emitted" : "failed"] += updates.length;
    for (const { key, rate } of updates) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      entry.isInFlight = false;
      if (!isAnnounced) continue;
      entry.lastEmitted = rate;
      if (rate === 0 && this.rateOf(key, nowMs) === 0) this.#entries.delete(key);
    }
  }

  /** Forgets one; true when something was told of it that is to be taken back. */
  drop(key: string): boolean {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    return entry !== undefined && (entry.isInFlight || (entry.lastEmitted ?? 0) > 0);
  }

  #shrink(): void {
    const { entriesMax = HEAT_ENTRIES_MAX } = this.#options;
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= entriesMax) return;
      this.#entries.delete(key);
      this.counters.evicted += 1;
    }
  }
}

function rank({ kind, rate }: HeatUpdate): number {
  return kind === "withdraw" ? Infinity : rate;
}
