/** The event bus: shard choice, filters and the cursor of a poll. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import { createNoiseKeyPair, xxh3, xxh3Bucket } from "../../../src/core/crypto/mod.ts";
import {
  createEventBus,
  createMemoryAdapter,
  createNetAdapter,
  decodeCursor,
  encodeCursor,
  type EventBus,
  formatFilter,
  parseFilter,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryNetwork } from "../../sim/memory_network.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  listOf,
  numberOf,
  objectOf,
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

/** The same events over a pair of ours, filed as the core does: all under shard 0, ids as they come. */
async function checkSamplePoll(vector: VectorObject): Promise<void> {
  const nextId = textOf(vector, "nextId");
  assert.equal(encodeCursor(decodeCursor(nextId)), nextId);
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, 1);
  const [left, right] = [{ host: "10.0.0.1", port: 1 }, { host: "10.0.0.2", port: 2 }];
  const psk = new Uint8Array(32);
  const staticKey = createNoiseKeyPair();
  const receiver = await createEventBus({
    clock,
    adapter: createNetAdapter(
      { clock, openSocket: () => network.open(right.host, right.port) },
      { role: "responder", peer: left, psk, staticKey, filing: "zero" },
    ),
  }, { shards: 2, scaling: false });
  const sending = createEventBus({
    clock,
    adapter: createNetAdapter(
      { clock, openSocket: () => network.open(left.host, left.port) },
      { role: "initiator", peer: right, psk, peerPublicKey: staticKey.publicKey },
    ),
  }, { shards: 2, scaling: false });
  await clock.advance(10);
  const sender = await sending;
  const events = listOf(vector, "events").map((event) => objectOf(event, "event"));
  // The packet of shard 1 came first.
  const bytes = events.map((event) => bytesOf(event, "rawBytes"));
  for (const shard of [1, 0]) {
    sender.ingestRawBatch(bytes.filter((raw) => xxh3Bucket(raw, 2) === shard));
    await clock.advance(20);
  }
  const page = await receiver.poll({ limit: 100 });
  assert.deepEqual(
    page.events.map(({ id, raw, insertionTs, shard }) => [id, raw.toHex(), insertionTs, shard]),
    events.map((event) => [
      textOf(event, "id"),
      textOf(event, "rawBytes"),
      BigInt(textOf(event, "insertionTs")),
      numberOf(event, "shardId"),
    ]),
  );
  assert.deepEqual([page.nextId, page.hasMore], [nextId, false]);
  const ending = Promise.all([sender.shutdown(), receiver.shutdown()]);
  await clock.advance(10);
  await ending;
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
