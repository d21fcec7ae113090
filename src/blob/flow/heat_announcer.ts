/**
 * Tells others which chunks are read here (`dataforts.md` 16): the hottest, in one announcement, no more often
 * than their rates can have changed, and not at all when the tags would be the same. What was not told is told
 * by the next tick.
 */
import { blobHeatTag } from "../../core/capability/mod.ts";
import { HEAT_TAGS_OWN_MAX, type HeatRegistry, type HeatUpdate } from "../policy/mod.ts";
import { HEAT_GAP_MS } from "./limits.ts";

/** Says tags in the place of those said before; false when they do not fit in the announcement. */
export type SayTags = (tags: readonly string[]) => boolean;

/** Below this a tag would say 0.00. */
const VISIBLE_MIN = 0.005;

/** Tells the heat of one registry. */
export class HeatAnnouncer {
  readonly #registry: HeatRegistry;
  readonly #say: SayTags;
  #shown: readonly string[] = [];
  #toldAtMs = -Infinity;

  constructor(registry: HeatRegistry, say: SayTags) {
    this.#registry = registry;
    this.#say = say;
  }

  /** Tags that others were told. */
  get shown(): readonly string[] {
    return this.#shown;
  }

  /** Tells what has changed, when it is time. */
  tick(nowMs: number): void {
    if (nowMs - this.#toldAtMs < HEAT_GAP_MS) return;
    const updates = this.#registry.tick(nowMs);
    if (updates.length === 0) return;
    const ranked = this.#ranked(updates);
    const shown = this.#show(ranked.map(([key, rate]) => tagOf(key, rate)), nowMs);
    const left = new Set(ranked.slice(shown ?? 0).map(([key]) => key));
    const isTold = ({ key }: HeatUpdate) => shown !== undefined && !left.has(key);
    this.#registry.settle(updates.filter(isTold), true, nowMs);
    this.#registry.settle(updates.filter((update) => !isTold(update)), false, nowMs);
  }

  /** Takes everything back that was told. */
  withdraw(): void {
    if (this.#shown.length > 0) this.#say([]);
    this.#shown = [];
    this.#toldAtMs = -Infinity;
  }

  /** What is to be shown, the hottest first. */
  #ranked(updates: readonly HeatUpdate[]): (readonly [key: string, rate: number])[] {
    const rates = new Map(this.#registry.announced().map(({ key, rate }) => [key, rate]));
    for (const { key, rate } of updates) rates.set(key, rate);
    return [...rates].filter(([, rate]) => rate >= VISIBLE_MIN)
      .sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1))
      .slice(0, HEAT_TAGS_OWN_MAX);
  }

  /** Says as many of these as fit; how many, `undefined` when not even fewer could be said. */
  #show(tags: readonly string[], nowMs: number): number | undefined {
    for (let count = tags.length;; count = Math.floor(count / 2)) {
      const chosen = tags.slice(0, count);
      if (isSame(chosen, this.#shown)) return count;
      if (this.#say(chosen)) {
        this.#shown = chosen;
        this.#toldAtMs = nowMs;
        return count;
      }
      if (count === 0) return undefined;
    }
  }
}

function tagOf(hex: string, rate: number): string {
  return blobHeatTag(Uint8Array.fromHex(hex), rate);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((tag, i) => tag === b[i]);
}
