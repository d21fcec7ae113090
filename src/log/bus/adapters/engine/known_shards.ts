/** Shards that an engine keeps events of, asked for now and then: every poll of all shards wants to know. */
import type { Clock } from "../../../../base/mod.ts";
import { SHARDS_KNOWN_MS } from "./limits.ts";

/** Remembers the answer for a while. */
export class KnownShards {
  readonly #clock: Clock;
  #answer: { readonly atMs: number; readonly shards: readonly number[] } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The shards, asked for when that was too long ago. */
  async get(ask: () => Promise<readonly number[]>): Promise<readonly number[]> {
    const known = this.#answer;
    const nowMs = this.#clock.now();
    if (known !== undefined && nowMs - known.atMs < SHARDS_KNOWN_MS) return known.shards;
    const shards = await ask();
    this.#answer = { atMs: nowMs, shards };
    return shards;
  }

  /** Asks again next time. */
  forget(): void {
    this.#answer = undefined;
  }
}
