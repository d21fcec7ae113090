/**
 * A poll: asks every shard's engine for what is behind its cursor, filters, merges, cuts at the limit, and says
 * where to go on (`storage.md` 2.4). An event is given once, however it is cut.
 */
import type { Clock } from "../../base/mod.ts";
import { type CursorMap, decodeCursor, encodeCursor } from "./cursor.ts";
import { toBusError, withTimeout } from "./dispatch.ts";
import { BusError } from "./error.ts";
import { eventIdKind } from "./event_id.ts";
import { compileFilter } from "./filter.ts";
import { EVENT_ID_MAX, POLL_EVENTS_MAX, SHARD_FETCH_MAX, SHARDS_MAX } from "./limits.ts";
import { mergeShards, type MergeSource } from "./merge.ts";
import type { BusAdapter, PollRequest, PollResponse, ShardPoll, StoredEvent } from "./types.ts";

/** What a poll needs. */
export interface PollDeps {
  readonly clock: Clock;
  readonly adapter: BusAdapter;
  readonly timeoutMs: number;
  /** Shards there are, in any order. */
  readonly shards: () => Promise<readonly number[]>;
}

/** What one shard gave. */
interface ShardAnswer {
  readonly shard: number;
  readonly from: string | undefined;
  readonly poll: ShardPoll;
  /** Events that pass the filter, in the engine's order. */
  readonly wanted: readonly StoredEvent[];
}

interface ShardFailure {
  readonly shard: number;
  readonly error: BusError;
}

/** Without a filter twice as many as needed are fetched, with one three times: shards are not equally full. */
const OVER_FETCH = { plain: 2, filtered: 3 };

/**
 * Polls.
 *
 * @throws BusError `cursor`, `filter` and `config` for what is asked, the engine's own when every shard failed.
 */
export async function pollShards(
  deps: PollDeps,
  request: PollRequest,
  signal?: AbortSignal,
): Promise<PollResponse> {
  const { limit } = request;
  if (!Number.isSafeInteger(limit) || limit < 0 || limit > POLL_EVENTS_MAX) {
    throw new BusError("config", `Cannot poll: limit is ${limit}, must be 0..${POLL_EVENTS_MAX}`);
  }
  const { ordering = "none" } = request;
  if (ordering !== "none" && ordering !== "insertion_ts") {
    const shown = JSON.stringify(String(ordering).slice(0, 24));
    throw new BusError(
      "config",
      `Cannot poll: ordering is ${shown}, must be none or insertion_ts`,
    );
  }
  const cursor: CursorMap = request.fromId === undefined ? new Map() : decodeCursor(request.fromId);
  const isWanted = request.filter && compileFilter(request.filter);
  const shards = limit === 0 ? [] : await shardsOf(deps, request);
  if (shards.length === 0) return nothing(request);
  const share = Math.ceil(limit / shards.length) *
    (isWanted ? OVER_FETCH.filtered : OVER_FETCH.plain);
  const fetch = Math.min(share, SHARD_FETCH_MAX);
  const answers: ShardAnswer[] = [];
  const failures: ShardFailure[] = [];
  await Promise.all(shards.map(async (shard) => {
    const from = cursor.get(shard);
    try {
      const poll = await fetchShard(deps, { shard, from, fetch }, signal);
      const wanted = isWanted ? poll.events.filter(({ raw }) => isWanted(raw)) : poll.events;
      answers.push({ shard, from, poll, wanted });
    } catch (thrown) {
      signal?.throwIfAborted();
      failures.push({ shard, error: toBusError(thrown, `Cannot poll shard ${shard}`) });
    }
  }));
  const [failure] = failures.sort((a, b) => a.shard - b.shard);
  if (failure !== undefined && answers.length === 0) throw failure.error;
  answers.sort((a, b) => a.shard - b.shard);
  const events = mergeShards(answers.map(sourceOf), limit, ordering);
  return respond(request, cursor, { answers, failures, events, isCutAtShardCap: share > fetch });
}

function sourceOf({ poll, wanted }: ShardAnswer): MergeSource {
  let frontier: bigint | undefined;
  if (poll.hasMore) {
    for (const { insertionTs } of poll.events) {
      if (frontier === undefined || insertionTs > frontier) frontier = insertionTs;
    }
  }
  return { events: wanted, frontier };
}

