/** Puts the events of several shards into one list (`storage.md` 2.4). */
import { compareEventIds } from "./event_id.ts";
import type { StoredEvent } from "./types.ts";

/** What one shard gave. */
export interface MergeSource {
  readonly events: readonly StoredEvent[];
  /**
   * Greatest time that was looked at when the shard has more: what is later in other shards has to wait, because
   * something earlier may follow here. `undefined` when nothing follows.
   */
  readonly frontier: bigint | undefined;
}

/**
 * The first `limit` events, shard behind shard, or by time, shard and id.
 *
 * Events of one shard keep their order also where their times do not rise (after a restart, or from an engine
 * that gives no times): a cursor says of a shard only how far it was read.
 */
export function mergeShards(
  shards: readonly MergeSource[],
  limit: number,
  ordering: "none" | "insertion_ts" = "none",
): StoredEvent[] {
  if (ordering === "none") {
    const events: StoredEvent[] = [];
    for (const shard of shards) {
      for (const event of shard.events) {
        if (events.length >= limit) return events;
        events.push(event);
      }
    }
    return events;
  }
  return mergeByTime(shards, limit);
}

interface Source {
  readonly events: readonly StoredEvent[];
  at: number;
}

function mergeByTime(shards: readonly MergeSource[], limit: number): StoredEvent[] {
  const merged: StoredEvent[] = [];
  let frontier: bigint | undefined;
  for (const shard of shards) {
    if (shard.frontier === undefined) continue;
    if (frontier === undefined || shard.frontier < frontier) frontier = shard.frontier;
  }
  // A heap of sources, the one with the earliest event on top.
  const heap: Source[] = [];
  for (const { events } of shards) {
    if (events.length > 0) heap.push({ events, at: 0 });
  }
  for (let index = heap.length >> 1; index >= 0; index--) sink(heap, index);
  while (merged.length < limit) {
    const top = heap[0];
    const event = top?.events[top.at];
    if (top === undefined || event === undefined) break;
    if (frontier !== undefined && event.insertionTs > frontier) break;
    merged.push(event);
    top.at += 1;
    if (top.at === top.events.length) {
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) heap[0] = last;
    }
    sink(heap, 0);
  }
  return merged;
}

function sink(heap: Source[], from: number): void {
  for (let at = from;;) {
    const left = 2 * at + 1;
    let least = at;
    if (isBefore(heap[left], heap[least])) least = left;
    if (isBefore(heap[left + 1], heap[least])) least = left + 1;
    const [source, other] = [heap[at], heap[least]];
    if (least === at || source === undefined || other === undefined) return;
    heap[at] = other;
    heap[least] = source;
    at = least;
  }
}

function isBefore(left: Source | undefined, right: Source | undefined): boolean {
  const event = left?.events[left.at];
  const other = right?.events[right.at];
  if (event === undefined || other === undefined) return false;
  if (event.insertionTs !== other.insertionTs) return event.insertionTs < other.insertionTs;
  if (event.shard !== other.shard) return event.shard < other.shard;
  return compareEventIds(event.id, other.id) < 0;
}
