/** The event bus: shard choice, filters and the cursor of a poll. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import { xxh3, xxh3Bucket } from "../../../src/core/crypto/mod.ts";
import {
  createEventBus,
  createMemoryAdapter,
  decodeCursor,
  encodeCursor,
  type EventBus,
  formatFilter,
  parseFilter,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import type { VectorSuite } from "../suite.ts";
import {
  listOf,
  numberOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const EVENT_BUS_SUITES: Readonly<Record<string, VectorSuite>> = {
  "storage/bus_shards_xxh3.json": () => ({
    shard_selection: checkShard,
    "xxh3_64.cases": checkHash,
  }),
  "storage/bus_filters.json": (document) => {
    const events = valueAt(document, "events");
    assert.ok(Array.isArray(events));
    const poll = valueAt(document, "sample_poll");
    return {
      cases: (vector) => checkFilter(vector, events),
      sample_poll: { cases: [recordOf({ poll }, "poll")], check: checkSamplePoll },
    };
  },
};

async function checkShard(vector: VectorObject): Promise<void> {
  const raw = utf8(textOf(vector, "raw"));
  const shards = numberOf(vector, "num_shards");
  assert.equal(xxh3(raw), BigInt(textOf(vector, "xxh3")));
  assert.equal(xxh3Bucket(raw, shards), numberOf(vector, "shard"));
  await using bus = await busOf(shards);
  assert.equal(bus.ingestRaw(raw).shard, numberOf(vector, "shard"));
}

function checkHash(vector: VectorObject): void {
  const bytes = Uint8Array.from({ length: numberOf(vector, "len") }, (_, i) => i * 31 + 7);
  assert.equal(xxh3(bytes), BigInt(textOf(vector, "hash")));
}

async function checkFilter(vector: VectorObject, events: readonly unknown[]): Promise<void> {
  const text = textOf(vector, "filter");
  await using bus = await busOf(1);
  bus.ingestBatch(events);
  await bus.flush();
  for (const filter of [parseFilter(text), parseFilter(formatFilter(parseFilter(text)))]) {
    const page = await bus.poll({ limit: 100, filter });
    const matched = page.events.map(({ id }) => Number(id));
    assert.deepEqual(matched, listOf(vector, "matched_indices").map(Number));
  }
}

function checkSamplePoll(vector: VectorObject): void {
  const last = listOf(vector, "events").at(-1);
  const nextId = textOf(vector, "nextId");
  assert.deepEqual(decodeCursor(nextId), new Map([[0, valueAt(last, "id")]]));
  assert.equal(encodeCursor(decodeCursor(nextId)), nextId);
}

/** A bus whose time stands still except for what is due at once. */
function busOf(shards: number): Promise<EventBus> {
  return createEventBus({ clock: new InstantClock(), adapter: createMemoryAdapter() }, {
    shards,
    scaling: false,
  });
}

class InstantClock extends ManualClock {
  override soon(action: () => void): void {
    queueMicrotask(action);
  }
}
