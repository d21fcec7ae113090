/** The adapter that keeps the newest events of each shard in memory; ids are decimal and count from 0. */
import { BusError } from "../error.ts";
import { eventIdKind } from "../event_id.ts";
import { refuseUnknown, requireWhole } from "../option_checks.ts";
import type { BusAdapter, ShardPoll, StoredEvent } from "../types.ts";

/** Options of {@linkcode createMemoryAdapter}. */
export interface MemoryAdapterOptions {
  /** Events kept per shard; the oldest go. Default 65,536. */
  readonly eventsMax?: number;
}

const EVENTS_DEFAULT = 65_536;
const EVENTS_MAX = 1 << 24;
/** Events are forgotten in steps, so that forgetting costs nothing per event. */
const SLACK = 1.25;

interface KeptShard {
  /** Id of the first event that is kept. */
  first: number;
  events: StoredEvent[];
  /** Number behind the last one kept, by producer: tells a batch that comes again. */
  readonly producers: Map<bigint, bigint>;
}

/** Creates an adapter for a bus whose events may go when the process ends. @throws BusError `config`. */
export function createMemoryAdapter(options: MemoryAdapterOptions = {}): BusAdapter {
  refuseUnknown("option of the memory adapter", options, ["eventsMax"]);
  const eventsMax = options.eventsMax ?? EVENTS_DEFAULT;
  requireWhole("eventsMax", eventsMax, 1, EVENTS_MAX);
  const shards = new Map<number, KeptShard>();
  let isRunning = false;
  const requireRunning = () => {
    if (!isRunning) throw new BusError("fatal", "Cannot use adapter: it was stopped");
  };
  const shardOf = (shard: number): KeptShard => {
    const kept = shards.get(shard) ?? { first: 0, events: [], producers: new Map() };
    shards.set(shard, kept);
    return kept;
  };
  return {
    name: "memory",
    start: () => {
      isRunning = true;
      return Promise.resolve();
    },
    write: async (batch) => {
      await null;
      requireRunning();
      const kept = shardOf(batch.shard);
      const end = batch.sequenceStart + BigInt(batch.events.length);
      if ((kept.producers.get(batch.producerNonce) ?? 0n) >= end) return;
      kept.producers.set(batch.producerNonce, end);
      for (const { raw, insertionTs } of batch.events) {
        const id = String(kept.first + kept.events.length);
        // A view would keep all of the segment it lies in.
        kept.events.push({ id, raw: raw.slice(), insertionTs, shard: batch.shard });
      }
      const excess = kept.events.length - eventsMax;
      if (excess > 0 && kept.events.length > eventsMax * SLACK) {
        kept.events = kept.events.slice(excess);
        kept.first += excess;
      }
    },
    poll: async (shard, fromId, limit) => {
      await null;
      requireRunning();
      return pollKept(shards.get(shard), fromId, limit);
    },
    flush: async () => {
      await null;
      requireRunning();
    },
    stop: () => {
      isRunning = false;
      return Promise.resolve();
    },
    isHealthy: () => Promise.resolve(isRunning),
    shards: () => Promise.resolve([...shards.keys()]),
    lastInsertionTs: (shard) => Promise.resolve(shards.get(shard)?.events.at(-1)?.insertionTs),
  };
}

function pollKept(
  kept: KeptShard | undefined,
  fromId: string | undefined,
  limit: number,
): ShardPoll {
  if (kept === undefined) return { events: [], nextId: fromId, hasMore: false };
  if (fromId !== undefined && eventIdKind(fromId) !== "numeric") {
    throw new BusError("cursor", "Cannot poll shard: its ids are decimal numbers", {
      next: "the bus has another engine than when the cursor was made: start without it",
    });
  }
  const from = fromId === undefined ? 0 : Number(fromId) + 1 - kept.first;
  const events = kept.events.slice(Math.max(0, from), Math.max(0, from) + limit);
  return {
    events,
    nextId: events.at(-1)?.id ?? fromId,
    hasMore: Math.max(0, from) + events.length < kept.events.length,
    missed: fromId !== undefined && from < 0 ? BigInt(-from) : 0n,
  };
}
