/** When a relayed peer is next tried without its relay (`nrpc.md` 16): backoff with jitter, per peer. */
import {
  UPGRADE_JITTER,
  UPGRADE_PAUSE_MS,
  UPGRADE_PAUSE_MS_MAX,
  UPGRADE_PEERS_MAX,
} from "./limits.ts";

interface Entry {
  failures: number;
  dueAt: number;
}

/**
 * Knows which peers are due.
 *
 * @example
 * ```ts
 * import { UpgradeSchedule } from "./upgrade_schedule.ts";
 * const schedule = new UpgradeSchedule(() => 0);
 * console.assert(!schedule.isDue(7n, 0) && schedule.isDue(7n, 2_000));
 * ```
 */
export class UpgradeSchedule {
  readonly #random: () => number;
  readonly #entries = new Map<bigint, Entry>();

  /** @param random Numbers from 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Peers looked after. */
  get size(): number {
    return this.#entries.size;
  }

  /** True when the peer may be tried; one that is new may be after the first pause. */
  isDue(peer: bigint, now: number): boolean {
    const entry = this.#entries.get(peer);
    if (entry !== undefined) return now >= entry.dueAt;
    if (this.#entries.size < UPGRADE_PEERS_MAX) {
      this.#entries.set(peer, { failures: 0, dueAt: now + this.#pauseMs(0) });
    }
    return false;
  }

  /** The peer was busy: it is looked at again after the shortest pause. */
  onDeferred(peer: bigint, now: number): void {
    const entry = this.#entries.get(peer);
    if (entry !== undefined) entry.dueAt = now + this.#pauseMs(0);
  }

  /** The attempt failed: the pause doubles, up to 64 s. */
  onFailed(peer: bigint, now: number): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    entry.failures += 1;
    entry.dueAt = now + this.#pauseMs(entry.failures);
  }

  /** Forgets every peer that is not relayed any more. */
  keep(relayed: ReadonlySet<bigint>): void {
    for (const peer of this.#entries.keys()) if (!relayed.has(peer)) this.#entries.delete(peer);
  }

  #pauseMs(failures: number): number {
    const ms = Math.min(UPGRADE_PAUSE_MS * 2 ** Math.min(failures, 16), UPGRADE_PAUSE_MS_MAX);
    return ms * (1 + UPGRADE_JITTER * this.#random());
  }
}
