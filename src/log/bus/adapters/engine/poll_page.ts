/** What a shard has behind a cursor, out of what an engine gave: envelopes are taken off, a broken one ends the page. */
import { BusError } from "../../error.ts";
import type { ShardPoll, StoredEvent } from "../../types.ts";
import { decodeEnvelope } from "./envelope.ts";

/** A record of an engine. */
export interface EngineRecord {
  readonly id: string;
  /** `undefined` when it has none. */
  readonly data: Uint8Array | undefined;
  readonly dedupId: string | undefined;
}

/**
 * Makes a page of at most `limit` of the records, of which one more than that was asked for.
 *
 * Events in front of a broken record are given; the next poll, which begins with it, fails.
 *
 * @param place Where they are from, as in `stream "net:shard:0"`.
 * @param isMore True when the engine says that there are more than it gave.
 * @throws BusError `fatal` when the first one is broken; its data has `id`, to go on behind it.
 */
export function pollPage(
  records: readonly EngineRecord[],
  limit: number,
  place: string,
  isMore = false,
): ShardPoll {
  const events: StoredEvent[] = [];
  for (const { id, data, dedupId } of records.slice(0, limit)) {
    const envelope = data === undefined ? undefined : decodeEnvelope(data);
    if (envelope === undefined) {
      if (events.length > 0) return { events, nextId: events.at(-1)?.id, hasMore: true };
      throw new BusError(
        "fatal",
        `Cannot read event ${id} of ${place}: it is not wrapped as {"r":…,"t":…,"s":…}`,
        { data: { id }, next: `remove it from the stream, or poll on from ${id}` },
      );
    }
    events.push({ id, ...envelope, dedupId });
  }
  return { events, nextId: events.at(-1)?.id, hasMore: isMore || records.length > limit };
}