interface Gathered {
  readonly answers: readonly ShardAnswer[];
  readonly failures: readonly ShardFailure[];
  readonly events: readonly StoredEvent[];
  readonly isCutAtShardCap: boolean;
}

function respond(request: PollRequest, cursor: CursorMap, gathered: Gathered): PollResponse {
  const { answers, failures, events, isCutAtShardCap } = gathered;
  const given = new Map<number, number>();
  for (const { shard } of events) given.set(shard, (given.get(shard) ?? 0) + 1);
  const next = new Map(cursor);
  const stalledShards: number[] = [];
  const missed: { readonly shard: number; readonly events: bigint }[] = [];
  let hasMoved = false;
  let hasMore = false;
  for (const answer of answers) {
    const count = given.get(answer.shard) ?? 0;
    const id = nextIdOf(answer, count, request.filter !== undefined);
    const hasBehind = answer.poll.hasMore || count < answer.wanted.length;
    hasMore ||= hasBehind;
    if (id !== undefined && id !== answer.from) {
      hasMoved = true;
      next.set(answer.shard, id);
      const events = answer.poll.missed ?? 0n;
      if (events > 0n) missed.push({ shard: answer.shard, events });
    } else if (hasBehind) stalledShards.push(answer.shard);
  }
  // All that was looked at was filtered out, but there may be others where the cursor is now.
  const isAllFiltered = request.filter !== undefined && events.length === 0 && hasMoved;
  return {
    events,
    nextId: hasMoved ? encodeCursor(next) : request.fromId,
    hasMore: hasMoved && (hasMore || isAllFiltered),
    isCutAtShardCap,
    stalledShards,
    failedShards: failures.map(({ shard, error }) => ({
      shard,
      error: error.message,
      damagedId: typeof error.data?.id === "string" ? error.data.id : undefined,
    })),
    missed,
  };
}

/** Id behind which a shard goes on, of whose wanted events the first `count` are given. */
function nextIdOf(answer: ShardAnswer, count: number, isFiltered: boolean): string | undefined {
  const { from, poll, wanted } = answer;
  const cut = wanted[count];
  // The engine may have looked further than its last event: over damaged ones, for example.
  if (cut === undefined) return poll.nextId ?? poll.events[poll.events.length - 1]?.id ?? from;
  if (!isFiltered) return count === 0 ? from : wanted[count - 1]?.id;
  // Back to right before the first event that was wanted and not given.
  const index = poll.events.indexOf(cut);
  return index <= 0 ? from : poll.events[index - 1]?.id;
}

interface ShardRequest {
  readonly shard: number;
  readonly from: string | undefined;
  readonly fetch: number;
}

async function fetchShard(
  { clock, adapter, timeoutMs }: PollDeps,
  { shard, from, fetch }: ShardRequest,
  signal: AbortSignal | undefined,
): Promise<ShardPoll> {
  const poll = await withTimeout(
    clock,
    timeoutMs,
    signal,
    `poll shard ${shard}`,
    (limit) => adapter.poll(shard, from, fetch, limit),
  );
  const newest = poll.nextId ?? poll.events[poll.events.length - 1]?.id;
  if (newest === undefined) return poll;
  if (newest.length > EVENT_ID_MAX) {
    throw new BusError("fatal", `Cannot poll shard ${shard}: an event id is too long`);
  }
  if (from !== undefined && eventIdKind(from) !== eventIdKind(newest)) {
    throw new BusError(
      "cursor",
      `Cannot poll shard ${shard}: cursor is of kind ${eventIdKind(from)}, must be of kind ${
        eventIdKind(newest)
      }`,
      { next: "the bus has another engine than when the cursor was made: start without it" },
    );
  }
  return poll;
}

async function shardsOf(deps: PollDeps, request: PollRequest): Promise<readonly number[]> {
  const shards = request.shards ?? await deps.shards();
  for (const shard of shards) {
    if (Number.isInteger(shard) && shard >= 0 && shard <= SHARDS_MAX) continue;
    throw new BusError("config", `Cannot poll: shard is ${shard}, must be 0..${SHARDS_MAX}`);
  }
  return [...new Set(shards)].sort((a, b) => a - b);
}

function nothing(request: PollRequest): PollResponse {
  return {
    events: [],
    nextId: request.fromId,
    hasMore: false,
    isCutAtShardCap: false,
    stalledShards: [],
    failedShards: [],
    missed: [],
  };
}
