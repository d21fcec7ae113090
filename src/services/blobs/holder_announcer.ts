/**
 * Says in the node's announcement which blobs are here (`dataforts.md` 15): so many as there is room for, those
 * first that others should find first.
 *
 * A busy store changes all the time and announcements cost everybody something. So what is said follows soon
 * after a quiet time, and then in steps of half a minute.
 */
import type { Clock } from "../../base/mod.ts";
import { chooseHolderTags, type HeldRoot, HOLDER_TAGS_MAX } from "../../blob/mod.ts";
import type { CounterSet, Log } from "../../observe/mod.ts";
import type { CapabilityFacts } from "../capabilities/mod.ts";

/** What {@linkcode HolderAnnouncer} needs. */
export interface HolderAnnouncerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly capabilities: { contribute(source: string, facts: CapabilityFacts | undefined): void };
  /** Whole blobs of this node, at most `limit` of each rank, newest first. */
  readonly roots: (limit: number) => Promise<Iterable<HeldRoot>>;
}

const SOURCE = "blob_holdings";
/** A put of many files, or a copy that has just come, is said in one. */
const QUIET_MS = 300;
/** Time between two changes of what is said: the announcements that others take of a node are few. */
const STEP_MS = 30_000;

/** Keeps the holder tags of a node. */
export class HolderAnnouncer {
  readonly #deps: HolderAnnouncerDeps;
  #tags: readonly string[] = [];
  #saidAtMs = -STEP_MS;
  #cancelTimer: (() => void) | undefined;
  #isRunning = false;
  #updates = 0;

  constructor(deps: HolderAnnouncerDeps) {
    this.#deps = deps;
  }

  /** Tags that are announced now, as far as there is room. */
  get tags(): readonly string[] {
    return this.#tags;
  }

  get counters(): CounterSet {
    return {
      announced: this.#tags.length,
      updates_total: this.#updates,
    };
  }

  /** Says what is here, and follows it from now on. */
  async start(): Promise<void> {
    this.#isRunning = true;
    await this.#update();
  }

  stop(): void {
    this.#isRunning = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Something came or went. */
  noteChange(): void {
    if (!this.#isRunning || this.#cancelTimer !== undefined) return;
    const { clock, log } = this.#deps;
    const waitMs = Math.max(QUIET_MS, this.#saidAtMs + STEP_MS - clock.now());
    this.#cancelTimer = clock.after(waitMs, () => {
      this.#cancelTimer = undefined;
      this.#update().catch((error) => {
        log.warn("holdings_not_announced", {
          reason: error instanceof Error ? error.message : String(error),
        });
      });
    });
  }

  async #update(): Promise<void> {
    const { clock, roots, capabilities } = this.#deps;
    const chosen = chooseHolderTags(await roots(HOLDER_TAGS_MAX));
    if (!this.#isRunning || isSame(chosen, this.#tags)) return;
    // Others need room in the announcement too, and more.
    capabilities.contribute(SOURCE, { tags: chosen, isYielding: true });
    this.#tags = chosen;
    this.#saidAtMs = clock.now();
    this.#updates += 1;
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  const known = new Set(b);
  return a.every((tag) => known.has(tag));
}
