/**
 * Pages of the bus for one who polls: to the end, or on and on. An engine that is away is waited for, an event that
 * can't be read is passed over and told of, and each page says where a reader that ends there goes on.
 */
import type { Clock } from "../../base/mod.ts";
import {
  BusError,
  type EventBus,
  type PollRequest,
  type PollResponse,
  skipEvent,
  type StoredEvent,
} from "../../log/mod.ts";
import type { CallContext } from "../method.ts";
import { payloadFields } from "./log_view.ts";

/** Events of one page, and events and bytes of one message. */
const PAGE_EVENTS = 1_000;
const MESSAGE_EVENTS = 500;
const MESSAGE_BYTES = 256 * 1024;
/** A larger event does not fit a reply; whoever published it that large reads it from the engine. */
const SHOWN_BYTES_MAX = 8 * 1024 * 1024;

/** Pause after a poll that gave nothing; doubled up to the longest while nothing comes (`storage.md` 2.4). */
const PAUSE_MS = 5;
const PAUSE_MS_MAX = 100;
/** Pause while the engine is away. */
const AWAY_MS = 1_000;

/** Who polls, and what. */
export interface PageReader {
  readonly bus: Pick<EventBus, "poll">;
  readonly clock: Clock;
  /** Aborted when the caller has left, or the node stops. */
  readonly signal: AbortSignal;
  readonly context: Pick<CallContext, "send">;
}

/** What is wanted. */
export interface PageAsk extends Pick<PollRequest, "filter" | "ordering" | "shards"> {
  readonly cursor: string | undefined;
  /** Events until it ends. */
  readonly limit: number;
  /** Goes on when there is nothing more. */
  readonly isFollowing: boolean;
}

/** Sends pages; the result says where to go on. */
export async function sendPages(reader: PageReader, ask: PageAsk): Promise<object> {
  const { context, signal } = reader;
  const { filter, ordering, shards } = ask;
  const trouble = new TroubleNotes(reader);
  let events = 0;
  let cursor = ask.cursor;
  let pauseMs = PAUSE_MS;
  await context.send({ polling: true });
  for (;;) {
    const limit = Math.min(PAGE_EVENTS, ask.limit - events);
    const page = await trouble.during(
      () => reader.bus.poll({ filter, ordering, shards, fromId: cursor, limit }, signal),
      ask.isFollowing,
    );
    signal.throwIfAborted();
    if (page === undefined) {
      await pause(reader, AWAY_MS);
      continue;
    }
    const before = cursor;
    const passed = page.failedShards.filter(({ damagedId }) => damagedId !== undefined);
    cursor = page.nextId ?? cursor;
    for (const { shard, damagedId = "" } of passed) cursor = skipEvent(cursor, shard, damagedId);
    events += page.events.length;
    await trouble.tell(page);
    await sendEvents(page.events, cursor, context);
    const hasMoved = cursor !== before;
    const hasMore = (page.hasMore || passed.length > 0) && hasMoved;
    if (events >= ask.limit) return { events, next: cursor ?? null, has_more: hasMore };
    if (hasMore) continue;
    if (!ask.isFollowing) return { events, next: cursor ?? null, has_more: page.hasMore };
    pauseMs = hasMoved ? PAUSE_MS : Math.min(PAUSE_MS_MAX, pauseMs * 2);
    await pause(reader, pauseMs);
  }
}

/** Tells of what is wrong when it begins to be, not with every poll. */
class TroubleNotes {
  readonly #reader: PageReader;
  #failed = "";
  #isAway = false;

  constructor(reader: PageReader) {
    this.#reader = reader;
  }

  /** The outcome of a poll; `undefined` when the engine is away and whoever reads waits for it. */
  async during(
    poll: () => Promise<PollResponse>,
    isPatient: boolean,
  ): Promise<PollResponse | undefined> {
    try {
      const page = await poll();
      this.#isAway = false;
      return page;
    } catch (error) {
      const { signal, context } = this.#reader;
      signal.throwIfAborted();
      if (!isPatient || !(error instanceof BusError) || !error.isRetryable) throw error;
      if (!this.#isAway) await context.send({ away: error.message });
      this.#isAway = true;
      return undefined;
    }
  }

  async tell(page: PollResponse): Promise<void> {
    const damaged = page.failedShards.filter(({ damagedId }) => damagedId !== undefined);
    const failed = page.failedShards.filter(({ damagedId }) => damagedId === undefined)
      .map(({ shard, error }) => ({ shard, error }));
    const missed = [
      ...page.missed.map(({ shard, events }) => ({ shard, events: Number(events) })),
      ...damaged.map(({ shard }) => ({ shard, events: 1 })),
    ];
    const text = JSON.stringify(failed);
    const isNews = failed.length > 0 && text !== this.#failed;
    this.#failed = text;
    if (!isNews && missed.length === 0) return;
    await this.#reader.context.send({ missed, failed: isNews ? failed : [] });
  }
}

async function sendEvents(
  events: readonly StoredEvent[],
  cursor: string | undefined,
  context: Pick<CallContext, "send">,
): Promise<void> {
  let at = 0;
  while (at < events.length) {
    const items: object[] = [];
    let bytes = 0;
    for (; at < events.length && items.length < MESSAGE_EVENTS; at++) {
      const event = events[at];
      if (event === undefined || (items.length > 0 && bytes > MESSAGE_BYTES)) break;
      bytes += event.raw.length;
      items.push(describeStored(event));
    }
    const isLast = at >= events.length;
    await context.send({ items, ...(isLast && cursor !== undefined ? { cursor } : {}) });
  }
}

function describeStored({ id, raw, insertionTs, shard, dedupId }: StoredEvent): object {
  return {
    id,
    shard,
    insertion_ts: String(insertionTs),
    ...(dedupId === undefined ? {} : { dedup_id: dedupId }),
    ...(raw.length > SHOWN_BYTES_MAX ? { omitted_bytes: raw.length } : payloadFields(raw)),
  };
}

/** @throws The signal's reason. */
async function pause({ clock, signal }: PageReader, ms: number): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await promise;
  cancel();
  signal.removeEventListener("abort", onAbort);
  signal.throwIfAborted();
}
