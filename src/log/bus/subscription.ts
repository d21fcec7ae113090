/** Reads a bus on and on: polls, waits a little when there is nothing, and remembers where it is. */
import { type Clock, systemClock } from "../../base/mod.ts";
import { BusError } from "./error.ts";
import type { EventBus, PollRequest, PollResponse, StoredEvent } from "./types.ts";

/** Options of {@linkcode subscribe}; the defaults are the reference's (`storage.md` 2.4). */
export interface SubscribeOptions extends Omit<PollRequest, "limit"> {
  /** Events of a poll, 100 unless given. */
  readonly limit?: number;
  /** Pause after a poll that gave nothing, 5 unless given; doubled up to 100 while nothing comes. */
  readonly pollMs?: number;
  /** Ends the subscription, without an error. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Is told of a poll with failed shards or missed events; by default the first failed shard is thrown. */
  readonly onTrouble?: (page: PollResponse) => void;
  /** Leaves out events that were given already, such as a `RedisStreamDedup`: Redis keeps what was written twice. */
  readonly dedup?: { filter(events: readonly StoredEvent[]): StoredEvent[] };
}

/** Events as they come. */
export interface Subscription extends AsyncIterable<StoredEvent> {
  /** Where another subscription would go on so as to get each event at least once. */
  readonly cursor: string | undefined;
  /** Pages instead of events. */
  pages(): AsyncIterable<PollResponse>;
}

const LIMIT_DEFAULT = 100;
const POLL_DEFAULT_MS = 5;
const PAUSE_MAX_MS = 100;

/**
 * Subscribes to a bus. A subscription has one reader; it ends when its loop is left, its signal fires, or the bus
 * is shut down, the last with an error.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { createMemoryAdapter } from "./adapters/memory.ts";
 * import { createEventBus } from "./bus.ts";
 * import { subscribe } from "./subscription.ts";
 * await using bus = await createEventBus({ clock: systemClock, adapter: createMemoryAdapter() });
 * bus.ingest("hello");
 * for await (const event of subscribe(bus)) {
 *   console.assert(event.raw.length === 7);
 *   break;
 * }
 * ```
 */
export function subscribe(
  bus: Pick<EventBus, "poll">,
  options: SubscribeOptions = {},
): Subscription {
  return new Polling(bus, options);
}

class Polling implements Subscription {
  cursor: string | undefined;
  readonly #bus: Pick<EventBus, "poll">;
  readonly #options: SubscribeOptions;

  constructor(bus: Pick<EventBus, "poll">, options: SubscribeOptions) {
    this.#bus = bus;
    this.#options = options;
    this.cursor = options.fromId;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StoredEvent> {
    for await (const { events } of this.pages()) yield* events;
  }

  async *pages(): AsyncGenerator<PollResponse> {
    const { filter, ordering, shards, signal, dedup, limit = LIMIT_DEFAULT } = this.#options;
    const pollMs = this.#options.pollMs ?? POLL_DEFAULT_MS;
    let pauseMs = pollMs;
    while (!signal?.aborted) {
      const fromId = this.cursor;
      const polled = await this.#poll({ fromId, limit, filter, ordering, shards });
      if (polled === undefined) return;
      const page = dedup === undefined
        ? polled
        : { ...polled, events: dedup.filter(polled.events) };
      this.#report(page);
      // A page whose reader does not come back is asked for again by whoever takes the cursor.
      if (page.events.length > 0 || page.missed.length > 0) yield page;
      this.cursor = page.nextId;
      if (page.hasMore || page.events.length > 0) pauseMs = pollMs;
      if (page.hasMore) continue;
      await pause(this.#options.clock ?? systemClock, pauseMs, signal);
      if (page.events.length === 0) pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2);
    }
  }

  async #poll(request: PollRequest): Promise<PollResponse | undefined> {
    const { signal } = this.#options;
    try {
      return await this.#bus.poll(request, signal);
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  #report(page: PollResponse): void {
    const { onTrouble } = this.#options;
    const [failed] = page.failedShards;
    if (failed === undefined && page.missed.length === 0) return;
    if (onTrouble !== undefined) onTrouble(page);
    else if (failed !== undefined) throw new BusError("fatal", failed.error);
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
